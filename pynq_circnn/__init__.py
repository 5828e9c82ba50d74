"""CirCNN on Zynq: block-circulant neural networks, compressed, exact, fast."""

__version__ = "0.1.0"
