"""How the layers of a program are arranged in a hardware engine's lanes and memories.

The rules are those of ``hw/src/kinds/matrix.hpp``, by which the engine itself arranges a layer; the
compiler needs them to report what does not fit, and the cycle model to count trips.  A test
compares the two field by field.

**The order of the weights.** An engine takes the weights of its programs as they lie in its memory:
row after row, and of each row the share that all places have in common, since neighbouring pixels
share their weights. Row ``(group * chunks + chunk) * terms + term`` holds one term of `side` blocks
that lie side by side, or one chunk of a block that is larger than a row. Within a block the slots
are in bit-reversed order, as the forward transform leaves them; blocks that do not exist are zeros.
:func:`in_lane_order` arranges weights so, and :func:`in_natural_order` is its inverse.
"""

from dataclasses import dataclass
from typing import Mapping

import numpy as np

from ..contract import CONFIGURATIONS, DESCRIPTOR, ENGINE, OPERATIONS, ceil_div

BEAT_WORDS = 8  # words that the units other than the lanes take in one trip
MAX_STRIDE: int = ENGINE["stride_max"]
MAX_PACE: int = ENGINE["pace_max"]

Fields = Mapping[str, int]


@dataclass(frozen=True)
class EngineSizes:
    """The sizes of a hardware configuration, in rows of as many words as the lanes take.

    Parameters
    ----------
    row_words : int
        Words that all lanes take in one trip.
    weights_rows, spectra_rows : int
        Rows of the weights and of the spectra memory.
    """

    row_words: int
    weights_rows: int
    spectra_rows: int

    @property
    def row_beats(self) -> int:
        """Beats of eight words in a row."""
        return self.row_words // BEAT_WORDS

    @classmethod
    def of(cls, configuration: str) -> "EngineSizes":
        """Return the sizes of a configuration by its name."""
        sizes = CONFIGURATIONS[configuration]
        row = 2 * sizes["lanes"]
        return cls(row, sizes["weights_words"] // row, sizes["spectra_words"] // row)


@dataclass(frozen=True)
class Arrangement:
    """The arrangement of one matrix layer: the fields of ``Layer`` in ``hw/src/types.hpp``.

    Parameters
    ----------
    block : int
        Block size, k.
    side, places : int
        A row holds `side` blocks of each of `places` pixels.
    by_sample : bool
        Each place works on a sample of the batch, not on a strip of the image.
    chunks : int
        Rows that one block takes: k / row words, at least 1.
    row_groups, column_groups : int
        Output and input blocks of a pixel, `side` at a time.
    terms : int
        Products summed for one output.
    strip : int
        Output columns of a place.
    columns, kept_columns : int
        Input columns that a place transforms; windows reach only the first `kept_columns`.
    line_rows : int
        Rows of spectra memory for one row of the image.
    ring_lines : int
        Rows of the image that the spectra memory holds, the oldest replaced first.
    pace : int
        Product trips from eight accepted words of spectra to the next.
    """

    block: int
    side: int
    places: int
    by_sample: bool
    chunks: int
    row_groups: int
    column_groups: int
    terms: int
    strip: int
    columns: int
    kept_columns: int
    line_rows: int
    ring_lines: int
    pace: int

    @property
    def weights_rows(self) -> int:
        """Rows that the weights take, zeros and copies for neighbouring pixels included."""
        return self.row_groups * self.chunks * self.terms

    @property
    def share(self) -> int:
        """Words of a row of weights that a program holds; the engine repeats them."""
        return self.side * self.block // self.chunks

    @property
    def spectra_rows(self) -> int:
        """Rows that the ring of image rows takes."""
        return self.line_rows * self.ring_lines

    def samples_at_once(self) -> int:
        """Return how many samples lie side by side."""
        return self.places if self.by_sample else 1


def share_log2(block: int, rows: int, columns: int, out_width: int, row_words: int) -> int:
    """Return how many words of a row a pixel takes, as a power of two: the compiler's choice.

    They are all blocks of the output, but at least eight words and at most the row. In an image
    they are no more blocks than the input has, as long as there are output columns for the places
    that this makes: rows of spectra with room that no input block takes cost the forward transform
    time.

    Parameters
    ----------
    block, rows, columns : int
        Block size, and blocks over the output and the input channels.
    out_width : int
        Output columns.
    row_words : int
        Words that all lanes take in one trip.

    Examples
    --------
    >>> share_log2(8, 4, 8, 1, 64), share_log2(8, 4, 1, 32, 64), share_log2(8, 4, 1, 4, 64)
    (5, 3, 4)
    """
    share = max(block, BEAT_WORDS)
    while share < min(block * rows, row_words):
        if out_width > 1 and share >= block * columns and row_words // share <= out_width:
            break
        share *= 2
    return min(share, row_words).bit_length() - 1


def _slots(block: int) -> np.ndarray:
    """Return which word of a block stands at each place of a row: slots in bit-reversed order."""
    if block < 4:
        return np.arange(block)
    slots = np.zeros(1, dtype=np.int64)
    while len(slots) < block // 2:
        slots = np.concatenate([2 * slots, 2 * slots + 1])
    return np.stack([2 * slots, 2 * slots + 1], axis=1).ravel()


def in_lane_order(blocks: np.ndarray, log2: int) -> np.ndarray:
    """Return a layer's weights in the order of an engine's lanes.

    Parameters
    ----------
    blocks : array of shape (block rows, terms, k)
        Spectral weights in natural order.
    log2 : int
        Words of a row that are stored, as a power of two: see :func:`share_log2`.

    Returns
    -------
    array of one dimension

    Examples
    --------
    >>> in_lane_order(np.arange(1, 13).reshape(3, 1, 4), 4)
    array([ 1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12,  0,  0,  0,  0])
    """
    rows, terms, k = blocks.shape
    width = min(k, 1 << log2)  # words of a block in a row
    side, chunks = (1 << log2) // width, k // width
    groups = ceil_div(rows, side)
    whole = np.zeros((groups * side, terms, k), dtype=blocks.dtype)
    whole[:rows] = blocks[:, :, _slots(k)]
    parts = whole.reshape(groups, side, terms, chunks, width)
    order: np.ndarray = parts.transpose(0, 3, 2, 1, 4).ravel()
    return order


def in_natural_order(fields: Fields, words: np.ndarray) -> np.ndarray:
    """Return the weights of an instruction in natural order: (block row, term, word).

    Parameters
    ----------
    fields : mapping of str to int
        Those of the instruction.
    words : array of one dimension
        Its part of the section weights.
    """
    log2, k = field(fields, "share_log2"), 1 << field(fields, "block_log2")
    if log2 == 0:
        return words
    width, terms = min(k, 1 << log2), terms_of(fields)
    side, chunks = (1 << log2) // width, k // width
    parts = words.reshape(-1, chunks, terms, side, width).transpose(0, 3, 2, 1, 4)
    blocks = np.empty((fields["block_rows"], terms, k), dtype=words.dtype)
    blocks[:, :, _slots(k)] = parts.reshape(-1, terms, k)[: fields["block_rows"]]
    return blocks.ravel()


def terms_of(fields: Fields) -> int:
    """Return the products that a matrix instruction sums for one output."""
    return fields["kernel_height"] * fields["kernel_width"] * fields["block_columns"]


def field(fields: Fields, name: str) -> int:
    """Return an instruction's field, zero if it is missing."""
    assert name in DESCRIPTOR
    return fields.get(name, 0)


def arrange(fields: Fields, engine: EngineSizes) -> Arrangement:
    """Return the arrangement of a matrix instruction in an engine's lanes.

    Without the field ``share_log2`` it is the one that the compiler chooses.
    """
    assert OPERATIONS[fields["opcode"]].spectral
    log2 = field(fields, "block_log2")
    k, row = 1 << log2, engine.row_words
    p, q = fields["block_rows"], fields["block_columns"]
    share = field(fields, "share_log2") or share_log2(k, p, q, fields["out_width"], row)
    side = max((1 << share) // k, 1)
    places = row // (k * side) if k < row else 1
    by_sample = fields["out_width"] == 1
    chunks = max(k // row, 1)
    strips = 1 if by_sample else places
    strip = ceil_div(fields["out_width"], strips)
    kept = (strip - 1) * fields["stride_width"] + fields["kernel_width"]
    column_groups, row_groups = ceil_div(q, side), ceil_div(p, side)
    line_rows = kept * column_groups * chunks
    between = strip * fields["stride_width"]
    last = fields["in_width"] + field(fields, "pad_left") - (strips - 1) * between
    terms = terms_of(fields)
    trips = max(terms, engine.row_beats) * strip * row_groups * chunks
    beats = min(fields["stride_height"], fields["kernel_height"]) * line_rows * engine.row_beats
    return Arrangement(
        block=k,
        side=side,
        places=places,
        by_sample=by_sample,
        chunks=chunks,
        row_groups=row_groups,
        column_groups=column_groups,
        terms=terms,
        strip=strip,
        columns=max(kept, last, between if strips > 1 else 1),
        kept_columns=kept,
        line_rows=line_rows,
        ring_lines=2 * min(fields["kernel_height"], fields["in_height"]),
        pace=min(max(trips // beats, 1), MAX_PACE),
    )
