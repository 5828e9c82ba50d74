// The merge: half spectra become the points of a block's first stage, four slots a trip.
//
// E and D are the half sum and the half difference of a bin and its mirror image, O is D times the
// conjugate of the bin's twiddle.  Z[m] = E + i O, and Z[N-m] = conj(E - i O): as i O is -O.im and
// O.re, a sum of theirs may be the difference of the page, and is rounded like it.
//
// A slot 0 is two real numbers, whose half sum and half difference are a point.  Its twiddle is zero
// here, so that E comes through alone, and the adders of the odd slot are free for what lies beside
// it: the middle bin, or for k = 2 another slot 0.
#ifndef CIRCNN_MERGE_HPP
#define CIRCNN_MERGE_HPP

#include "mirror.hpp"

// The twiddles of the two pairs, by the number of the trip's row in its block.  The second half of
// the other pair's is zero: for blocks of which every row has two slots 0.
constexpr Factors<5> make_merge_first() {
    Factors<5> f = {};
    for (int row = 1; row < kGroups; row++) set_factor(f, row, mirror_bin(row, 0), true);
    return f;
}

constexpr Factors<6> make_merge_second() {
    Factors<6> f = {};
    for (int row = 0; row < kGroups; row++) set_factor(f, row, mirror_bin(row, 1), true);
    return f;
}

constexpr Factors<5> kMergeFirst = make_merge_first();
constexpr Factors<6> kMergeSecond = make_merge_second();

// One bin and its mirror image, or a slot 0 and what lies beside it; returns the saturations.
inline uint8_t merge_pair(const Mirror &m, bool zero, const Factor &w, bool halve, Complex &even,
                          Complex &odd) {
#pragma HLS INLINE
    const Complex x = even, c = odd;
    const bool single = m.single && !m.plain;
    const Word other_re = zero ? x.im : c.re;
    const Word first_im = zero ? x.re : x.im, other_im = zero ? x.im : c.im;
    const Complex sum = {static_cast<Word>((x.re + other_re + 1) >> 1),
                         static_cast<Word>((first_im - other_im + (zero ? 0 : 1)) >> 1)};
    const Complex e = choose(m.plain, x, sum);
    // for a slot 0, of the other slot's numbers: the difference with the other sign, and the sum
    const Word minuend = zero ? c.im : x.re, summand = zero ? c.re : x.im;
    const int32_t half = zero ? 1 : 0;
    const Point d = {static_cast<Word>((minuend - c.re + half) >> 1),
                     static_cast<Word>((summand + c.im + half) >> 1), true};
    const Complex beside = {single ? d.im : c.re, single ? d.re : c.im};
    const Complex l = choose(zero, beside, e);
    uint8_t turned;
    const Point o = rotated(d, w, turned);
    const int32_t up = halve ? 1 : 0, up_beside = halve && zero ? 1 : 0;
    bool limited[4];
#pragma HLS ARRAY_PARTITION variable = limited complete
    even.re = halve_or_limit(e.re - o.im + up, halve, limited[0]);
    even.im = halve_or_limit(e.im + o.re + up, halve, limited[1]);
    odd.re = halve_or_limit(l.re + o.im + up_beside, halve, limited[2]);
    const Word conjugate = halve_or_limit(o.re - l.im + up, halve, limited[3]);
    odd.im = m.plain ? c.im : conjugate;
    return static_cast<uint8_t>(turned + how_many(limited[0], limited[1], limited[2], limited[3]));
}

// The four slots of a trip, lower half of a row and upper half of its mirror; returns the
// saturations.
inline uint8_t merge_rows(const Mirror &m, const MirrorRows &rows, bool halve, Complex x[kGroup]) {
#pragma HLS INLINE
    const int second = (m.twice ? kGroups : 0) | rows.in_block;
    pair_up(rows.first, x);
    const uint8_t one = merge_pair(m, is_zero(m, rows, 0), factor_at(kMergeFirst, rows.in_block),
                                   halve, x[0], x[1]);
    const uint8_t two = merge_pair(m, is_zero(m, rows, 1), factor_at(kMergeSecond, second), halve,
                                   x[2], x[3]);
    pair_up(rows.first, x);
    return static_cast<uint8_t>(one + two);
}

#endif
