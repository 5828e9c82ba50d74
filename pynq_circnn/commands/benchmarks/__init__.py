"""What ``circnn bench`` measures: speed against alternatives, training steps, calls on a board."""
