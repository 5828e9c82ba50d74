"""A model of the hardware engine: cycles, resources, and what a network needs on a board."""
