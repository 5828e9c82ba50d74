"""A batch run on a plan: cut into parts that bound the memory, and divided among threads."""

from typing import Optional, Union

import numpy as np

from ..backends.base import BasePlan, cores
from ..errors import NotFiniteError
from .progress import progress_bar

THREAD_SAMPLES = 256  # fewer than that are not worth a thread


def run(
    plan: BasePlan,
    batch: np.ndarray,
    batch_size: int,
    verbose: Union[str, int],
    counts: Optional[np.ndarray],
    first: int = 0,
) -> np.ndarray:
    """Return the outputs of a batch, before a final softmax.

    Parameters
    ----------
    plan : BasePlan
    batch : array
        As ``plan.run`` takes it.
    batch_size : int
        Samples worked on at once, unless the plan or its threads want more.
    verbose : "auto", 0 or 1
        Whether to show a progress bar.
    counts : int64 array with one element a layer, optional
        What each layer limits is added to it.
    first : int
        Number of the batch's first sample in the whole that errors number.

    Raises
    ------
    ValueError
        If a sample holds NaN or infinity, with its number.
    """
    samples = len(batch)
    out = np.empty((samples, *plan.output_shape), dtype=np.float32)
    threads, step = 1, max(batch_size, plan.samples_at_once)
    if samples >= 2 * THREAD_SAMPLES:
        threads = max(1, min(cores(), samples // THREAD_SAMPLES))
        step = max(step, threads * THREAD_SAMPLES if threads > 1 else 0)
    if samples <= step and verbose != 1:  # a bar would take longer
        _run_part(plan, batch, out, first, counts, threads)
        return out
    with progress_bar(plan.name, verbose, samples) as bar:
        for start in range(0, samples, step):
            part = slice(start, start + step)
            _run_part(plan, batch[part], out[part], first + start, counts, threads)
            bar.update(len(out[part]))
    return out


def _run_part(
    plan: BasePlan,
    x: np.ndarray,
    out: np.ndarray,
    start: int,
    counts: Optional[np.ndarray],
    threads: int,
) -> None:
    """Run a part of the samples, so that an error names the sample's number in the whole."""
    try:
        plan.run(x, out, counts, threads)
    except NotFiniteError as error:
        raise NotFiniteError(start + error.sample) from None
