"""The command line: :mod:`.cli`, one file for each subcommand, and what they share."""
