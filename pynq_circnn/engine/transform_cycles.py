"""The trips of the transforms, which are pipelines: four points a trip, whatever the block size.

Their constants are those of ``forward.hpp``, ``split.hpp`` and ``inverse.hpp`` in ``hw/src``, and a
test compares the trips that follow from them with the ones that the C simulation counts.
"""

from dataclasses import dataclass

import numpy as np

from ..contract import LATENCY, LIMITS, ceil_div
from ..program.arrangement import BEAT_WORDS, Arrangement, EngineSizes, Fields
from ..program.packets import STREAM_WORDS

BATCH_ROWS = (1 << LIMITS["block_log2"]) // BEAT_WORDS  # of four points
ROW_POINTS = BEAT_WORDS // 2
STAGE_DELAYS = 16 + 8 + 4 + 2 + 1 + 16  # of the commutators between the stages of a transform


@dataclass(frozen=True)
class Forward:
    """The forward transform: trips of its reader, its own, the split's, and when rows are ready."""

    read_trips: int
    trips: int
    split_trips: int
    ready: np.ndarray  # for each group of units (an image row): cycles until its spectra are there


def forward_cycles(
    fields: Fields, a: Arrangement, engine: EngineSizes, groups: int, direct: bool, halves: bool
) -> Forward:
    """Return the trips of the forward transform of a layer.

    Four points go into the chain of stages in every trip, and leave the split's memories after a
    fixed number of trips, which the block size decides.

    Parameters
    ----------
    fields, a, engine
        The layer, its arrangement, and the engine's sizes.
    groups : int
        Groups of samples.
    direct : bool
        The input comes from the packet, not from the memory, which reads sixteen words at once.
    halves : bool
        It comes in beats of four words, so that eight words take two trips.
    """
    units_a_row = a.columns * a.column_groups
    blocks = np.minimum(fields["block_columns"] - np.arange(a.column_groups) * a.side, a.side)
    wide = not direct and a.side * a.block >= 2 * BEAT_WORDS
    beats = -(-(blocks * a.block) // (BEAT_WORDS * (2 if wide else 1))) * a.places
    reads = np.tile(beats, groups * fields["in_height"] * a.columns)
    if halves:
        words = fields["in_channels"]
        pixel = a.side * a.block
        first = np.arange(0, a.column_groups * pixel, BEAT_WORDS)
        long = (words - first > STREAM_WORDS).reshape(a.column_groups, -1).sum(axis=1)
        reads = reads + np.tile(long, groups)
    unit = a.chunks * engine.row_beats  # groups of four points
    rows = max(a.block // (2 * BEAT_WORDS) - 1, 0)  # from a row of four slots to its mirror image
    split = BATCH_ROWS // 2 - 1 + LATENCY["loaded"] + rows + LATENCY["ready"]
    fed = unit * len(reads)
    # the chain waits for what the reader has not read yet
    late = np.cumsum(reads) - unit * np.arange(1, len(reads) + 1)
    waited = np.maximum.accumulate(np.maximum(late, 0))
    lines = np.arange(1, groups * fields["in_height"] + 1) * units_a_row
    sent = unit * lines + STAGE_DELAYS + split
    ready = sent + waited[np.minimum(sent // unit, len(reads) - 1)]
    rows_sent = ceil_div(fed, BATCH_ROWS) * BATCH_ROWS
    return Forward(int(reads.sum()), fed + STAGE_DELAYS, rows_sent + split, ready)


def inverse_tail(a: Arrangement) -> int:
    """Return the trips of the inverse transform from a row of sums to its values.

    It is one pipeline: a row is merged when the row that mirrors it has landed, leaves the second
    memory when all halves are there in time, and then passes the stages.
    """
    rows = max(a.block // (2 * ROW_POINTS), 1)  # of a block
    merge = LATENCY["loaded"] + (rows - 1) // 2
    merged = LATENCY["ready"] + BATCH_ROWS // 2 - 1 + rows // 4
    return merge + merged + STAGE_DELAYS
