"""Block-circulant mathematics and the engine's 16-bit arithmetic, in NumPy."""
