// Logarithms of constants, and division: what a layer's numbers need beside their steps.
#ifndef CIRCNN_DERIVE_HPP
#define CIRCNN_DERIVE_HPP

#include "arithmetic.hpp"
#include "fault.hpp"

constexpr int32_t kRowLog2 = log2_of(kRow);
constexpr int32_t kBeatLog2 = log2_of(kBeat);

static_assert(1 << kRowLog2 == kRow && 1 << kBeatLog2 == kBeat, "must be powers of two");

struct Quotient {
    int32_t value, rest;
};

// a / b, rounded down, and the rest, of numbers that are not negative: long division, a bit a step.
inline Quotient quotient(int32_t a, int32_t b) {
#pragma HLS INLINE off
    uint32_t rest = 0, value = static_cast<uint32_t>(a);  // a leaves to the left, bit by bit
quotient:
    for (int step = 0; step < 32; step++) {
        rest = rest << 1 | value >> 31;
        value <<= 1;
        if (rest >= static_cast<uint32_t>(b)) {
            rest -= static_cast<uint32_t>(b);
            value |= 1;
        }
    }
    return Quotient{static_cast<int32_t>(value), static_cast<int32_t>(rest)};
}

#endif
