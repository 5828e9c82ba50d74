"""How many random cases a test tries: some in ``make test``, many more in ``make fuzz``."""

import os

TIMES = int(os.environ.get("CIRCNN_FUZZ", "1"))


def times(count):
    """Return how many cases to try: `count` in ``make test``, more in ``make fuzz``."""
    return count * TIMES
