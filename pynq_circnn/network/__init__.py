"""A network as a value: in floating point, quantised, and as a file."""
