/* The transforms between real blocks and packed half spectra, LANES blocks side by side.
 *
 * k words of a block lie LANES apart, so that every step is the same operation on neighbouring
 * words, which the compiler turns into vector instructions.  The rules are those of
 * pynq_circnn/fixed.py: decimation in time, sums halved with rounding up, differences with
 * rounding down, every result saturated. */
#ifndef CIRCNN_TRANSFORM_H
#define CIRCNN_TRANSFORM_H

#include "arithmetic.h"

enum { LANES = 16, MAX_BLOCK = 1 << CIRCNN_LIMIT_BLOCK_LOG2, MAX_POINTS = MAX_BLOCK / 2 };

typedef int16_t lane_words[LANES];
typedef int32_t lane_counts[LANES];

#define FOR_LANES for (int lane = 0; lane < LANES; lane++)

typedef struct {
    lane_words re[MAX_POINTS], im[MAX_POINTS];
} complex_block;

static inline int bit_reverse(int value, int bits) {
    int reversed = 0;
    for (int bit = 0; bit < bits; bit++) reversed |= ((value >> bit) & 1) << (bits - 1 - bit);
    return reversed;
}

/* t = b times a twiddle, both products exact, one rounding, saturated; 1 and -+i bypass the
 * multiplier.  `m` counts steps of the table's 256-point circle. */
static inline void rotate(const int16_t *b_re, const int16_t *b_im, int m, int conjugate,
                          int16_t *t_re, int16_t *t_im, int32_t *counts) {
    const int sign = conjugate ? -1 : 1;
    if (m == 0) {
        FOR_LANES {
            t_re[lane] = b_re[lane];
            t_im[lane] = b_im[lane];
        }
    } else if (m == MAX_BLOCK / 4) {
        FOR_LANES {
            int32_t re = sign * b_im[lane], im = -sign * b_re[lane];
            t_re[lane] = (int16_t)re;
            t_im[lane] = (int16_t)im;
        }
    } else {
        const int32_t w_re = circnn_twiddles_re[m], w_im = sign * circnn_twiddles_im[m];
        const int32_t half = 1 << (CIRCNN_TWIDDLE_SHIFT - 1);
        FOR_LANES {
            int32_t re = b_re[lane] * w_re - b_im[lane] * w_im;
            int32_t im = b_re[lane] * w_im + b_im[lane] * w_re;
            t_re[lane] = circnn_saturate((re + half) >> CIRCNN_TWIDDLE_SHIFT, &counts[lane]);
            t_im[lane] = circnn_saturate((im + half) >> CIRCNN_TWIDDLE_SHIFT, &counts[lane]);
        }
    }
}

static inline int16_t sum(int32_t a, int32_t b, int shift, int32_t *count) {
    return circnn_saturate((a + b + shift) >> shift, count);
}

static inline int16_t difference(int32_t a, int32_t b, int shift, int32_t *count) {
    return circnn_saturate((a - b) >> shift, count);
}

/* The complex stages: the points come in bit-reversed order; bit s of `shifts` halves stage s. */
static inline void complex_stages(complex_block *z, int log2_points, int shifts, int inverse,
                                  int32_t *counts) {
    for (int stage = 0; stage < log2_points; stage++) {
        const int half = 1 << stage, shift = (shifts >> stage) & 1;
        for (int group = 0; group < 1 << log2_points; group += 2 * half) {
            for (int j = 0; j < half; j++) {
                int16_t *a_re = z->re[group + j], *b_re = z->re[group + j + half];
                int16_t *a_im = z->im[group + j], *b_im = z->im[group + j + half];
                lane_words t_re, t_im;
                rotate(b_re, b_im, j * (MAX_POINTS >> stage), inverse, t_re, t_im, counts);
                FOR_LANES {
                    const int16_t re = a_re[lane], im = a_im[lane];
                    a_re[lane] = sum(re, t_re[lane], shift, &counts[lane]);
                    a_im[lane] = sum(im, t_im[lane], shift, &counts[lane]);
                    b_re[lane] = difference(re, t_re[lane], shift, &counts[lane]);
                    b_im[lane] = difference(im, t_im[lane], shift, &counts[lane]);
                }
            }
        }
    }
}

/* Slot 0 of the split and of the merge: two real numbers a, b become a + b and a - b. */
static inline void real_pair(int16_t *a, int16_t *b, int shift, int32_t *counts) {
    FOR_LANES {
        const int32_t first = a[lane], second = b[lane];
        a[lane] = sum(first, second, shift, &counts[lane]);
        b[lane] = difference(first, second, shift, &counts[lane]);
    }
}

/* The middle bin: its own mirror image, so that it is only conjugated (and shifted). */
static inline void middle_bin(int16_t *re, int16_t *im, int shift) {
    FOR_LANES {
        re[lane] = (int16_t)((re[lane] + shift) >> shift);
        im[lane] = (int16_t)((-im[lane] + shift) >> shift);
    }
}

/* From the complex transform Z of N = k/2 points to the half spectrum X, in place.
 * E = (Z[m] + conj Z[N-m]) / 2 and O = -i (Z[m] - conj Z[N-m]) / 2 never leave 16 bits. */
static inline void split(complex_block *z, int points, int shift, int32_t *counts) {
    real_pair(z->re[0], z->im[0], shift, counts);
    if (points > 1) middle_bin(z->re[points / 2], z->im[points / 2], shift);
    for (int m = 1; m < points / 2; m++) {
        int16_t *z_re = z->re[m], *z_im = z->im[m];
        int16_t *c_re = z->re[points - m], *c_im = z->im[points - m];
        lane_words e_re, e_im, o_re, o_im, t_re, t_im;
        FOR_LANES {
            e_re[lane] = (int16_t)((z_re[lane] + c_re[lane] + 1) >> 1);
            e_im[lane] = (int16_t)((z_im[lane] - c_im[lane] + 1) >> 1);
            o_re[lane] = (int16_t)((z_im[lane] + c_im[lane]) >> 1);
            o_im[lane] = (int16_t)((c_re[lane] - z_re[lane]) >> 1);
        }
        rotate(o_re, o_im, m * (MAX_POINTS / points), 0, t_re, t_im, counts);
        FOR_LANES {
            z_re[lane] = sum(e_re[lane], t_re[lane], shift, &counts[lane]);
            z_im[lane] = sum(e_im[lane], t_im[lane], shift, &counts[lane]);
            c_re[lane] = difference(e_re[lane], t_re[lane], shift, &counts[lane]);
            c_im[lane] = (int16_t)-difference(e_im[lane], t_im[lane], shift, &counts[lane]);
        }
    }
}

/* From the half spectrum X to the complex transform Z, in place: the mirror image of split. */
static inline void merge(complex_block *z, int points, int shift, int32_t *counts) {
    real_pair(z->re[0], z->im[0], 1, counts);
    FOR_LANES {
        z->re[0][lane] = (int16_t)((z->re[0][lane] + shift) >> shift);
        z->im[0][lane] = (int16_t)((z->im[0][lane] + shift) >> shift);
    }
    if (points > 1) middle_bin(z->re[points / 2], z->im[points / 2], shift);
    for (int m = 1; m < points / 2; m++) {
        int16_t *x_re = z->re[m], *x_im = z->im[m];
        int16_t *c_re = z->re[points - m], *c_im = z->im[points - m];
        lane_words e_re, e_im, d_re, d_im, o_re, o_im;
        FOR_LANES {
            e_re[lane] = (int16_t)((x_re[lane] + c_re[lane] + 1) >> 1);
            e_im[lane] = (int16_t)((x_im[lane] - c_im[lane] + 1) >> 1);
            d_re[lane] = (int16_t)((x_re[lane] - c_re[lane]) >> 1);
            d_im[lane] = (int16_t)((x_im[lane] + c_im[lane]) >> 1);
        }
        rotate(d_re, d_im, m * (MAX_POINTS / points), 1, o_re, o_im, counts);
        FOR_LANES {
            const int32_t t_re = -o_im[lane], t_im = o_re[lane]; /* i O */
            x_re[lane] = sum(e_re[lane], t_re, shift, &counts[lane]);
            x_im[lane] = sum(e_im[lane], t_im, shift, &counts[lane]);
            c_re[lane] = difference(e_re[lane], t_re, shift, &counts[lane]);
            c_im[lane] = (int16_t)-difference(e_im[lane], t_im, shift, &counts[lane]);
        }
    }
}

/* Swap the points into bit-reversed order. */
static inline void reorder(complex_block *z, int log2_points) {
    for (int n = 0; n < 1 << log2_points; n++) {
        const int other = bit_reverse(n, log2_points);
        if (other <= n) continue;
        FOR_LANES {
            const int16_t re = z->re[n][lane], im = z->im[n][lane];
            z->re[n][lane] = z->re[other][lane];
            z->im[n][lane] = z->im[other][lane];
            z->re[other][lane] = re;
            z->im[other][lane] = im;
        }
    }
}

/* Samples (2n, 2n+1 in point n) become the packed half spectrum, for blocks of 2^log2 >= 2. */
static inline void forward_transform(complex_block *z, int log2, int shifts, int32_t *counts) {
    reorder(z, log2 - 1);
    complex_stages(z, log2 - 1, shifts, 0, counts);
    split(z, 1 << (log2 - 1), shifts >> (log2 - 1) & 1, counts);
}

/* The packed half spectrum becomes samples. */
static inline void inverse_transform(complex_block *z, int log2, int shifts, int32_t *counts) {
    merge(z, 1 << (log2 - 1), shifts & 1, counts);
    reorder(z, log2 - 1);
    complex_stages(z, log2 - 1, shifts >> 1, 1, counts);
}

#endif
