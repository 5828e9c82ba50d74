// Functions without loops behind one signature of plain numbers: 32, 32 and 64 bits in, 64 out.
#ifndef CIRCNN_LEAVES_HPP
#define CIRCNN_LEAVES_HPP

#include "epilogue.hpp"
#include "load.hpp"
#include "product.hpp"
#include "stages.hpp"

inline Word low_word(uint64_t bits) { return static_cast<Word>(static_cast<uint16_t>(bits)); }

inline Point point_of(uint32_t bits) { return Point{low_word(bits), low_word(bits >> 16), true}; }

inline uint64_t bits_of(const Point &p) {
    return static_cast<uint16_t>(p.re) | static_cast<uint64_t>(static_cast<uint16_t>(p.im)) << 16;
}

constexpr Factors<7> leaf_factors() {
    Factors<7> f = {};
    for (int m = 0; m < 128; m++) set_factor(f, m, m, false);
    return f;
}

constexpr Factors<7> kLeafFactors = leaf_factors();

// c: twiddle (7 bits), active, shift, and whether the saturations come back or the points.
inline uint64_t leaf_butterfly(uint32_t a, uint32_t b, uint64_t c) {
    Point high, low;
    uint8_t turned;
    const Point t = rotated(point_of(b), factor_at(kLeafFactors, c & 127), turned);
    const bool active = ((c >> 7) & 1) != 0, halve = active && ((c >> 8) & 1) != 0;
    const uint8_t added = combine(point_of(a), t, active, halve, high, low);
    return (c >> 9) & 1 ? turned + added : bits_of(high) | bits_of(low) << 32;
}

// c: sum (as many bits as it has), clear, which of the three sums comes back (2 bits), real.
inline uint64_t leaf_lane(uint32_t a, uint32_t b, uint64_t c) {
    // as much smaller as a product is
    const Sum sum = (static_cast<int64_t>(c << (64 - kSumBits)) >> (64 - kSumBits)) / 2;
    const Point w = point_of(a), x = point_of(b);
    const bool clear = (c >> 48) & 1, real = (c >> 51) & 1;
    const LaneSums sums = lane(w.re, w.im, x.re, x.im, real, clear, LaneSums{sum, sum, sum});
    const int which = (c >> 49) & 3;
    return static_cast<uint64_t>(which == 0 ? sums.both : which == 1 ? sums.up : sums.down);
}

// a: a value, times the low half of b plus its high half; c: activation (3 bits), shift (6), clip
// (15), slope (15).
inline uint64_t leaf_finish(uint32_t a, uint32_t b, uint64_t c) {
    EpilogueJob job = EpilogueJob();
    job.activation = static_cast<uint8_t>(c & 7);
    job.clip = static_cast<Word>((c >> 9) & 0x7FFF);
    job.slope = static_cast<Word>((c >> 24) & 0x7FFF);
    const int64_t sum = static_cast<int64_t>(static_cast<int32_t>(a)) * low_word(b) +
                        low_word(b >> 16);
    const uint8_t shift = static_cast<uint8_t>((c >> 3) % 44);
    bool over = false, limited = false;
    const Word t = shift_and_limit(sum, shift, bits_above(shift), over);
    const Word word = finished(ending_of(job), t, over, limited);
    return static_cast<uint16_t>(word) | static_cast<uint64_t>(limited ? 1 : 0) << 16;
}

// a: shift, up to 40; c: a sum of 48 bits.
inline uint64_t leaf_shift(uint32_t a, uint32_t, uint64_t c) {
    const int64_t sum = static_cast<int64_t>(c << 16) >> 16;
    bool limited;
    const uint8_t shift = static_cast<uint8_t>(a % 41);
    const Word word = shift_and_limit(sum, shift, bits_above(shift), limited);
    return static_cast<uint16_t>(word) | static_cast<uint64_t>(limited ? 1 : 0) << 16;
}

inline uint64_t leaf_crc(uint32_t a, uint32_t, uint64_t c) { return crc_beat(a, c); }

#endif
