"""The reference back end, in NumPy: the definition, layer by layer or from a program.

Plain rather than fast: see :mod:`pynq_circnn.network.integers` and
:mod:`pynq_circnn.program.interpreter`.
"""

from typing import Optional

import numpy as np

from ..arithmetic.fixed import dequantize
from ..errors import NotFiniteError
from ..network.integers import run_words
from ..network.quantized import QuantizedNetwork
from ..program.compiler import check_program_of, counted_layers
from ..program.interpreter import run_program
from ..program.program import Program
from .base import BasePlan

PREFERENCE = 0

_TILE_WORDS = 1 << 22  # how many words of the largest tensor are worked on at once


def unavailable() -> Optional[str]:
    """Return ``None``: NumPy is always there."""
    return None


class Plan(BasePlan):
    """A network to be run by NumPy.

    Parameters
    ----------
    network : QuantizedNetwork
    program : Program, optional
        Of this network: its instructions are executed, one after the other, instead of the layers.
    """

    name = "reference"

    def __init__(self, network: QuantizedNetwork, program: Optional[Program] = None) -> None:
        super().__init__(network)
        if program is not None:
            check_program_of(network, program)
        self.program = program
        self._counted = counted_layers(network)

    def _run(self, x: np.ndarray, out: np.ndarray, saturations: Optional[np.ndarray]) -> None:
        largest = max(int(np.prod(shape)) for shape in self.network.shapes.values())
        tile = max(1, _TILE_WORDS // largest)
        for start in range(0, len(x), tile):
            try:
                words = self._words(x[start : start + tile], saturations)
            except NotFiniteError as error:
                raise NotFiniteError(start + error.sample) from None
            out[start : start + tile] = dequantize(words, self.output_exponent)

    def _words(self, x: np.ndarray, saturations: Optional[np.ndarray]) -> np.ndarray:
        """Return the output words of some samples."""
        if self.program is None:
            *_, words = run_words(self.network, x, saturations).values()
            return words
        counts = np.zeros(len(self._counted), dtype=np.int64)
        words = run_program(self.program, x.reshape(len(x), -1), counts)
        if saturations is not None:
            saturations[self._counted] += counts
        return words.reshape((len(x), *self.output_shape))
