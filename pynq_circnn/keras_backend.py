"""Which back end Keras uses, decided before Keras is imported.

Keras takes the environment variable ``KERAS_BACKEND``, else the key ``backend`` of ``keras.json``
in its folder (``KERAS_HOME``, by default ``~/.keras``), else TensorFlow, and fails if that is not
installed (https://keras.io/getting_started/).  Only that last case is handled here: where nobody
chose and TensorFlow is not installed, JAX is taken, which the shipped models were trained with,
else PyTorch.  What a user chose is never replaced.
"""

import importlib.metadata
import importlib.util
import json
import os
import sys
from typing import Callable, Mapping, NamedTuple, Optional

DEFAULT = "tensorflow"
OTHERS = ("jax", "torch")
_VARIABLE = "KERAS_BACKEND"


class Choice(NamedTuple):
    """The back end that Keras will use, who chose it, and what prevents its use, if anything."""

    name: str
    source: str
    problem: str = ""
    remedy: str = ""
    ours: bool = False  # chosen here


def _installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _version() -> str:
    return importlib.metadata.version("keras")


def _configured(environ: Mapping[str, str]) -> Optional[str]:
    """Return the back end that ``keras.json`` names, found where Keras itself looks."""
    home = os.path.expanduser("~")
    folder = environ.get(
        "KERAS_HOME", os.path.join(home if os.access(home, os.W_OK) else "/tmp", ".keras")
    )
    try:
        with open(os.path.expanduser(os.path.join(folder, "keras.json")), encoding="utf-8") as file:
            name = json.load(file)["backend"]
    except (OSError, ValueError, KeyError, TypeError):  # absent, damaged, or without the key
        return None
    return name if isinstance(name, str) else None


def find(
    environ: Mapping[str, str] = os.environ, installed: Callable[[str], bool] = _installed
) -> Choice:
    """Return the back end that Keras will use, without importing Keras.

    Parameters
    ----------
    environ : mapping
    installed : callable
        Whether a module of this name is installed.
    """
    if "keras" in sys.modules:
        return Choice(sys.modules["keras"].backend.backend(), "Keras is imported already")
    if not installed("keras"):
        return Choice("", "", "Keras is not installed", "pip install 'keras>=3' jax")
    if _version().split(".")[0] < "3":
        problem = f"Keras 3 is needed. Received: Keras {_version()}"
        return Choice("", "", problem, "pip install 'keras>=3' (Python 3.9 or newer)")
    present = [name for name in (*OTHERS, DEFAULT) if installed(name)]
    name, source = environ.get(_VARIABLE), f"the environment variable {_VARIABLE}"
    if not name:
        name, source = _configured(environ), "keras.json"
    # Keras writes that file itself, with its default: nobody chose a "tensorflow" in it
    if not name or (name == DEFAULT and source == "keras.json"):
        if installed(DEFAULT):
            return Choice(DEFAULT, "Keras's default")
        if present:
            return Choice(present[0], "Keras's default, TensorFlow, is not installed", ours=True)
        problem = "Keras needs a back end, and neither JAX, PyTorch nor TensorFlow is installed"
        return Choice("", "", problem, "pip install jax")
    if not installed(name):
        problem = f"{source} must name an installed back end. Received: {name!r}, which is not "
        remedy = f"set {_VARIABLE}={present[0]}, or " if present else ""
        return Choice(name, source, problem + "installed", f"{remedy}pip install {name}")
    return Choice(name, source)


def choose() -> None:
    """Make Keras use an installed back end where nobody chose one; call it before importing Keras.

    Raises
    ------
    ImportError
        If Keras cannot be imported: what is missing, and what to install or set.
    """
    choice = find()
    if choice.problem:
        raise ImportError(f"{choice.problem}. Remedy: {choice.remedy}")
    if choice.ours:
        os.environ[_VARIABLE] = choice.name
