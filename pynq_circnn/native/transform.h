/* The transforms between real blocks and packed half spectra, LANES blocks side by side.
 *
 * The rules are those of pynq_circnn/arithmetic/fixed.py: radix-2 decimation in time, sums halved
 * with rounding up, differences with rounding down, every result saturated.  Two stages are
 * computed at once wherever two are left, so that the points go to memory half as often.
 *
 * Arguments that are constant at each call (inverse, counts == NULL, whether a stage halves)
 * select code when it is compiled. */
#ifndef CIRCNN_TRANSFORM_H
#define CIRCNN_TRANSFORM_H

#include "kernels.h"
#include "vector.h"

typedef struct {
    words re, im;
} point;

enum rotation { BY_ONE, BY_QUARTER, BY_TWIDDLE };

/* b times a twiddle, both products exact, one rounding, saturated; 1 and -+i bypass the
 * multiplier. */
INLINE point rotated(point b, enum rotation rotation, const circnn_twiddle *w, int inverse,
                     words *counts) {
    point t = b;
    if (rotation == BY_QUARTER) {
        t.re = inverse ? negative(b.im) : b.im;
        t.im = inverse ? b.re : negative(b.re);
    } else if (rotation == BY_TWIDDLE) {
        words wrapped_re, wrapped_im;
        t.re = symmetric(weighted_sum(b.re, b.im, w->re, counts ? &wrapped_re : NULL));
        t.im = symmetric(weighted_sum(b.re, b.im, w->im, counts ? &wrapped_im : NULL));
        COUNT(counts, t.re != wrapped_re);
        COUNT(counts, t.im != wrapped_im);
    }
    return t;
}

/* Replace a by a + t and b by a - t. */
INLINE void butterfly(point *a, point *b, point t, int halve, words *counts) {
    const point old = *a;
    add_subtract(old.re, t.re, halve, &a->re, &b->re, counts);
    add_subtract(old.im, t.im, halve, &a->im, &b->im, counts);
}

/* -- the complex stages ------------------------------------------------------------------------*/

INLINE void first_stage(point *z, int points, int halve, words *counts) {
    for (int n = 0; n < points; n += 2) butterfly(&z[n], &z[n + 1], z[n + 1], halve, counts);
}

/* One butterfly of each of four pairs: z[0], z[half] and z[2 half], z[3 half] in the first stage,
 * then z[0], z[2 half] and z[half], z[3 half].  The second stage's twiddles are a quarter turn
 * apart. */
INLINE void four_points(point *z, int half, enum rotation first, enum rotation second,
                        const circnn_twiddle *w1, const circnn_twiddle *w2, int halve1, int halve2,
                        int inverse, words *counts) {
    point a = z[0], b = z[half], c = z[2 * half], d = z[3 * half];
    butterfly(&a, &b, rotated(b, first, w1, inverse, counts), halve1, counts);
    butterfly(&c, &d, rotated(d, first, w1, inverse, counts), halve1, counts);
    const enum rotation turned = second == BY_ONE ? BY_QUARTER : BY_TWIDDLE;
    butterfly(&a, &c, rotated(c, second, w2, inverse, counts), halve2, counts);
    butterfly(&b, &d, rotated(d, turned, w2 + CIRCNN_QUARTER_TURN, inverse, counts), halve2,
              counts);
    z[0] = a;
    z[half] = b;
    z[2 * half] = c;
    z[3 * half] = d;
}

INLINE void two_stages(point *z, int points, int stage, int halve1, int halve2, int inverse,
                       const circnn_twiddle *table, words *counts) {
    const int half = 1 << stage, step = CIRCNN_QUARTER_TURN >> stage;
    for (int group = 0; group < points; group += 4 * half) {
        point *at = z + group;
        four_points(at, half, BY_ONE, BY_ONE, table, table, halve1, halve2, inverse, counts);
        for (int j = 1; j < half; j++) {
            const circnn_twiddle *w1 = table + 2 * j * step, *w2 = table + j * step;
            if (2 * j == half)
                four_points(at + j, half, BY_QUARTER, BY_TWIDDLE, w1, w2, halve1, halve2, inverse,
                            counts);
            else
                four_points(at + j, half, BY_TWIDDLE, BY_TWIDDLE, w1, w2, halve1, halve2, inverse,
                            counts);
        }
    }
}

/* The points come in bit-reversed order; bit s of `shifts` halves stage s. */
INLINE void complex_stages(point *z, int log2_points, int shifts, int inverse,
                           const circnn_twiddle *table, words *counts) {
    const int points = 1 << log2_points;
    int stage = log2_points & 1;
    if (stage) {
        if (shifts & 1)
            first_stage(z, points, 1, counts);
        else
            first_stage(z, points, 0, counts);
    }
    for (; stage < log2_points; stage += 2) {
        switch (shifts >> stage & 3) {
        case 0:
            two_stages(z, points, stage, 0, 0, inverse, table, counts);
            break;
        case 1:
            two_stages(z, points, stage, 1, 0, inverse, table, counts);
            break;
        case 2:
            two_stages(z, points, stage, 0, 1, inverse, table, counts);
            break;
        default:
            two_stages(z, points, stage, 1, 1, inverse, table, counts);
        }
    }
}

/* -- between the complex transform Z of N = k/2 points and the half spectrum X -----------------*/

/* Slot 0 of both ways: two real numbers a, b become a + b and a - b. */
INLINE point real_pair(point z, int halve, words *counts) {
    point x;
    add_subtract(z.re, z.im, halve, &x.re, &x.im, counts);
    return x;
}

INLINE words half_up(words v, int halve) { return halve ? halved_sum(v, v ^ v) : v; }

/* The middle bin: its own mirror image, so that it is only conjugated (and halved). */
INLINE point middle_bin(point z, int halve) {
    const point x = {half_up(z.re, halve), half_up(negative(z.im), halve)};
    return x;
}

/* (a + conj c) / 2, and (a - conj c) / 2 with the rounding of a difference. */
INLINE void even_odd(point a, point c, point *even, point *odd) {
    even->re = halved_sum(a.re, c.re);
    even->im = halved_sum(a.im, negative(c.im));
    odd->re = halved_difference(a.re, even->re);
    odd->im = halved_difference(a.im, even->im);
}

/* a = e + t and c = conj(e - t) */
INLINE void mirrored(point e, point t, int halve, point *a, point *c, words *counts) {
    add_subtract(e.re, t.re, halve, &a->re, &c->re, counts);
    add_subtract(e.im, t.im, halve, &a->im, &c->im, counts);
    c->im = negative(c->im);
}

/* Z -> X in place.  E = (Z[m] + conj Z[N-m]) / 2 and O = -i (Z[m] - conj Z[N-m]) / 2 never leave
 * 16 bits. */
INLINE void split(point *z, int points, int halve, const circnn_twiddle *table, words *counts) {
    z[0] = real_pair(z[0], halve, counts);
    if (points > 1) z[points / 2] = middle_bin(z[points / 2], halve);
    for (int m = 1; m < points / 2; m++) {
        const circnn_twiddle *w = table + m * (2 * CIRCNN_QUARTER_TURN / points);
        point a = z[m], c = z[points - m], e, o;
        e.re = halved_sum(a.re, c.re);
        e.im = halved_sum(a.im, negative(c.im));
        o.re = halved_difference(a.im, e.im);
        o.im = halved_difference(c.re, e.re);
        mirrored(e, rotated(o, BY_TWIDDLE, w, 0, counts), halve, &z[m], &z[points - m], counts);
    }
}

/* X -> Z, from x to the bit-reversed places of z: the mirror image of split. */
INLINE void merge(const point *x, point *z, int points, const uint8_t *places, int halve,
                  const circnn_twiddle *table, words *counts) {
    const point pair = real_pair(x[0], 1, counts);
    z[0].re = half_up(pair.re, halve);
    z[0].im = half_up(pair.im, halve);
    if (points > 1) z[places[points / 2]] = middle_bin(x[points / 2], halve);
    for (int m = 1; m < points / 2; m++) {
        const circnn_twiddle *w = table + m * (2 * CIRCNN_QUARTER_TURN / points);
        point e, d;
        even_odd(x[m], x[points - m], &e, &d);
        const point o = rotated(d, BY_TWIDDLE, w, 1, counts), t = {negative(o.im), o.re}; /* i O */
        mirrored(e, t, halve, &z[places[m]], &z[places[points - m]], counts);
    }
}

/* Samples (2n, 2n+1 in point n, the points in bit-reversed order) become the packed half spectrum
 * of blocks of 2^log2 >= 2 words. */
INLINE void forward_transform(point *z, int log2, int shifts, const circnn_tables *tables,
                              words *counts) {
    complex_stages(z, log2 - 1, shifts, 0, tables->forward, counts);
    if (shifts >> (log2 - 1) & 1)
        split(z, 1 << (log2 - 1), 1, tables->forward, counts);
    else
        split(z, 1 << (log2 - 1), 0, tables->forward, counts);
}

/* The packed half spectrum in x becomes samples in z. */
INLINE void inverse_transform(const point *x, point *z, int log2, int shifts,
                              const circnn_tables *tables, words *counts) {
    const uint8_t *places = tables->reversed[log2 - 1];
    if (shifts & 1)
        merge(x, z, 1 << (log2 - 1), places, 1, tables->inverse, counts);
    else
        merge(x, z, 1 << (log2 - 1), places, 0, tables->inverse, counts);
    complex_stages(z, log2 - 1, shifts >> 1, 1, tables->inverse, counts);
}

#endif
