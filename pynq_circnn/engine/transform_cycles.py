"""The trips of the two transform units, from their batches alone.

Both run one loop: in each trip it may load a beat, compute sixteen points, and send. When they do
is stated in ``hw/src/transform.hpp``; here are the same rules as times. Their constants are those
of ``transform.hpp`` and ``inverse.hpp``, and a test compares the trips that follow from them with
the ones that the C simulation counts.
"""

from dataclasses import dataclass
from typing import List, Sequence

import numpy as np

from ..contract import LATENCY, LIMITS, ceil_div
from ..program.arrangement import BEAT_WORDS, Arrangement, EngineSizes, Fields
from ..program.packets import STREAM_WORDS

BATCH_WORDS = 1 << LIMITS["block_log2"]
BATCH_BEATS = BATCH_WORDS // BEAT_WORDS
PASS_TRIPS = 8  # of sixteen points
BATCH_ROWS = BATCH_WORDS // BEAT_WORDS  # of four points
STAGE_DELAYS = 16 + 1 + 2 + 4 + 8 + 16  # of the commutators between the inverse's stages
FORWARD_LEAD = 1
"""How many trips before the last result of a batch its first ones are complete, and so on."""

_MERGE = LATENCY["transform"] + 3  # the inverse's first pass has two stages of adders more


def compute_trips(a: Arrangement, inverse: bool) -> int:
    """Return the trips in which a batch is computed: its passes, and idle ones between them.

    After a pass, as many trips are idle as its last write still takes when the first point of the
    next pass is read.
    """
    whole = a.block == BATCH_WORDS
    idle = max(LATENCY["transform"] - (4 if whole else 6), 0)
    first_idle = max(_MERGE - (2 if whole else 5), 0) if inverse else idle
    later = (a.passes - 2) * idle if a.passes > 1 else 0
    return a.passes * PASS_TRIPS + (first_idle if a.passes > 1 else 0) + later


@dataclass(frozen=True)
class Schedule:
    """When each batch is loaded and sent, in trips from the first one of the loop.

    Parameters
    ----------
    loaded, sent : list of int
        The trips after which a batch is loaded, and after which it is sent.
    """

    loaded: List[int]
    sent: List[int]

    @property
    def trips(self) -> int:
        """All trips of the loop."""
        return self.sent[-1]


def schedule(load: Sequence[int], compute: int, send: Sequence[int], lead: int) -> Schedule:
    """Return when batches are loaded and sent.

    Batches follow each other in every step, and use two halves of each memory in turn: one is
    loaded when the first pass of the batch before the last has taken its points, and computed when
    the results of that batch have been sent.

    Parameters
    ----------
    load, send : sequence of int
        Trips of each batch.
    compute : int
        Trips of a batch, see :func:`compute_trips`.
    lead : int
        :data:`FORWARD_LEAD` or :data:`INVERSE_LEAD`.
    """
    loaded: List[int] = []
    taken: List[int] = []
    computed: List[int] = []
    sent: List[int] = []
    for index, (load_trips, send_trips) in enumerate(zip(load, send)):
        begin = max(loaded[-1], taken[-2] if index > 1 else 0) if index else 0
        loaded.append(begin + load_trips)
        begin = loaded[-1] + LATENCY["loaded"] - 1
        if index:
            begin = max(begin, computed[-1], sent[-2] if index > 1 else 0)
        taken.append(begin + PASS_TRIPS)
        computed.append(begin + compute)
        begin = max(computed[-1] + LATENCY["ready"] - 1 - lead, sent[-1] if index else 0)
        sent.append(begin + send_trips)
    return Schedule(loaded, sent)


@dataclass(frozen=True)
class Forward:
    """The forward transform: trips of its reader and its own, and when rows are ready."""

    read_trips: int
    trips: int
    ready: np.ndarray  # for each group of units (an image row): cycles until its spectra are there


def forward_cycles(
    fields: Fields, a: Arrangement, engine: EngineSizes, groups: int, direct: bool, halves: bool
) -> Forward:
    """Return the trips of the forward transform of a layer.

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
    loads = np.tile(beats, groups * fields["in_height"] * a.columns)
    reads = loads
    if halves:
        words = fields["in_channels"]
        pixel = a.side * a.block
        first = np.arange(0, a.column_groups * pixel, BEAT_WORDS)
        long = (words - first > STREAM_WORDS).reshape(a.column_groups, -1).sum(axis=1)
        reads = loads + np.tile(long, groups)
    rows = BATCH_WORDS // engine.row_words
    a_batch = rows // a.chunks
    batches = ceil_div(len(loads), a_batch)
    skipped = batches * a_batch - len(loads)  # units that the first batch leaves out

    def by_batch(values: np.ndarray) -> List[int]:
        padded = np.zeros(batches * a_batch, dtype=np.int64)
        padded[skipped:] = values
        sums: List[int] = padded.reshape(batches, a_batch).sum(axis=1).tolist()
        return sums

    compute = compute_trips(a, inverse=False)
    trips = schedule(by_batch(loads), compute, [rows] * batches, FORWARD_LEAD).trips
    sent = np.array(schedule(by_batch(reads), compute, [rows] * batches, FORWARD_LEAD).sent)
    lines = np.arange(1, groups * fields["in_height"] + 1) * units_a_row
    return Forward(int(reads.sum()), trips, sent[(lines + skipped - 1) // a_batch])


def inverse_tail() -> int:
    """Return the trips of the inverse transform from a row of sums to its values.

    It is one pipeline: a row is merged when half a batch more has landed, leaves the second memory
    when the batch's upper halves have landed as far as it needs them, and then passes the delays.
    """
    merge = BATCH_ROWS // 2 - 1 + LATENCY["loaded"]
    merged = merge + BATCH_ROWS - 1 + LATENCY["ready"] - BATCH_ROWS // 4
    return merged + STAGE_DELAYS
