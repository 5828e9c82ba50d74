"""Everything behind the command line."""
