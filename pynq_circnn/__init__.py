"""CirCNN on Zynq: block-circulant neural networks, compressed, exact, fast.

>>> import numpy as np
>>> from pynq_circnn import load_model
>>> load_model("digits").predict(np.zeros((2, 64), dtype="uint8")).shape
(2, 10)
"""

from .errors import BackendError, CircnnError, CompileError, ModelFileError, ProgramError
from .model import Model, load_model, shipped_models
from .network import Network
from .quantize import quantize
from .quantized import QuantizedNetwork

__version__ = "0.1.0"

__all__ = [
    "BackendError",
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
