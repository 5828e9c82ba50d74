// The parts of a streaming transform: four points a trip pass through a chain of stages, without a
// memory and without control but a token that travels beside them.
//
// A batch is 128 points, 32 groups of four.  A point's place in the batch is seven bits: two say
// which lane of its group it is in, five in which trip of the batch it passes.  A stage combines
// lanes; between two stages a commutator exchanges the lanes' high bit with one bit of the trip.
#ifndef CIRCNN_STAGES_HPP
#define CIRCNN_STAGES_HPP

#include "arithmetic.hpp"
#include "fault.hpp"

constexpr int kGroup = 4;  // points of a trip; its lanes, of which bit 1 is called high
constexpr int kGroups = kMaxPoints / kGroup;  // trips of a batch
constexpr int kStages = CIRCNN_LIMIT_BLOCK_LOG2 - 1;  // distances of 1 to half a batch

static_assert(kGroups == 32 && kStages == 7, "the chains of stages are written for 128 points");

// -- delays -------------------------------------------------------------------------------------

// What was put in `Depth` trips ago: a shift register, which has no reset and needs none.
template <typename T, int Depth>
inline T delayed(T (&held)[Depth], const T &now) {
#pragma HLS INLINE
    const T out = held[Depth - 1];
    for (int i = Depth - 1; i > 0; i--) {
#pragma HLS UNROLL
        held[i] = held[i - 1];
    }
    held[0] = now;
    return out;
}

// A point whose saturations count like those of its neighbours.
struct Complex {
    Word re, im;
};

inline Complex choose(bool which, Complex yes, Complex no) {
    return Complex{which ? yes.re : no.re, which ? yes.im : no.im};
}

// Exchanges the lanes' high bit with the bit of the trip that counts for `Depth`, in `Depth` trips.
template <int Depth, typename T = Point>
struct Commutator {
    T before[2][Depth];  // of the two high lanes, in front of the switch
    T behind[2][Depth];  // of the two low lanes
};

// `crossed`: whether the trip whose points come in has that bit.  Where no points come it is false:
// the last points of a batch leave straight, as the first of the next one come in.
template <int Depth, typename T>
inline void commute(Commutator<Depth, T> &c, bool crossed, T x[kGroup]) {
#pragma HLS INLINE
#pragma HLS ARRAY_PARTITION variable = c.before complete dim = 0
#pragma HLS ARRAY_PARTITION variable = c.behind complete dim = 0
    for (int i = 0; i < kGroup / 2; i++) {
#pragma HLS UNROLL
        const T high = delayed(c.before[i], x[i + 2]), low = x[i];
        x[i + 2] = choose(crossed, low, high);
        x[i] = delayed(c.behind[i], choose(crossed, high, low));
    }
}

// What the delays hold at first does not matter.
template <int Depth, typename T>
inline void any_content(Commutator<Depth, T> &c) {
    static_cast<void>(c);  // synthesis fills nothing
    CIRCNN_ANY_CONTENT(c.before);
    CIRCNN_ANY_CONTENT(c.behind);
}

// -- a stage ------------------------------------------------------------------------------------

// A twiddle factor as three products take it: 17 bits each.
struct Factor {
    int32_t re, less, more;  // im - re, re + im
};

// The factors of a stage, by their number.
template <int Bits>
struct Factors {
    int32_t re[1 << Bits], less[1 << Bits], more[1 << Bits];
};

// Of a number that has no more than 17 bits.
inline int32_t of_17_bits(int32_t v) {
    return static_cast<int32_t>(static_cast<uint32_t>(v) << 15) >> 15;
}

// `m` counts steps of the table's circle of 256.  1 and the quarter turn are exact here, unlike in
// the table: their products come through rounding and limit unchanged, so that nothing bypasses the
// multipliers.
template <int Bits>
constexpr void set_factor(Factors<Bits> &f, int number, int m, bool conjugate) {
    const int32_t one = 1 << CIRCNN_TWIDDLE_SHIFT;
    const bool whole = m == 0, quarter = m == kMaxBlock / 4;
    const int32_t re = whole ? one : quarter ? 0 : circnn_twiddles_re[m];
    const int32_t turned = whole ? 0 : quarter ? -one : circnn_twiddles_im[m];
    const int32_t im = conjugate ? -turned : turned;
    f.re[number] = re;
    f.less[number] = im - re;
    f.more[number] = re + im;
}

template <int Bits>
inline Factor factor_at(const Factors<Bits> &f, int number) {
#pragma HLS INLINE
#pragma HLS BIND_STORAGE variable = f.re type = rom_1p impl = lutram
#pragma HLS BIND_STORAGE variable = f.less type = rom_1p impl = lutram
#pragma HLS BIND_STORAGE variable = f.more type = rom_1p impl = lutram
    return Factor{of_17_bits(f.re[number]), of_17_bits(f.less[number]), of_17_bits(f.more[number])};
}

// b times -i, or i for a conjugate.
template <bool Conjugate>
inline Point quarter_turn(const Point &b) {
#pragma HLS INLINE
    return Point{static_cast<Word>(Conjugate ? -b.im : b.im),
                 static_cast<Word>(Conjugate ? b.re : -b.re), b.counted};
}

// b times a factor: each component exact, one rounding, saturated.  `count` is how many of the two
// components were.  None of the sums leaves 32 bits.
inline Point rotated(const Point &b, const Factor &w, uint8_t &count) {
#pragma HLS INLINE
    const int32_t both = w.re * (b.re + b.im) + (1 << (CIRCNN_TWIDDLE_SHIFT - 1));
    const int32_t re = both - b.im * w.more, im = both + b.re * w.less;
    bool re_limited, im_limited;
    const Word t_re = limit_17_bits(re >> CIRCNN_TWIDDLE_SHIFT, re_limited);
    const Word t_im = limit_17_bits(im >> CIRCNN_TWIDDLE_SHIFT, im_limited);
    count = static_cast<uint8_t>(re_limited + im_limited);
    return Point{t_re, t_im, b.counted};
}

// high = a + t, low = a - t; or a and t as they are.  Sums are halved with rounding up, differences
// with rounding down.  A stage that is not active does not halve.
inline uint8_t combine(const Point &a, const Point &t, bool active, bool halve, Point &high,
                       Point &low) {
#pragma HLS INLINE
    const int32_t up = halve ? 1 : 0, carry = active ? 1 : 0, all = active ? -1 : 0;
    bool limited[4];
#pragma HLS ARRAY_PARTITION variable = limited complete
    high.re = halve_or_limit(a.re + (t.re & all) + up, halve, limited[0]);
    high.im = halve_or_limit(a.im + (t.im & all) + up, halve, limited[1]);
    low.re = halve_or_limit((a.re & all) + (t.re ^ all) + carry, halve, limited[2]);
    low.im = halve_or_limit((a.im & all) + (t.im ^ all) + carry, halve, limited[3]);
    high.counted = a.counted;
    low.counted = t.counted;
    return how_many(limited[0], limited[1], limited[2], limited[3]);
}

// A stage over the lanes' high bit, of which both pairs have one factor; returns its saturations.
inline uint8_t stage(const Factor &w, bool active, bool halve, Point x[kGroup]) {
#pragma HLS INLINE
    uint8_t turned[2], added[2];
#pragma HLS ARRAY_PARTITION variable = turned complete
#pragma HLS ARRAY_PARTITION variable = added complete
    for (int i = 0; i < kGroup / 2; i++) {
#pragma HLS UNROLL
        const Point a = x[i], t = rotated(x[i + 2], w, turned[i]);
        added[i] = combine(a, t, active, halve, x[i], x[i + 2]);
    }
    return static_cast<uint8_t>((turned[0] + turned[1]) + (added[0] + added[1]));
}

// The same where the only factors are 1 and a quarter turn.
template <bool Conjugate>
inline uint8_t plain_stage(bool quarter, bool active, bool halve, Point x[kGroup]) {
#pragma HLS INLINE
    uint8_t added[2];
#pragma HLS ARRAY_PARTITION variable = added complete
    for (int i = 0; i < kGroup / 2; i++) {
#pragma HLS UNROLL
        const Point a = x[i], b = x[i + 2];
        const Point t = choose(quarter, quarter_turn<Conjugate>(b), b);
        added[i] = combine(a, t, active, halve, x[i], x[i + 2]);
    }
    return static_cast<uint8_t>(added[0] + added[1]);
}

#endif
