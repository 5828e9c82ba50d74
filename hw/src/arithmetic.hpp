// The engine's scalar arithmetic: the twin of pynq_circnn/arithmetic/fixed.py.  No function
// has a loop.
#ifndef CIRCNN_ARITHMETIC_HPP
#define CIRCNN_ARITHMETIC_HPP

#include "config.hpp"

static_assert((-3 >> 1) == -2, "right shift of a negative number must round down");

constexpr int32_t kValueMax = CIRCNN_VALUE_MAX;

inline int32_t least(int32_t a, int32_t b) { return a < b ? a : b; }
inline int32_t most(int32_t a, int32_t b) { return a > b ? a : b; }

inline int32_t clamp(int32_t v, int32_t low, int32_t high) {
    return v < low ? low : v > high ? high : v;
}

// Limit to +-32767, and tell if that changed the value.
inline Word limit(int64_t v, bool &limited) {
#pragma HLS INLINE
    const bool low = v<-kValueMax, high = v> kValueMax;
    limited = low || high;
    return static_cast<Word>(low ? -kValueMax : high ? kValueMax : v);
}

// (v + half) >> shift with half = 2^(shift-1), or 0 for a shift of 0: halves are rounded up.  The
// rounding bit is added after the shift; v has at most 63 bits.
inline int64_t round_shift(int64_t v, int shift) {
#pragma HLS INLINE
    const int64_t twice = (v * 2) >> shift;  // the last bit is the rounding bit
    return (twice >> 1) + (twice & 1);
}

// -- complex points -----------------------------------------------------------------------------

struct Point {
    Word re, im;
    bool counted;  // whether its saturations are counted
};

// Chosen word by word: an HLS tool might take a choice between structs for one between places.
inline Point choose(bool which, Point yes, Point no) {
    return Point{which ? yes.re : no.re, which ? yes.im : no.im, which ? yes.counted : no.counted};
}

// The same for 17 bits, such as a sum of two words.  Two tests of bits are shorter than two
// comparisons; wider values are limited wrongly.
inline Word limit_17_bits(int32_t v, bool &limited) {
    const bool negative = (v & 0x10000) != 0;
    limited = negative != ((v & 0x8000) != 0) || (v & 0x1FFFF) == 0x18000;
    const int32_t bound = negative ? -kValueMax : kValueMax;
    return static_cast<Word>(limited ? bound : v);
}

// The same for a value that is halved instead: half of a sum of two words is always a word.
inline Word halve_or_limit(int32_t v, bool halve, bool &limited) {
    bool beyond;
    const Word word = limit_17_bits(v, beyond);
    limited = beyond && !halve;
    return halve ? static_cast<Word>(v >> 1) : word;
}

// How many of four, so that a trip adds narrow numbers.
inline uint8_t how_many(bool a, bool b, bool c, bool d) {
    return static_cast<uint8_t>((a + b) + (c + d));
}

// A twiddle factor; 1 and -+i bypass the multiplier.
struct Twiddle {
    Word re, im;
    bool one, quarter;
    bool conjugate;
};

// m counts steps of the table's circle of 256.
inline Twiddle twiddle_at(int m, bool conjugate) {
#pragma HLS INLINE
    const Word im = circnn_twiddles_im[m];
    return Twiddle{circnn_twiddles_re[m], static_cast<Word>(conjugate ? -im : im), m == 0,
                   m == kMaxBlock / 4, conjugate};
}

// b times a twiddle: both products exact, one rounding, saturated.  `count` is how many of the two
// components were.
inline Point rotate(const Point &b, const Twiddle &w, uint8_t &count) {
#pragma HLS INLINE
    const int32_t half = 1 << (CIRCNN_TWIDDLE_SHIFT - 1);
    const int32_t re = b.re * w.re - b.im * w.im;
    const int32_t im = b.re * w.im + b.im * w.re;
    bool re_limited, im_limited;
    const Word t_re = limit_17_bits((re + half) >> CIRCNN_TWIDDLE_SHIFT, re_limited);
    const Word t_im = limit_17_bits((im + half) >> CIRCNN_TWIDDLE_SHIFT, im_limited);
    const Word turned_re = static_cast<Word>(w.conjugate ? -b.im : b.im);
    const Word turned_im = static_cast<Word>(w.conjugate ? b.re : -b.re);
    const bool bypass = w.one || w.quarter, counts = b.counted && !bypass;
    count = static_cast<uint8_t>(counts ? re_limited + im_limited : 0);
    return Point{w.one       ? b.re
                 : w.quarter ? turned_re
                             : t_re,
                 w.one       ? b.im
                 : w.quarter ? turned_im
                             : t_im,
                 b.counted};
}

// high = a + t, low = a - t.  Sums are halved with rounding up, differences with rounding down.
inline void sum_and_difference(const Point &a, const Point &t, bool halve, Point &high, Point &low,
                               uint8_t &count) {
#pragma HLS INLINE
    const int32_t up = halve ? 1 : 0;
    bool limited[4];
#pragma HLS ARRAY_PARTITION variable = limited complete
    high.re = halve_or_limit(a.re + t.re + up, halve, limited[0]);
    high.im = halve_or_limit(a.im + t.im + up, halve, limited[1]);
    low.re = halve_or_limit(a.re - t.re, halve, limited[2]);
    low.im = halve_or_limit(a.im - t.im, halve, limited[3]);
    high.counted = low.counted = a.counted;
    const uint8_t all = how_many(limited[0], limited[1], limited[2], limited[3]);
    count = a.counted ? all : static_cast<uint8_t>(0);
}

// high = a + t, low = a - t with t = b times the twiddle.
inline void butterfly(const Point &a, const Point &b, const Twiddle &w, bool halve, Point &high,
                      Point &low, uint8_t &count) {
#pragma HLS INLINE
    uint8_t rotated, added;
    const Point t = rotate(b, w, rotated);
    sum_and_difference(a, t, halve, high, low, added);
    count = static_cast<uint8_t>(rotated + added);
}

#endif
