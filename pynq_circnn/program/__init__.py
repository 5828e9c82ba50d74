"""The engine's program: its bytes, how it is compiled, and the packets that carry it."""
