"""How many random cases a test tries: some in ``make test``, many more in ``make fuzz``."""

import os

TIMES = int(os.environ.get("CIRCNN_FUZZ", "1"))


def times(count):
    """Return how many cases to try where `make test` tries `count`."""
    return count * TIMES
