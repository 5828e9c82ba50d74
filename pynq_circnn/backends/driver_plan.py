"""A network run through the engine's driver, as the back ends ``board`` and ``emulated`` do."""

from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np

from ..arithmetic.fixed import VALUE_MAX, check_finite
from ..board.driver import EngineDriver, Loadable
from ..network.quantized import QuantizedNetwork
from ..program.compiler import compile_program, counted_layers
from ..program.packets import BYTES, WORDS
from .base import BasePlan

try:
    from pynq_circnn._native import ffi, lib
except ImportError:
    lib = None

SAMPLES_AT_ONCE = 4096  # handed over in one call: the driver cuts them into chunks itself


class DriverPlan(BasePlan):
    """A network to be run by an engine: values to words, through the driver, words to values.

    Parameters
    ----------
    network : QuantizedNetwork
    find : callable
        Returns the driver of the engine to use; asked at every call, because overlays come and go.
    """

    samples_at_once = SAMPLES_AT_ONCE

    def __init__(self, network: QuantizedNetwork, find: Callable[[], EngineDriver]) -> None:
        super().__init__(network)
        self._find = find
        self._loadables: Dict[str, Loadable] = {}
        self._scale = np.float32(2.0 ** -network.exponents[network.input.name])
        self._unit = np.float32(2.0**self.output_exponent)
        self._counted = counted_layers(network)
        self.loadable(find().configuration)  # raises now what does not fit

    def loadable(self, configuration: str) -> Loadable:
        """Return the network compiled for a configuration, the same one each time."""
        if configuration not in self._loadables:
            self._loadables[configuration] = Loadable(compile_program(self.network, configuration))
        return self._loadables[configuration]

    def _work(self, x: np.ndarray, out: np.ndarray) -> Tuple[int, Any, Any, List[int]]:
        """Return the format, what fills and drains chunks, and where saturations are counted."""
        rows, results = x.reshape(len(x), -1), out.reshape(len(out), -1)
        limited = [0]
        if x.dtype == np.uint8:

            def fill(places: List[np.ndarray], first: int, count: int) -> None:
                for place in places:
                    place[:] = rows[first : first + len(place)]
                    first += len(place)

        else:
            check_finite(rows)

            def fill(places: List[np.ndarray], first: int, count: int) -> None:
                for place in places:
                    limited[0] += to_words(rows[first : first + len(place)], self._scale, place)
                    first += len(place)

        def drain(words: np.ndarray, first: int, count: int) -> None:
            to_values(words, self._unit, results[first : first + count])

        return BYTES if x.dtype == np.uint8 else WORDS, fill, drain, limited

    def _run(self, x: np.ndarray, out: np.ndarray, saturations: Optional[np.ndarray]) -> None:
        driver = self._find()
        loadable = self.loadable(driver.configuration)
        format, fill, drain, limited = self._work(x, out)
        counters = driver.run(loadable, len(x), format, fill, drain)
        self._count(saturations, counters, limited)

    async def _run_async(
        self, x: np.ndarray, out: np.ndarray, saturations: Optional[np.ndarray]
    ) -> None:
        driver = self._find()
        loadable = self.loadable(driver.configuration)
        format, fill, drain, limited = self._work(x, out)
        counters = await driver.run_async(loadable, len(x), format, fill, drain)
        self._count(saturations, counters, limited)

    def _count(
        self, saturations: Optional[np.ndarray], counters: np.ndarray, limited: List[int]
    ) -> None:
        if saturations is not None:
            counters[0] += limited[0]
            saturations[self._counted] += counters


def to_words(x: np.ndarray, scale: np.float32, words: np.ndarray) -> int:
    """Write float32 values as words, and return how many were limited.

    As :func:`pynq_circnn.arithmetic.fixed.quantize_input`: scaled exactly, limited, halves rounded
    to even.
    """
    if lib is not None and words.strides[1] == words.itemsize:
        limited = lib.circnn_words_from_floats(
            ffi.from_buffer("float[]", x),
            len(x),
            x.shape[1],
            scale,
            _pointer(words),
            words.strides[0],
            ffi.NULL,
        )
        return int(limited)
    with np.errstate(over="ignore"):  # what overflows is limited next
        scaled = x * scale
    np.rint(scaled, out=scaled)
    limited = int(np.count_nonzero(np.abs(scaled) > VALUE_MAX))
    if limited:
        np.clip(scaled, -VALUE_MAX, VALUE_MAX, out=scaled)
    words[:] = scaled
    return limited


def to_values(words: np.ndarray, unit: np.float32, out: np.ndarray) -> None:
    """Write words as float32 values."""
    if lib is not None and words.strides[1] == words.itemsize:
        lib.circnn_floats_from_words(
            _pointer(words),
            words.strides[0],
            len(words),
            words.shape[1],
            unit,
            ffi.from_buffer("float[]", out),
        )
    else:
        np.multiply(words, unit, out=out, casting="unsafe")


def _pointer(words: np.ndarray) -> Any:
    return ffi.cast("uint8_t *", words.__array_interface__["data"][0])
