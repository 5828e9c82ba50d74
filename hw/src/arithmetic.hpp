// The engine's scalar arithmetic: the twin of pynq_circnn/arithmetic/fixed.py.  No function
// has a loop.
#ifndef CIRCNN_ARITHMETIC_HPP
#define CIRCNN_ARITHMETIC_HPP

#include "config.hpp"
#include "fault.hpp"

static_assert((-3 >> 1) == -2, "right shift of a negative number must round down");

constexpr int32_t kValueMax = CIRCNN_VALUE_MAX;
constexpr int kWordBits = 16;

inline int32_t least(int32_t a, int32_t b) { return a < b ? a : b; }
inline int32_t most(int32_t a, int32_t b) { return a > b ? a : b; }

// One of two values, both of which are there: a choice without a branch.
template <typename T>
inline T mux(bool which, T yes, T no) {
#pragma HLS INLINE
    return which ? yes : no;
}

inline int32_t clamp(int32_t v, int32_t low, int32_t high) {
    return v < low ? low : v > high ? high : v;
}

// A value that `Bits` bits hold, sign included, so that a tool builds no more of them.
template <int Bits>
inline int32_t in_bits(int32_t v) {
    const uint32_t left = static_cast<uint32_t>(v) << (32 - Bits);
    const int32_t low = static_cast<int32_t>(left) >> (32 - Bits);
    CIRCNN_CHECK(low == v, "a value has more bits than it should in ", "in_bits");
    return low;
}

// The same of a value without sign.
template <int Bits>
inline uint32_t in_unsigned_bits(uint32_t v) {
    const uint32_t low = v & ((1u << Bits) - 1);
    CIRCNN_CHECK(low == v, "a value has more bits than it should in ", "in_unsigned_bits");
    return low;
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

// Whether a value of 17 bits, such as a sum of two words, is larger than a word may be.  Tests of bits
// are shorter than comparisons.
inline bool over_17_bits(int32_t v) {
    const bool negative = (v & 0x10000) != 0, high = (v & 0x8000) != 0, low = (v & 0x7FFF) != 0;
    return negative ? !(high && low) : high;
}

// Limit 17 bits to +-32767, and tell if that changed the value; wider values are limited wrongly.
inline Word limit_17_bits(int32_t v, bool &limited) {
    const bool negative = (v & 0x10000) != 0;
    limited = over_17_bits(v);
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

// Bits of v that equal its sign if v, shifted by `shift`, is no larger than a word: what several
// values that are shifted together share.
inline int64_t bits_above(uint8_t shift) {
    return static_cast<int64_t>(~uint64_t{0} << (kWordBits - 1) << shift);
}

// (v + half) >> shift with half = 2^(shift-1), or 0 for a shift of 0, so that halves are rounded up;
// limited to +-32767.  `above` is bits_above(shift).  The rounding bit is added after the shift, of
// which only 17 bits are kept; the rest only tells whether the value is limited.
inline Word shift_and_limit(int64_t v, uint8_t shift, int64_t above, bool &limited) {
#pragma HLS INLINE
    const bool negative = v < 0;
    const bool beyond = ((negative ? ~v : v) & above) != 0;
    const int32_t twice = static_cast<int32_t>((v * 2) >> shift);  // the last bit rounds
    const int32_t rounded = static_cast<Word>(twice >> 1) + (twice & 1);
    limited = beyond || over_17_bits(rounded);
    const bool low = beyond ? negative : rounded < 0;
    return static_cast<Word>(limited ? (low ? -kValueMax : kValueMax) : rounded);
}

// How many of four, so that a trip adds narrow numbers.
inline uint8_t how_many(bool a, bool b, bool c, bool d) {
    return static_cast<uint8_t>((a + b) + (c + d));
}

#endif
