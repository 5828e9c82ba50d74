/* The products of a matrix layer: vectors of weights times the spectra of pixels, added up exactly
 * in registers and rounded once.
 *
 * A term of a sum is (w_re + i w_im)(x_re + i x_im).  Each spectrum is kept twice, as the two
 * vectors that make a complex product two products of real pairs:
 *
 *   plane 1: (x_re, -x_im)    re = w . plane 1
 *   plane 2: (x_im,  x_re)    im = w . plane 2
 *
 * Slot 0, which holds two real bins, is (x_0, 0) and (0, x_1).  For k = 1 a pair is two
 * neighbouring inputs, and one plane is enough. */
#ifndef CIRCNN_MATRIX_PRODUCT_H
#define CIRCNN_MATRIX_PRODUCT_H

#include <string.h>

#include "matrix/planning.h"
#include "vector.h"

/* Sums of 48 bits are kept as value = high * 2^16 + low.  During a run, low is what the products
 * are added to; where it ends, all but 16 bits of low are carried over to high. */
typedef struct {
    sums low[TILE], high[TILE];
} totals;

_Static_assert((int64_t)CIRCNN_RUN_SUM * CIRCNN_VALUE_MAX + 0xFFFF < INT32_MAX,
               "a run on top of 16 bits, and 1 for rounding, must fit 32 bits");

INLINE void carry(sums *low, sums *high) {
    *high += *low >> 16;
    *low &= 0xFFFF;
}

/* (v + 2^(shift-1)) >> shift for shifts from 1 to 31, without a 33rd bit. */
INLINE sums rounded(sums v, int shift) { return ((v >> (shift - 1)) + 1) >> 1; }

/* The rounding shift of high * 2^16 + low, which is exact unless it lies far beyond 16 bits. */
INLINE sums rounded_wide(sums low, sums high, int shift) {
    if (shift > 16) return rounded(high, shift - 16); /* low decides nothing */
    if (shift == 16) return high + (low >> 15);
    const sums v = (sums)((unsigned_sums)between(high, -32766, 32766) << 16) + low;
    return shift ? rounded(v, shift) : v;
}

INLINE void round_totals(totals *t, int count, int shift, int widens) {
    if (widens)
        UNROLL for (int i = 0; i < count; i++)
            t->low[i] = rounded_wide(t->low[i], t->high[i], shift);
    else if (shift)
        UNROLL for (int i = 0; i < count; i++) t->low[i] = rounded(t->low[i], shift);
}

static __attribute__((noinline, cold)) void count_limited(const sums *v, int64_t *saturations) {
    for (int slot = 0; slot < SLOTS; slot++)
        *saturations += (*v)[slot] > CIRCNN_VALUE_MAX || (*v)[slot] < -CIRCNN_VALUE_MAX;
}

/* Store the sums of one vector of weights for one pixel, as words that the inverse transform
 * reads.  The last vector may have more rows than are left; these are not stored. */
INLINE void store_sums(const matrix_plan *m, sums re, sums im, size_t chunk, size_t vector,
                       int16_t *pixel, int64_t *saturations, int slots, int is_complex) {
    const pair_words both = narrowed_pairs(re, im);
    size_t at = vector * PAIR_WORDS, words = PAIR_WORDS;
    if (__builtin_expect(saturations != NULL, 0)) {
        count_limited(&re, saturations);
        if (is_complex) count_limited(&im, saturations);
    }
    if (is_complex && slots >= SLOTS) {
        memcpy(pixel + vector * (size_t)m->k + chunk * PAIR_WORDS, &both, sizeof both);
    } else if (is_complex) {
        if (at + words <= m->sum_words)
            memcpy(pixel + at, &both, sizeof both);
        else
            memcpy(pixel + at, &both, (m->sum_words - at) * sizeof(int16_t));
    } else {
        int16_t real[SLOTS];
        at = vector * SLOTS;
        words = least(SLOTS, m->sum_words - at);
        for (int slot = 0; slot < SLOTS; slot++) real[slot] = both[2 * slot];
        memcpy(pixel + at, real, words * sizeof(int16_t));
    }
}

/* The sums of `vectors` vectors of weights times `pixels` pixels, held in registers. */
INLINE void product(const matrix_plan *m, const int16_t *w, const int16_t *const *pixel,
                    size_t chunk, size_t vector, int16_t *out, int64_t *saturations, int vectors,
                    int pixels, int slots, int is_complex, int widens) {
    const int count = vectors * pixels;
    const size_t step = m->term_words, plane = m->plane;
    totals re, im;
    UNROLL for (int i = 0; i < count; i++)
        re.low[i] = im.low[i] = re.high[i] = im.high[i] = (sums){0};

    const segment *run = m->runs, *end = run + m->segments;
    do {
        const int16_t *x[TILE];
        UNROLL for (int n = 0; n < pixels; n++)
            x[n] = pixel[(size_t)n * m->positions + run->position] + chunk * PAIR_WORDS +
                   run->begin * step;
        uint32_t term = run->count;
        do {
            pairs first[TILE], second[TILE];
            UNROLL for (int n = 0; n < pixels; n++) {
                first[n] = load_pairs(x[n], slots);
                if (is_complex) second[n] = load_pairs(x[n] + plane, slots);
                x[n] += step;
            }
            UNROLL for (int v = 0; v < vectors; v++) {
                const pairs weight = load_pairs(w + v * PAIR_WORDS, SLOTS);
                UNROLL for (int n = 0; n < pixels; n++) {
                    const int i = v * pixels + n;
                    re.low[i] = dot(re.low[i], weight, first[n]);
                    if (is_complex) im.low[i] = dot(im.low[i], weight, second[n]);
                }
            }
            w += vectors * PAIR_WORDS;
        } while (--term);
        if (widens && run->ends_run) UNROLL for (int i = 0; i < count; i++) {
                carry(&re.low[i], &re.high[i]);
                if (is_complex) carry(&im.low[i], &im.high[i]);
            }
    } while (++run < end);

    round_totals(&re, count, m->shift, widens);
    if (is_complex) round_totals(&im, count, m->shift, widens);
    UNROLL for (int i = 0; i < count; i++)
        store_sums(m, re.low[i], im.low[i], chunk, vector + (size_t)(i / pixels),
                   out + (size_t)(i % pixels) * m->sum_words, saturations, slots, is_complex);
}

/* A function for each number of vectors, of pixels, and of slots that fill a vector. */
#define PRODUCT(NAME, VECTORS, PIXELS, SLOTS_, COMPLEX, WIDENS)                                  \
    static void NAME(const matrix_plan *m, const int16_t *weights, const int16_t *const *pixels, \
                     size_t chunk, size_t vector, int16_t *out, int64_t *saturations) {          \
        product(m, weights, pixels, chunk, vector, out, saturations, VECTORS, PIXELS, SLOTS_,    \
                COMPLEX, WIDENS);                                                                \
    }
#define PRODUCTS(NAME, SLOTS_, COMPLEX)                      \
    PRODUCT(NAME##_4, 4, 1, SLOTS_, COMPLEX, 0)              \
    PRODUCT(NAME##_1, 1, 1, SLOTS_, COMPLEX, 0)              \
    PRODUCT(NAME##_1_many, 1, TILE, SLOTS_, COMPLEX, 0)      \
    PRODUCT(NAME##_4_wide, 4, 1, SLOTS_, COMPLEX, 1)         \
    PRODUCT(NAME##_1_wide, 1, 1, SLOTS_, COMPLEX, 1)         \
    PRODUCT(NAME##_1_many_wide, 1, TILE, SLOTS_, COMPLEX, 1) \
    static const product_kernels NAME[2] = {                 \
        {NAME##_4, NAME##_1, NAME##_1_many},                 \
        {NAME##_4_wide, NAME##_1_wide, NAME##_1_many_wide},  \
    };
PRODUCTS(real_products, 1, 0)
PRODUCTS(products_of_1, 1, 1)
PRODUCTS(products_of_2, 2, 1)
#if SLOTS > 4
PRODUCTS(products_of_4, 4, 1)
#endif
#if SLOTS > 8
PRODUCTS(products_of_8, 8, 1)
#endif
PRODUCTS(products_of_all, SLOTS, 1)

static const product_kernels *products_for(const matrix_plan *m) {
    if (m->k == 1) return real_products;
    switch (m->slots) {
    case 1:
        return products_of_1;
    case 2:
        return products_of_2;
#if SLOTS > 4
    case 4:
        return products_of_4;
#endif
#if SLOTS > 8
    case 8:
        return products_of_8;
#endif
    default:
        return products_of_all;
    }
}

/* All products of some output pixels, GROUP at the most: the weights are read once for them. */
static void products(const matrix_plan *m, const int16_t *const *pixels, size_t count, int16_t *out,
                     int64_t *saturations) {
    const size_t vector_words = m->chunks * m->positions * m->terms * PAIR_WORDS;
    size_t vector = 0;
    for (; vector + 4 <= m->vectors; vector += 4)
        for (size_t chunk = 0; chunk < m->chunks; chunk++) {
            const int16_t *w = m->weights + vector * vector_words +
                               chunk * (vector_words / m->chunks) * 4;
            for (size_t n = 0; n < count; n++)
                m->products.four(m, w, pixels + n * m->positions, chunk, vector,
                                 out + n * m->sum_words, saturations);
        }
    for (; vector < m->vectors; vector++)
        for (size_t chunk = 0; chunk < m->chunks; chunk++) {
            const int16_t *w = m->weights + vector * vector_words +
                               chunk * (vector_words / m->chunks);
            size_t n = 0;
            for (; n + TILE <= count; n += TILE)
                m->products.one_many(m, w, pixels + n * m->positions, chunk, vector,
                                     out + n * m->sum_words, saturations);
            for (; n < count; n++)
                m->products.one(m, w, pixels + n * m->positions, chunk, vector,
                                out + n * m->sum_words, saturations);
        }
}

#endif
