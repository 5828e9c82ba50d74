// The common part of both transforms: which points are combined, with which twiddle, in which pass.
#ifndef CIRCNN_TRANSFORM_HPP
#define CIRCNN_TRANSFORM_HPP

#include "points.hpp"

inline int32_t reverse_bits(int32_t value, int bits) {
    int32_t v = value;  // of at most 8 bits
    v = ((v & 0x55) << 1) | ((v >> 1) & 0x55);
    v = ((v & 0x33) << 2) | ((v >> 2) & 0x33);
    v = ((v & 0x0F) << 4) | ((v >> 4) & 0x0F);
    return v >> (8 - bits);
}

// Twiddle of a butterfly of stage s, in steps of the table's circle, from the s sums and
// differences before it (`path`, the first of them in the highest bit).
inline int32_t twiddle_of(int32_t path, int stage) {
    const int32_t j = stage == 0 ? 0 : reverse_bits(path & ((1 << stage) - 1), stage);
    return j * (kMaxPoints >> stage);
}

// Which two slots of sixteen the split and the merge combine: in bit-reversed order bin m and its
// mirror image N - m lie mirrored in their octave.  The first of each pair is even.
struct Pair {
    int32_t even, odd;
};

inline Pair pair_of(int32_t index, int32_t points) {
    const int32_t p2 = points < 16 ? points : 16;
    const int32_t block = index / (p2 / 2) * p2, i = index % (p2 / 2);
    // octaves of the first row: {0, 1}, {2, 3}, {4, 7}, {6, 5}, {8, 15}, {10, 13}, ...
    if (i == 0) return Pair{block, block + 1};
    if (i == 1) return Pair{block + 2, block + 3};
    if (i < 4) return Pair{block + 2 * i, block + 11 - 2 * i};
    return Pair{block + 2 * i, block + 23 - 2 * i};
}

// The same for a row of sixteen that is not a block's first: its lower half goes with the upper
// half of the row that mirrors it.
inline int32_t mirror_row(int32_t row) {
    int32_t octave = 1;
octave:
    for (int step = 0; step < 3; step++) {
#pragma HLS UNROLL
        if (2 * octave <= row) octave *= 2;
    }
    return 3 * octave - 1 - row;
}

// The sixteen points that the split and the merge take in a trip: half of a row and half of the row
// that mirrors it, or the first row of a block alone.
struct TripRows {
    int32_t low, high;
    bool mirrored;
};

inline TripRows trip_rows(int32_t trip, int32_t points) {
    const int32_t block_rows = points > kTripPoints ? points / kTripPoints : 1;
    const int32_t row = trip % block_rows;
    if (row == 0) return TripRows{trip, trip, false};
    return TripRows{trip, trip - row + mirror_row(row), true};
}

// Pair `index` (0 to 7) among the sixteen.
inline Pair trip_pair(const TripRows &rows, int32_t index, int32_t points) {
    if (points == 1) return Pair{2 * index, 2 * index + 1};
    if (!rows.mirrored) return pair_of(index, points);
    const int32_t other = kTripPoints - 1 - index;
    return index % 2 == 0 ? Pair{index, other} : Pair{other, index};
}

// Where in the batch the point `index` of the sixteen is.
inline int32_t trip_point(const TripRows &rows, int32_t index) {
    return (index < kHalfRow ? rows.low : rows.high) * kTripPoints + index;
}

// The middle bin is its own mirror image: it is only conjugated and shifted.
inline void middle(Point &z, int shift) {
    z.re = static_cast<Word>((z.re + shift) >> shift);
    z.im = static_cast<Word>((-z.im + shift) >> shift);
}

struct Passes {
    int32_t pass, trip;
    bool busy;
};

// Step through passes of P/16 trips each.
inline void advance(const Layer &layer, Passes &p) {
    if (++p.trip < (1 << layer.points_log2) / kTripPoints) return;
    p.trip = 0;
    p.busy = ++p.pass < layer.passes;
}

#endif
