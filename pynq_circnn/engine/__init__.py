"""A model of the hardware engine: cycles, resources, and what a network takes on a board."""
