"""CirCNN on Zynq: block-circulant neural networks, compressed, exact, fast.

>>> import numpy as np
>>> from pynq_circnn import load_model
>>> load_model("digits").predict(np.zeros((2, 64), dtype="uint8")).shape
(2, 10)
"""

from typing import Any

from .errors import (
    BackendError,
    BoardError,
    CircnnError,
    CompileError,
    ModelFileError,
    ProgramError,
)
from .model.model import Model, load_model, shipped_models
from .network.graph import Network
from .network.quantized import QuantizedNetwork
from .quantization.quantizer import quantize

__version__ = "0.1.0"

__all__ = [
    "BackendError",
    "BoardError",
    "CirCNNOverlay",
    "CircnnError",
    "CompileError",
    "Model",
    "ModelFileError",
    "Network",
    "ProgramError",
    "QuantizedNetwork",
    "load_model",
    "quantize",
    "shipped_models",
]


def __getattr__(name: str) -> Any:
    if name == "CirCNNOverlay":  # imports pynq, which only the board has
        from .board.overlay import CirCNNOverlay

        return CirCNNOverlay
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
