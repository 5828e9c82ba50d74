"""The command line: ``circnn`` or ``python -m pynq_circnn``.

A subcommand is one file of this folder.  It has a function ``register(commands)``, which adds the
subcommand's parser, and an integer ``ORDER``, which says where ``circnn --help`` lists it.  All of
them are imported for every call, so what takes long to import (Keras, Matplotlib, pynq) they import
only when they run.
"""

import argparse
import importlib
import os
import pkgutil
import sys
from types import ModuleType
from typing import List, Optional

from .. import __version__
from ..errors import CircnnError
from .common import interrupted


def subcommands() -> List[ModuleType]:
    """Return the modules of this folder that have a function ``register``, in help's order."""
    from . import __path__ as folders

    names = [module.name for module in pkgutil.iter_modules(folders) if not module.ispkg]
    modules = [importlib.import_module(f"{__package__}.{name}") for name in names]
    return sorted(
        (module for module in modules if hasattr(module, "register")),
        key=lambda module: (module.ORDER, module.__name__),
    )


def main(arguments: Optional[List[str]] = None) -> int:
    """Run a command and return its exit status: 2 for wrong input, 1 for a failed check."""
    parser = argparse.ArgumentParser(
        prog="circnn", description="Compressed neural networks on Zynq boards, and anywhere else."
    )
    parser.add_argument("--version", action="version", version=f"pynq_circnn {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    try:
        for module in subcommands():
            module.register(commands)
        parsed = parser.parse_args(arguments)
        return int(parsed.run(parsed))
    except BrokenPipeError:  # the reader of the output, for example head, has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (CircnnError, ValueError, TypeError, OSError, ImportError) as error:
        print(f"circnn: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return interrupted()
