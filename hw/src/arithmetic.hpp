// The engine's scalar arithmetic: the twin of pynq_circnn/arithmetic/fixed.py.  No function
// has a loop.
#ifndef CIRCNN_ARITHMETIC_HPP
#define CIRCNN_ARITHMETIC_HPP

#include "config.hpp"

static_assert((-3 >> 1) == -2, "right shift of a negative number must round down");

constexpr int32_t kValueMax = CIRCNN_VALUE_MAX;

inline int32_t ceil_div(int32_t a, int32_t b) { return (a + b - 1) / b; }

inline int32_t padded(int32_t words, int32_t multiple) {
    return ceil_div(words, multiple) * multiple;
}

inline int32_t least(int32_t a, int32_t b) { return a < b ? a : b; }
inline int32_t most(int32_t a, int32_t b) { return a > b ? a : b; }

inline int32_t clamp(int32_t v, int32_t low, int32_t high) {
    return v < low ? low : v > high ? high : v;
}

// Limit to +-32767, and count if that changed the value.
inline Word saturate(int32_t v, uint32_t &count) {
    const int32_t limited = clamp(v, -kValueMax, kValueMax);
    count += limited != v ? 1u : 0u;
    return static_cast<Word>(limited);
}

inline Word saturate64(int64_t v, uint32_t &count) {
    const int64_t limited = v < -kValueMax ? -kValueMax : v > kValueMax ? kValueMax : v;
    count += limited != v ? 1u : 0u;
    return static_cast<Word>(limited);
}

// (v + half) >> shift with half = 2^(shift-1), or 0 for a shift of 0: halves are rounded up.
inline int64_t round_shift64(int64_t v, int shift) {
    return (v + ((static_cast<int64_t>(1) << shift) >> 1)) >> shift;
}

// The same for 32 bits; the rounding bit is added after the shift, so nothing overflows.
inline int32_t round_shift(int32_t v, int shift) {
    return shift == 0 ? v : (v >> shift) + ((v >> (shift - 1)) & 1);
}

// -- complex points -----------------------------------------------------------------------------

struct Point {
    Word re, im;
    bool counted;  // whether its saturations are counted: not if it is computed twice
};

// b times a twiddle: both products exact, one rounding, saturated; 1 and -+i bypass the
// multiplier.  m counts steps of the table's circle of 256.
inline Point rotate(const Point &b, int m, bool conjugate, uint32_t &count) {
    if (m == 0) return b;
    if (m == kMaxBlock / 4) {
        const Word re = static_cast<Word>(conjugate ? -b.im : b.im);
        const Word im = static_cast<Word>(conjugate ? b.re : -b.re);
        return Point{re, im, b.counted};
    }
    const int32_t w_re = circnn_twiddles_re[m];
    const int32_t w_im = conjugate ? -circnn_twiddles_im[m] : circnn_twiddles_im[m];
    const int32_t half = 1 << (CIRCNN_TWIDDLE_SHIFT - 1);
    const int32_t re = b.re * w_re - b.im * w_im;
    const int32_t im = b.re * w_im + b.im * w_re;
    uint32_t limited = 0;
    const Word t_re = saturate((re + half) >> CIRCNN_TWIDDLE_SHIFT, limited);
    const Word t_im = saturate((im + half) >> CIRCNN_TWIDDLE_SHIFT, limited);
    count += b.counted ? limited : 0u;
    return Point{t_re, t_im, b.counted};
}

// Sums are halved with rounding up, differences with rounding down.
inline Word sum(int32_t a, int32_t b, int shift, uint32_t &count) {
    return saturate((a + b + shift) >> shift, count);
}

inline Word difference(int32_t a, int32_t b, int shift, uint32_t &count) {
    return saturate((a - b) >> shift, count);
}

// high = a + t, low = a - t with t = b times the twiddle.
inline void butterfly(const Point &a, const Point &b, int m, bool conjugate, int shift, Point &high,
                      Point &low, uint32_t &count) {
    const Point t = rotate(b, m, conjugate, count);
    uint32_t limited = 0;
    high.re = sum(a.re, t.re, shift, limited);
    high.im = sum(a.im, t.im, shift, limited);
    low.re = difference(a.re, t.re, shift, limited);
    low.im = difference(a.im, t.im, shift, limited);
    high.counted = a.counted;
    low.counted = a.counted;
    count += a.counted ? limited : 0u;
}

// -- the end of the epilogue --------------------------------------------------------------------

inline int32_t interpolate(const Word *table, int32_t word) {
    const int bits = CIRCNN_TABLE_STEP_BITS;
    const int32_t step = word >> bits, rest = word - step * (1 << bits);
    const int32_t at = (1 << (15 - bits)) + step;
    const int32_t left = table[at], right = table[at + 1];
    return left + round_shift((right - left) * rest, bits);
}

// One rounding shift of a 32-bit sum and a table.
inline Word look_up(const circnn_descriptor &d, int32_t total) {
    uint32_t ignored = 0;
    const Word t = saturate(round_shift(total, d.output_shift), ignored);
    const Word *table = d.activation == CIRCNN_ACTIVATION_SIGMOID ? circnn_sigmoid : circnn_tanh;
    return static_cast<Word>(interpolate(table, t));
}

// One rounding shift of a 32-bit sum, an activation without a table, saturation.
inline Word finish(const circnn_descriptor &d, int32_t total, uint32_t &count) {
    int32_t t = round_shift(total, d.output_shift);
    switch (d.activation) {
    case CIRCNN_ACTIVATION_RELU:
        return saturate(t < 0 ? 0 : t, count);
    case CIRCNN_ACTIVATION_RELU6:
        if (d.clip < kValueMax) return static_cast<Word>(clamp(t, 0, d.clip));
        return saturate(t < 0 ? 0 : t, count);
    case CIRCNN_ACTIVATION_LEAKY_RELU:
        t = saturate(t, count);
        return static_cast<Word>(t < 0 ? round_shift(t * d.slope, CIRCNN_SLOPE_SHIFT) : t);
    default:
        return saturate(t, count);
    }
}

#endif
