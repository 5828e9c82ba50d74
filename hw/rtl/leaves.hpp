// Functions without loops behind one signature of plain numbers: 32, 32 and 64 bits in, 64 out.
#ifndef CIRCNN_LEAVES_HPP
#define CIRCNN_LEAVES_HPP

#include "load.hpp"
#include "product.hpp"
#include "transform.hpp"

inline Word low_word(uint64_t bits) { return static_cast<Word>(static_cast<uint16_t>(bits)); }

inline Point point_of(uint32_t bits) { return Point{low_word(bits), low_word(bits >> 16), true}; }

inline uint64_t bits_of(const Point &p) {
    return static_cast<uint16_t>(p.re) | static_cast<uint64_t>(static_cast<uint16_t>(p.im)) << 16;
}

// c: twiddle (7 bits), conjugate, shift, and whether the saturations come back or the points.
inline uint64_t leaf_butterfly(uint32_t a, uint32_t b, uint64_t c) {
    Point high, low;
    uint8_t count;
    butterfly(point_of(a), point_of(b), twiddle_at(c & 127, (c >> 7) & 1), (c >> 8) & 1, high, low,
              count);
    return (c >> 9) & 1 ? count : bits_of(high) | bits_of(low) << 32;
}

// c: accumulator (48 bits), real, first, and which of the two accumulators comes back.
inline uint64_t leaf_lane(uint32_t a, uint32_t b, uint64_t c) {
    int64_t re = static_cast<int64_t>(c << 16) >> 16, im = re;
    const Point w = point_of(a), x = point_of(b);
    lane(w.re, w.im, x.re, x.im, (c >> 48) & 1, (c >> 49) & 1, re, im);
    return static_cast<uint64_t>((c >> 50) & 1 ? im : re);
}

// c: activation (3 bits), output shift (5), clip (15), slope (15).
inline circnn_descriptor epilogue_of(uint64_t c) {
    circnn_descriptor d = {};
    d.activation = c & 7;
    d.output_shift = (c >> 3) & 31;
    d.clip = (c >> 8) & 0x7FFF;
    d.slope = (c >> 23) & 0x7FFF;
    return d;
}

inline uint64_t leaf_finish(uint32_t a, uint32_t, uint64_t c) {
    uint32_t count = 0;
    const Word word = finish(epilogue_of(c), static_cast<int32_t>(a), count);
    return static_cast<uint16_t>(word) | static_cast<uint64_t>(count) << 16;
}

inline uint64_t leaf_look_up(uint32_t a, uint32_t, uint64_t c) {
    return static_cast<uint16_t>(look_up(epilogue_of(c), static_cast<int32_t>(a)));
}

// a: shift, up to 40; c: a sum of 48 bits.
inline uint64_t leaf_shift(uint32_t a, uint32_t, uint64_t c) {
    uint32_t count = 0;
    const int64_t sum = static_cast<int64_t>(c << 16) >> 16;
    const Word word = saturate64(round_shift64(sum, a % 41), count);
    return static_cast<uint16_t>(word) | static_cast<uint64_t>(count) << 16;
}

inline uint64_t leaf_crc(uint32_t a, uint32_t, uint64_t c) { return crc_beat(a, c); }

#endif
