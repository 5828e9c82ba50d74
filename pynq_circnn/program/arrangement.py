"""How the layers of a program are arranged in a hardware engine's lanes and memories.

The rules are those of ``hw/src/kinds/matrix.hpp``, by which the engine itself arranges a layer; the
compiler needs them to report what does not fit, and the cycle model to count trips.  A test
compares the two field by field.
"""

from dataclasses import dataclass
from typing import Mapping

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
    passes : int
        Passes of a transform over a batch.
    strip : int
        Output columns of a place.
    columns, kept_columns : int
        Input columns that a place transforms; windows reach only the first `kept_columns`.
    line_rows : int
        Rows of spectra memory for one row of the image.
    ring_lines : int
        Rows of the image that the spectra memory holds, the oldest replaced first.
    pace : int
        Product trips between two rows accepted from the transform.
    """

    block: int
    side: int
    places: int
    by_sample: bool
    chunks: int
    row_groups: int
    column_groups: int
    terms: int
    passes: int
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
    def spectra_rows(self) -> int:
        """Rows that the ring of image rows takes."""
        return self.line_rows * self.ring_lines

    def samples_at_once(self) -> int:
        """Return how many samples lie side by side."""
        return self.places if self.by_sample else 1


def field(fields: Fields, name: str) -> int:
    """Return a descriptor's field, zero if it is missing."""
    assert name in DESCRIPTOR
    return fields.get(name, 0)


def arrange(fields: Fields, engine: EngineSizes) -> Arrangement:
    """Return the arrangement of a descriptor's matrix layer in an engine's lanes."""
    assert OPERATIONS[fields["opcode"]].spectral
    log2 = field(fields, "block_log2")
    k, row = 1 << log2, engine.row_words
    p, q = fields["block_rows"], fields["block_columns"]
    side = BEAT_WORDS // k if k < BEAT_WORDS else 1
    most_side = max(row // k, 1)
    while side < p and side < most_side:
        # more places are better than room in the rows of spectra that no input block takes
        if fields["out_width"] > 1 and side >= q and most_side // side <= fields["out_width"]:
            break
        side *= 2
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
    terms = fields["kernel_height"] * fields["kernel_width"] * q
    trips = max(terms, engine.row_beats) * strip * row_groups * chunks
    rows = min(fields["stride_height"], fields["kernel_height"]) * line_rows
    return Arrangement(
        block=k,
        side=side,
        places=places,
        by_sample=by_sample,
        chunks=chunks,
        row_groups=row_groups,
        column_groups=column_groups,
        terms=terms,
        passes=max(log2 - 2, 1),
        strip=strip,
        columns=max(kept, last, between if strips > 1 else 1),
        kept_columns=kept,
        line_rows=line_rows,
        ring_lines=2 * min(fields["kernel_height"], fields["in_height"]),
        pace=min(max(trips // rows, 1), MAX_PACE),
    )
