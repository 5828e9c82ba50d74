"""``python -m pynq_circnn`` is ``circnn``."""

import sys

from .commands.cli import main

sys.exit(main())
