"""What back ends share: the interface of a plan."""

import asyncio
import os
from abc import ABC, abstractmethod
from typing import Optional, Tuple

import numpy as np

from ..layers.base import Shape
from ..network.quantized import QuantizedNetwork


class BasePlan(ABC):
    """One network on one back end.

    A plan is immutable: any number of threads may call :meth:`run` at once.

    Parameters
    ----------
    network : QuantizedNetwork
    """

    name: str = ""
    samples_at_once: int = 1
    """How many samples a call should have at least; the plan limits its own memory."""
    counts_at_no_cost: bool = True
    """Whether saturations are always counted, so that asking for them costs no time."""

    def __init__(self, network: QuantizedNetwork) -> None:
        self.network = network
        output = network.engine_output.name
        self.output_shape: Shape = network.shapes[output]
        self.output_exponent: int = network.exponents[output]

    def run(
        self,
        x: np.ndarray,
        out: Optional[np.ndarray] = None,
        saturations: Optional[np.ndarray] = None,
        threads: int = 1,
    ) -> np.ndarray:
        """Return the network's output for a batch, before a final softmax.

        Parameters
        ----------
        x : C-contiguous array of shape (n,) + input shape
            ``float32``, scaled as the layers read them (the caller applies ``Input.scale``), or
            unscaled ``uint8`` if the network's input has a ``uint8_scale``.
        out : C-contiguous float32 array of shape (n,) + output shape, optional
            Where the result goes.
        saturations : C-contiguous int64 array with one element a layer, optional
            The number of words that each layer had to limit is added to it; the input's element
            counts values outside the calibrated range.
        threads : int
            The most threads among which the batch is divided; changes no result.

        Returns
        -------
        float32 array of shape (n,) + output shape: `out`, or a new one

        Raises
        ------
        ValueError
            If an array is of another shape or dtype, or `x` holds NaN or infinity.
        """
        out = self._checked(x, out, saturations)
        if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
            raise ValueError(f"threads must be a positive integer. Received: {threads!r}.")
        if len(x):
            self._run_threads(x, out, saturations, threads)
        return out

    async def run_async(
        self, x: np.ndarray, saturations: Optional[np.ndarray] = None
    ) -> np.ndarray:
        """Return what :meth:`run` does, while the event loop stays free."""
        out = self._checked(x, None, saturations)
        if len(x):
            await self._run_async(x, out, saturations)
        return out

    def _checked(
        self, x: np.ndarray, out: Optional[np.ndarray], saturations: Optional[np.ndarray]
    ) -> np.ndarray:
        shape = self.network.input.shape
        dtypes = ("float32",) if self.network.input.uint8_scale is None else ("float32", "uint8")
        _check_array("x", x, dtypes, (len(x),) + shape if np.ndim(x) else shape)
        if out is None:
            out = np.empty((len(x),) + self.output_shape, dtype=np.float32)
        _check_array("out", out, ("float32",), (len(x),) + self.output_shape)
        if not out.flags.writeable:
            raise ValueError("out must be writeable. Received: a read-only array. Copy it.")
        if saturations is not None:
            _check_array("saturations", saturations, ("int64",), (len(self.network.layers),))
        return out

    @abstractmethod
    def _run(self, x: np.ndarray, out: np.ndarray, saturations: Optional[np.ndarray]) -> None:
        """Compute `out` from a checked batch of at least one sample."""

    def _run_threads(
        self, x: np.ndarray, out: np.ndarray, saturations: Optional[np.ndarray], threads: int
    ) -> None:
        """Do as :meth:`_run` with at most that many threads; unless overridden, with one."""
        self._run(x, out, saturations)

    async def _run_async(
        self, x: np.ndarray, out: np.ndarray, saturations: Optional[np.ndarray]
    ) -> None:
        """Do as :meth:`_run`; unless overridden, in a thread."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._run, x, out, saturations)


def _check_array(name: str, array: np.ndarray, dtypes: Tuple[str, ...], shape: Shape) -> None:
    ok = isinstance(array, np.ndarray) and array.dtype.name in dtypes and array.shape == shape
    if not ok or not array.flags.c_contiguous:
        received = (
            f"{array.dtype} of shape {array.shape}, C-contiguous={array.flags.c_contiguous}"
            if isinstance(array, np.ndarray)
            else type(array).__name__
        )
        raise ValueError(
            f"{name} must be a C-contiguous {' or '.join(dtypes)} array of shape {shape}. "
            f"Received: {received}."
        )


def cores() -> int:
    """Return how many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1
