// Sums of products become words: a rounding shift by as much as the layer says, and a limit.
//
// The shift goes from the coarsest step to the finest, and each step makes only the bits that the
// finer ones still need: 16 in the end, of which the last one rounds.  What a step without a shift
// leaves above must be copies of the sign; where it is not, the sum is beyond the limits.
#ifndef CIRCNN_SUMS_HPP
#define CIRCNN_SUMS_HPP

#include "arithmetic.hpp"
#include "channels.hpp"

static_assert(CIRCNN_ACCUMULATOR_BITS == 48, "the steps of the shift are written for 48 bits");

// Whether the `Bits` bits of a value from bit `From` on are no copies of the sign.
template <int From, int Bits>
inline bool differs(int64_t v, int64_t sign) {
    return (((v >> From) ^ sign) & ((1 << Bits) - 1)) != 0;
}

// The lowest bits of a value.
template <int Bits>
inline uint32_t lowest(int64_t v) {
    return static_cast<uint32_t>(v) & ((1u << Bits) - 1);
}

// The same as limit(round_shift(sum, shift)) for a shift of less than 48.
inline Word shifted_sum(int64_t sum, uint8_t shift, bool &limited) {
#pragma HLS INLINE
    const bool by_32 = (shift & 32) != 0, by_16 = (shift & 16) != 0, by_8 = (shift & 8) != 0;
    const bool by_4 = (shift & 4) != 0, by_2 = (shift & 2) != 0, by_1 = (shift & 1) != 0;
    const int64_t twice = sum * 2, sign = sum < 0 ? -1 : 0;
    const uint32_t of_31 = by_32   ? lowest<31>(twice >> 32)
                           : by_16 ? lowest<31>(twice >> 16)
                                   : lowest<31>(twice);
    const uint32_t of_23 = lowest<23>(by_8 ? of_31 >> 8 : of_31);
    const uint32_t of_19 = lowest<19>(by_4 ? of_23 >> 4 : of_23);
    const uint32_t of_17 = lowest<17>(by_2 ? of_19 >> 2 : of_19);
    const uint32_t of_16 = lowest<16>(by_1 ? of_17 >> 1 : of_17);
    const bool beyond =
        (!by_32 && (by_16 ? differs<47, 1>(twice, sign) : differs<31, 17>(twice, sign))) ||
        (!by_8 && differs<23, 8>(of_31, sign)) || (!by_4 && differs<19, 4>(of_23, sign)) ||
        (!by_2 && differs<17, 2>(of_19, sign)) || (!by_1 && differs<16, 1>(of_17, sign));
    const uint16_t word = static_cast<uint16_t>((of_16 >> 1 | (sign & 0x8000)) + (of_16 & 1));
    limited = beyond || word == 0x8000;  // -32768, or 32768 after rounding
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
