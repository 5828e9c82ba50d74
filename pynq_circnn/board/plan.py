"""A network on the hardware engine: numbers to words, chunks, words to numbers."""

from typing import Any, Callable, List, Optional, Tuple

import numpy as np

from ..backends import BasePlan, not_finite
from ..compiler import compile_program
from ..fixed import VALUE_MAX
from ..layers import Reshape, Softmax
from ..quantized import QuantizedNetwork
from .engine import Engine, Loadable
from .layout import BYTES, WORDS

SAMPLES_AT_ONCE = 4096  # handed over in one call: the engine cuts them into chunks itself


class BoardPlan(BasePlan):
    """A network to be run by an engine.

    Parameters
    ----------
    network : QuantizedNetwork
    find : callable
        Returns the engine to use; asked at every call, because overlays come and go.
    """

    samples_at_once = SAMPLES_AT_ONCE

    def __init__(self, network: QuantizedNetwork, name: str, find: Callable[[], Engine]) -> None:
        super().__init__(network)
        self.name = name
        self._find = find
        self._loadables: dict = {}
        self._scale = np.float32(2.0 ** -network.exponents[network.input.name])
        self._unit = np.float32(2.0**self.output_exponent)
        own = [i for i, x in enumerate(network.layers) if not isinstance(x, (Reshape, Softmax))]
        self._counted = np.array(own)
        self._loadable(find())  # what does not fit is told now

    def _loadable(self, engine: Engine) -> Loadable:
        name = engine.configuration
        if name not in self._loadables:
            self._loadables[name] = Loadable(compile_program(self.network, name))
        return self._loadables[name]

    def _work(self, x: np.ndarray, out: np.ndarray) -> Tuple[int, Any, Any, List[int]]:
        """Return format and what fills and drains chunks, and where saturations are counted."""
        rows, results = x.reshape(len(x), -1), out.reshape(len(out), -1)
        limited = [0]
        if x.dtype == np.uint8:
            format = BYTES
        else:
            format = WORDS
            finite = np.isfinite(rows).all(axis=1)
            if not finite.all():
                raise not_finite(int(np.argmin(finite)))

        def fill(places: List[np.ndarray], first: int, count: int) -> None:
            for place in places:
                part = rows[first : first + len(place)]
                first += len(place)
                if format == BYTES:
                    place[:] = part
                else:
                    limited[0] += _quantize(part, self._scale, place)

        def drain(words: np.ndarray, first: int, count: int) -> None:
            np.multiply(words, self._unit, out=results[first : first + count], casting="unsafe")

        return format, fill, drain, limited

    def _run(self, x: np.ndarray, out: np.ndarray, saturations: Optional[np.ndarray]) -> None:
        engine = self._find()
        loadable = self._loadable(engine)
        format, fill, drain, limited = self._work(x, out)
        counters = engine.run(loadable, len(x), format, fill, drain)
        self._count(saturations, counters, limited)

    async def _run_async(self, x: np.ndarray, out: np.ndarray) -> None:
        engine = self._find()
        loadable = self._loadable(engine)
        format, fill, drain, _ = self._work(x, out)
        await engine.run_async(loadable, len(x), format, fill, drain)

    def _count(
        self, saturations: Optional[np.ndarray], counters: np.ndarray, limited: List[int]
    ) -> None:
        if saturations is not None:
            counters[0] += limited[0]
            saturations[self._counted] += counters


def _quantize(x: np.ndarray, scale: np.float32, words: np.ndarray) -> int:
    """Write float32 values as words, and return how many were limited.

    As :func:`pynq_circnn.fixed.quantize_input`: scaled exactly, limited, halves rounded to even.
    """
    with np.errstate(over="ignore"):  # what overflows is limited next
        scaled = x * scale
    np.rint(scaled, out=scaled)
    limited = int(np.count_nonzero(np.abs(scaled) > VALUE_MAX))
    if limited:
        np.clip(scaled, -VALUE_MAX, VALUE_MAX, out=scaled)
    words[:] = scaled
    return limited
