// The arithmetic by which a layer's derived values are worked out, once a program: without dividers,
// and with one multiplier that all products share.
#ifndef CIRCNN_DERIVE_HPP
#define CIRCNN_DERIVE_HPP

#include "arithmetic.hpp"
#include "fault.hpp"

constexpr int32_t kRowLog2 = log2_of(kRow);
constexpr int32_t kBeatLog2 = log2_of(kBeat);

static_assert(1 << kRowLog2 == kRow && 1 << kBeatLog2 == kBeat, "must be powers of two");

// The product of two factors of at most 32 bits.
inline int64_t product_of(int64_t a, int64_t b) {
#pragma HLS INLINE
    CIRCNN_CHECK(((a | b) >> 32) == 0, "a factor needs more than 32 bits in ", "product_of");
    return circnn_multiply(static_cast<uint32_t>(a), static_cast<uint32_t>(b));
}

// value / 2^log2, rounded up.
inline int32_t ceil_shift(int32_t value, int32_t log2) { return (value + (1 << log2) - 1) >> log2; }

// a / b, rounded down, but at most 2^most_log2: long division, a bit a step.
inline int32_t quotient(int64_t a, int64_t b, int32_t most_log2) {
    int64_t rest = a < b << most_log2 ? a : b << most_log2;
    int32_t value = 0;
quotient:
    for (int32_t bit = most_log2; bit >= 0; bit--) {
        if (rest >= b << bit) {
            rest -= b << bit;
            value += 1 << bit;
        }
    }
    return value;
}

#endif
