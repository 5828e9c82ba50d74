// Sums of products become words: a rounding shift by as much as the layer says, and a limit.
//
// The shift goes from the coarsest step to the finest, and each step keeps only the bits that the
// finer ones still need: 17 in the end, the word and the bit that rounds it.  What a step drops must
// be copies of the sign; where it is not, the sum is beyond the limits.
#ifndef CIRCNN_SUMS_HPP
#define CIRCNN_SUMS_HPP

#include "arithmetic.hpp"
#include "channels.hpp"

static_assert(CIRCNN_ACCUMULATOR_BITS == 48, "the steps of the shift are written for 48 bits");

// The lowest bits of a value, and whether they are all of it.
template <int Bits>
inline int32_t lowest(int64_t v, bool &all) {
    const int64_t top = v >> (Bits - 1);
    all = top == 0 || top == -1;
    return static_cast<int32_t>(static_cast<uint32_t>(v) << (32 - Bits)) >> (32 - Bits);
}

// The same as limit(round_shift(sum, shift)) for a shift of less than 64.
inline Word shifted_sum(int64_t sum, uint8_t shift, bool &limited) {
#pragma HLS INLINE
    const int64_t twice = sum * 2;  // the last bit that remains is the one that rounds
    const int64_t s32 = (shift & 32) != 0 ? twice >> 32 : twice;
    const int64_t s16 = (shift & 16) != 0 ? s32 >> 16 : s32;
    bool all_32, all_24, all_20, all_18, all_17;
    const int32_t of_32 = lowest<32>(s16, all_32);
    const int32_t of_24 = lowest<24>((shift & 8) != 0 ? of_32 >> 8 : of_32, all_24);
    const int32_t of_20 = lowest<20>((shift & 4) != 0 ? of_24 >> 4 : of_24, all_20);
    const int32_t of_18 = lowest<18>((shift & 2) != 0 ? of_20 >> 2 : of_20, all_18);
    const int32_t of_17 = lowest<17>((shift & 1) != 0 ? of_18 >> 1 : of_18, all_17);
    const bool within = all_32 && all_24 && all_20 && all_18 && all_17;
    const uint16_t word = static_cast<uint16_t>((of_17 >> 1) + (of_17 & 1));
    limited = !within || word == 0x8000;  // -32768, or 32768 after rounding
    const Word bound = static_cast<Word>(sum < 0 ? -kValueMax : kValueMax);
    return limited ? bound : static_cast<Word>(word);
}

// Eight sums become words: those that count, the first ones.  Returns how many were limited.
inline uint8_t sum_words(const Sum sums[kBeat], uint8_t counted, uint8_t shift, Word words[kBeat]) {
#pragma HLS INLINE
    uint8_t limits[kBeat];
#pragma HLS ARRAY_PARTITION variable = limits complete
    for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
        const bool counts = i < (counted & 15);
        bool limited;
        const Word word = shifted_sum(sums[i], shift, limited);
        words[i] = counts ? word : static_cast<Word>(0);
        limits[i] = static_cast<uint8_t>(counts && limited);
    }
    const int a = limits[0] + limits[1], b = limits[2] + limits[3];
    const int c = limits[4] + limits[5], d = limits[6] + limits[7];
    return static_cast<uint8_t>((a + b) + (c + d));
}

#endif
