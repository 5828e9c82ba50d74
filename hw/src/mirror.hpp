// Rows of four slots and the rows that mirror them: which points the split and the merge combine.
//
// In bit-reversed order bin m and its mirror image N - m lie mirrored in their octave of a block's
// slots, 2^b to 2^(b+1) - 1.  So a trip takes the lower half of one row, lanes 0 and 1, and the upper
// half of the row that mirrors it, lanes 2 and 3.  A block's first row is its own: its octaves are
// slot 0, slot 1 (the middle bin) and slots 2 and 3; it has neighbours for pairs.
//
// Pair 0 has lane 0 for its even slot, pair 1 lane 2: the bins below N/2.  The bins of a trip are m
// and 64 - m, counted in steps of the circle of 256; in a first row 0, which is slot 0, and 32.
#ifndef CIRCNN_MIRROR_HPP
#define CIRCNN_MIRROR_HPP

#include "stages.hpp"

// What a layer's blocks need.  All have N = k/2 points, but at least one.
struct Mirror {
    uint8_t row_mask;  // rows of a block, minus one
    bool plain;  // k = 1: a point is two blocks, and stays as it is
    bool single;  // k <= 2: every slot is a slot 0
    bool twice;  // k <= 4: in both pairs the even slot is a slot 0
};

inline Mirror mirror_of(int block_log2) {
    Mirror m;
    m.row_mask = static_cast<uint8_t>(block_log2 > 3 ? (1 << (block_log2 - 3)) - 1 : 0);
    m.plain = block_log2 == 0;
    m.single = block_log2 <= 1;
    m.twice = block_log2 <= 2;
    return m;
}

// The rows of trip `row` in the batch.
struct MirrorRows {
    uint8_t low, high;
    uint8_t in_block;  // the number of the lower half's row in its block
    bool first;  // in the block
};

// The mirror image of a row's number: all bits below the highest that is set are inverted.
inline MirrorRows mirror_rows(uint8_t row, const Mirror &m) {
#pragma HLS INLINE
    const uint8_t in_block = static_cast<uint8_t>(row & m.row_mask);
    const uint8_t two = static_cast<uint8_t>(in_block >> 1 | in_block >> 2);
    const uint8_t below = static_cast<uint8_t>(two | two >> 2);
    return MirrorRows{row, static_cast<uint8_t>(row ^ below), in_block, in_block == 0};
}

// The row of two batches that has place `at` where even rows come first: its last bit is the highest
// of the trip in its batch.
inline int even_first(int at) { return (at & kGroups) | (at << 1 & (kGroups - 2)) | (at >> 4 & 1); }

// Whether a pair is slot 0 and what lies beside it.
inline bool is_zero(const Mirror &m, const MirrorRows &rows, int pair) {
    return pair == 0 ? rows.first : m.twice;
}

// The bin of a pair in steps of the circle of 256, by the number of its trip's row in the block.
constexpr int mirror_bin(int in_block, int pair) {
    int reversed = 0;
    for (int bit = 0; bit < 5; bit++) reversed |= ((in_block >> bit) & 1) << (4 - bit);
    return pair == 0 ? reversed : in_block == 0 ? 32 : 64 - reversed;
}

// That this is the bin of the even slot: its number in the block, in reversed order of bits.
constexpr bool bins_are_slots() {
    for (int row = 0; row < kGroups; row++) {
        int below = 0;
        for (int bit = 4; bit > 0; bit--)
            if (row >> bit != 0) below |= 1 << (bit - 1);
        for (int pair = 0; pair < kGroup / 2; pair++) {
            const int slot = (pair == 0 ? row : row ^ below) * kGroup + 2 * pair;
            int reversed = 0;
            for (int bit = 0; bit < 7; bit++) reversed |= ((slot >> bit) & 1) << (6 - bit);
            if (mirror_bin(row, pair) != reversed) return false;
        }
    }
    return true;
}

static_assert(bins_are_slots(), "a trip has the bins m and 64 - m");

// -- points -------------------------------------------------------------------------------------

// Pair i has lane 2i for its even slot; its odd slot is beside it in a first row, else in the other
// half.  These two exchange the odd lanes, and so bring results back.
template <typename T>
inline void pair_up(bool first, T x[kGroup]) {
#pragma HLS INLINE
    const T one = x[1], three = x[3];
    x[1] = choose(first, one, three);
    x[3] = choose(first, three, one);
}

// (x + conj c) / 2, halved as a sum.
inline Point half_sum(const Point &x, const Point &c) {
    return Point{static_cast<Word>((x.re + c.re + 1) >> 1),
                 static_cast<Word>((x.im - c.im + 1) >> 1), x.counted};
}

#endif
