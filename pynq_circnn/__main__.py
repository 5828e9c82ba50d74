"""``python -m pynq_circnn`` is ``circnn``."""

import sys

from .cli import main

sys.exit(main())
