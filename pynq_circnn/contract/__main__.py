"""The contract's headers and tables from the command line: see the package's docstring."""

import importlib.util
import os
import sys
from types import ModuleType
from typing import List

USAGE = "usage: contract headers FOLDER [CONFIGURATION] | page"


def _contract() -> ModuleType:
    """Return the contract, loaded without pynq_circnn, which may not be installed yet."""
    folder = os.path.dirname(os.path.abspath(__file__))
    spec = importlib.util.spec_from_file_location(
        "circnn_contract", os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    assert spec is not None and spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = package
    spec.loader.exec_module(package)
    return package


def _main(arguments: List[str]) -> None:
    contract = _contract()
    name, engines = contract.__name__, contract.hardware_configurations()
    headers = importlib.import_module(f"{name}.headers")
    if any(argument.startswith("-") for argument in arguments):
        raise SystemExit(USAGE)
    if len(arguments) == 3 and arguments[2] not in engines:
        raise SystemExit(
            f"CONFIGURATION must be one of {', '.join(engines)}. Received: {arguments[2]!r}."
        )
    if len(arguments) == 2 and arguments[0] == "headers":
        headers.write_headers(arguments[1], headers.native_headers())
    elif len(arguments) == 3 and arguments[0] == "headers":
        headers.write_headers(arguments[1], headers.engine_headers(arguments[2]))
    elif arguments == ["page"]:
        importlib.import_module(f"{name}.page").renew_page()
    else:
        raise SystemExit(USAGE)


if __name__ == "__main__":
    _main(sys.argv[1:])
