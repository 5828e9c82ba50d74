"""The HLS sources compiled with a C++ compiler: the C simulation."""
