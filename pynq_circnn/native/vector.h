/* The vector types and operations that the kernels are written in.
 *
 * A source that defines a set of kernels defines how wide they are before it includes this:
 *
 *   LANES  blocks that a transform works on side by side, 8 or 16
 *   SLOTS  32-bit sums that a product works on side by side, 4, 8 or 16
 *   TILE   rows of blocks times pixels that a product holds in registers
 *
 * All is written in GCC's vector extensions, which every compiler for the board or a computer
 * understands.  Only what C has no operator for (saturation, widening products, shuffles) is a
 * function, and only these functions use an instruction by its name, where the target has one. */
#ifndef CIRCNN_VECTOR_H
#define CIRCNN_VECTOR_H

#include <stdint.h>
#include <string.h>

#include "circnn_contract.h"
#include "compiler.h"

/* Nothing here passes a vector between functions that are not inlined into each other. */
#pragma GCC diagnostic ignored "-Wpsabi"

enum { ROW = 8 }; /* words of 128 bits, in which all vectors here are read and written */

_Static_assert(LANES % ROW == 0, "lanes are whole rows of words");

typedef int16_t words __attribute__((vector_size(2 * LANES)));   /* a word of each block */
typedef uint16_t bits __attribute__((vector_size(2 * LANES)));   /* the same, wrapping round */
typedef uint32_t twins __attribute__((vector_size(2 * LANES)));  /* neighbouring words as one */
typedef int16_t row __attribute__((vector_size(2 * ROW)));       /* neighbouring words */
typedef int32_t sums __attribute__((vector_size(4 * SLOTS)));  /* a sum of each slot */

typedef uint32_t unsigned_sums __attribute__((vector_size(4 * SLOTS)));

/* Limit to +-32767; a lane of *counts goes up where that changes a value. */
#define COUNT(counts, changed)              \
    do {                                    \
        if (counts) *(counts) -= (changed); \
    } while (0)

/* -- operations with an instruction of their own -----------------------------------------------*/

#if defined(VECTOR_X86)

/* 16 words are two rows, in the halves of a vector. */
INLINE words join(row low, row high) {
    return (words)_mm256_inserti128_si256(_mm256_castsi128_si256((__m128i)low), (__m128i)high, 1);
}
INLINE row low_row(words v) { return (row)_mm256_castsi256_si128((__m256i)v); }
INLINE row high_row(words v) { return (row)_mm256_extracti128_si256((__m256i)v, 1); }

INLINE words interleave_low(words a, words b) {
    return (words)_mm256_unpacklo_epi16((__m256i)a, (__m256i)b);
}
INLINE words interleave_high(words a, words b) {
    return (words)_mm256_unpackhi_epi16((__m256i)a, (__m256i)b);
}
INLINE words largest(words a, words b) { return (words)_mm256_max_epi16((__m256i)a, (__m256i)b); }
INLINE words saturating_add(words a, words b) {
    return (words)_mm256_adds_epi16((__m256i)a, (__m256i)b);
}
INLINE words saturating_subtract(words a, words b) {
    return (words)_mm256_subs_epi16((__m256i)a, (__m256i)b);
}

/* (a * w[0] + b * w[1] + 2^14) >> 15, limited to 16 bits; *wrapped is its lowest 16 bits. */
INLINE words weighted_sum(words a, words b, const int16_t *w, words *wrapped) {
    int32_t both;
    memcpy(&both, w, sizeof both);
    const __m256i pair = _mm256_set1_epi32(both);
    const __m256i half = _mm256_set1_epi32(1 << (CIRCNN_TWIDDLE_SHIFT - 1));
    __m256i low = MULTIPLY_ADD_256(half, (__m256i)interleave_low(a, b), pair);
    __m256i high = MULTIPLY_ADD_256(half, (__m256i)interleave_high(a, b), pair);
    low = _mm256_srai_epi32(low, CIRCNN_TWIDDLE_SHIFT);
    high = _mm256_srai_epi32(high, CIRCNN_TWIDDLE_SHIFT);
    if (wrapped) {
        const __m256i mask = _mm256_set1_epi32(0xFFFF);
        *wrapped = (words)_mm256_packus_epi32(_mm256_and_si256(low, mask),
                                              _mm256_and_si256(high, mask));
    }
    return (words)_mm256_packs_epi32(low, high);
}

#elif defined(VECTOR_NEON)

INLINE words join(row low, row high) {
    (void)high;
    return low;
}
INLINE row low_row(words v) { return v; }
INLINE row high_row(words v) { return v; }

INLINE words interleave_low(words a, words b) { return vzipq_s16(a, b).val[0]; }
INLINE words interleave_high(words a, words b) { return vzipq_s16(a, b).val[1]; }
INLINE words largest(words a, words b) { return vmaxq_s16(a, b); }
INLINE words saturating_add(words a, words b) { return vqaddq_s16(a, b); }
INLINE words saturating_subtract(words a, words b) { return vqsubq_s16(a, b); }

INLINE words weighted_sum(words a, words b, const int16_t *w, words *wrapped) {
    int32x4_t low = vmull_n_s16(vget_low_s16(a), w[0]);
    int32x4_t high = vmull_n_s16(vget_high_s16(a), w[0]);
    low = vmlal_n_s16(low, vget_low_s16(b), w[1]);
    high = vmlal_n_s16(high, vget_high_s16(b), w[1]);
    if (wrapped)
        *wrapped = vcombine_s16(vrshrn_n_s32(low, CIRCNN_TWIDDLE_SHIFT),
                                vrshrn_n_s32(high, CIRCNN_TWIDDLE_SHIFT));
    return vcombine_s16(vqrshrn_n_s32(low, CIRCNN_TWIDDLE_SHIFT),
                        vqrshrn_n_s32(high, CIRCNN_TWIDDLE_SHIFT));
}

#else

INLINE words join(row low, row high) {
    (void)high;
    return low;
}
INLINE row low_row(words v) { return v; }
INLINE row high_row(words v) { return v; }

#ifdef __clang__
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (words){__VA_ARGS__})
#endif
INLINE words interleave_low(words a, words b) { return SHUFFLE(a, b, 0, 8, 1, 9, 2, 10, 3, 11); }
INLINE words interleave_high(words a, words b) { return SHUFFLE(a, b, 4, 12, 5, 13, 6, 14, 7, 15); }

/* Lane by lane in plain loops, which compilers turn into vector instructions where the target has
 * them; not inlined, because where it has none they are long. */
#define BY_LANE(RESULT)                               \
    do {                                              \
        int16_t a_[LANES], b_[LANES], result_[LANES]; \
        memcpy(a_, &a, sizeof a_);                    \
        memcpy(b_, &b, sizeof b_);                    \
        for (int lane = 0; lane < LANES; lane++) {    \
            const int32_t a = a_[lane], b = b_[lane]; \
            result_[lane] = (RESULT);                 \
        }                                             \
        words r;                                      \
        memcpy(&r, result_, sizeof r);                \
        return r;                                     \
    } while (0)

INLINE int16_t narrow(int32_t v) { return (int16_t)(v > 32767 ? 32767 : v < -32768 ? -32768 : v); }

static words largest(words a, words b) { BY_LANE((int16_t)(a > b ? a : b)); }
static words saturating_add(words a, words b) { BY_LANE(narrow(a + b)); }
static words saturating_subtract(words a, words b) { BY_LANE(narrow(a - b)); }

INLINE int32_t rounded_sum(int32_t a, int32_t b, const int16_t *w) {
    return (a * w[0] + b * w[1] + (1 << (CIRCNN_TWIDDLE_SHIFT - 1))) >> CIRCNN_TWIDDLE_SHIFT;
}
static words weighted_sum_wrapped(words a, words b, const int16_t *w) {
    BY_LANE((int16_t)rounded_sum(a, b, w));
}
static words weighted_sum(words a, words b, const int16_t *w, words *wrapped) {
    if (wrapped) *wrapped = weighted_sum_wrapped(a, b, w);
    BY_LANE(narrow(rounded_sum(a, b, w)));
}

#endif

/* -- pairs of words, multiplied and added ------------------------------------------------------
 *
 * A vector of pairs holds (re, im) of SLOTS neighbouring slots.  load_pairs reads `slots` pairs
 * and repeats them where that is less than a vector; narrowed_pairs limits sums to +-32767. */

typedef int16_t pair_words __attribute__((vector_size(4 * SLOTS)));

#if defined(VECTOR_X86)

#if SLOTS == 16
typedef __m512i pairs;
INLINE pairs load_pairs(const int16_t *x, int slots) {
    int32_t one;
    int64_t two;
    switch (slots) {
    case 1:
        memcpy(&one, x, sizeof one);
        return _mm512_set1_epi32(one);
    case 2:
        memcpy(&two, x, sizeof two);
        return _mm512_set1_epi64(two);
    case 4:
        return _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)x));
    case 8:
        return _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)(const void *)x));
    default:
        return _mm512_loadu_si512(x);
    }
}
INLINE sums dot(sums sum, pairs w, pairs x) { return (sums)MULTIPLY_ADD_512((__m512i)sum, w, x); }
INLINE sums between(sums v, int32_t low, int32_t high) {
    return (sums)_mm512_max_epi32(_mm512_min_epi32((__m512i)v, _mm512_set1_epi32(high)),
                                  _mm512_set1_epi32(low));
}
INLINE pair_words narrowed_pairs(sums re, sums im) {
    const __m512i packed = _mm512_packs_epi32((__m512i)re, (__m512i)im); /* 4 re, 4 im, ... */
    const __m512i order = _mm512_broadcast_i32x4(
        _mm_setr_epi8(0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15));
    return (pair_words)_mm512_max_epi16(_mm512_shuffle_epi8(packed, order),
                                        _mm512_set1_epi16(-CIRCNN_VALUE_MAX));
}
#else
typedef __m256i pairs;
INLINE pairs load_pairs(const int16_t *x, int slots) {
    int32_t one;
    int64_t two;
    switch (slots) {
    case 1:
        memcpy(&one, x, sizeof one);
        return _mm256_set1_epi32(one);
    case 2:
        memcpy(&two, x, sizeof two);
        return _mm256_set1_epi64x(two);
    case 4:
        return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)x));
    default:
        return _mm256_loadu_si256((const __m256i *)(const void *)x);
    }
}
INLINE sums dot(sums sum, pairs w, pairs x) { return (sums)MULTIPLY_ADD_256((__m256i)sum, w, x); }
INLINE sums between(sums v, int32_t low, int32_t high) {
    return (sums)_mm256_max_epi32(_mm256_min_epi32((__m256i)v, _mm256_set1_epi32(high)),
                                  _mm256_set1_epi32(low));
}
INLINE pair_words narrowed_pairs(sums re, sums im) {
    const __m256i packed = _mm256_packs_epi32((__m256i)re, (__m256i)im); /* 4 re, 4 im, ... */
    const __m256i order = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15));
    return (pair_words)_mm256_max_epi16(_mm256_shuffle_epi8(packed, order),
                                        _mm256_set1_epi16(-CIRCNN_VALUE_MAX));
}
#endif

#elif defined(VECTOR_NEON)

/* NEON has no instruction that adds neighbouring products, so pairs are taken apart on loading. */
typedef int16x4x2_t pairs;
INLINE pairs load_pairs(const int16_t *x, int slots) {
    pairs p;
    int16x4_t both;
    switch (slots) {
    case 1:
        p.val[0] = vld1_dup_s16(x);
        p.val[1] = vld1_dup_s16(x + 1);
        return p;
    case 2:
        both = vld1_s16(x);
        return vuzp_s16(both, both);
    default:
        return vld2_s16(x);
    }
}
INLINE sums dot(sums sum, pairs w, pairs x) {
    return vmlal_s16(vmlal_s16(sum, w.val[0], x.val[0]), w.val[1], x.val[1]);
}
INLINE sums between(sums v, int32_t low, int32_t high) {
    return vmaxq_s32(vminq_s32(v, vdupq_n_s32(high)), vdupq_n_s32(low));
}
INLINE pair_words narrowed_pairs(sums re, sums im) {
    const int16x4x2_t zipped = vzip_s16(vqmovn_s32(re), vqmovn_s32(im));
    return vmaxq_s16(vcombine_s16(zipped.val[0], zipped.val[1]), vdupq_n_s16(-CIRCNN_VALUE_MAX));
}

#else

typedef sums pairs; /* the low half of a lane is the first of the pair */
INLINE pairs load_pairs(const int16_t *x, int slots) {
    pairs p;
    if (slots >= SLOTS) {
        memcpy(&p, x, sizeof p);
        return p;
    }
    for (int slot = 0; slot < SLOTS; slot++) {
        int32_t pair;
        memcpy(&pair, x + slot % slots * 2, sizeof pair);
        p[slot] = pair;
    }
    return p;
}
INLINE sums first_of(pairs p) { return (sums)((unsigned_sums)p << 16) >> 16; }
INLINE sums dot(sums sum, pairs w, pairs x) {
    return sum + first_of(w) * first_of(x) + (w >> 16) * (x >> 16);
}
INLINE sums between(sums v, int32_t low, int32_t high) {
    const sums above = v > high, below = v < low;
    return (v & ~above & ~below) | (above & high) | (below & low);
}
INLINE pair_words narrowed_pairs(sums re, sums im) {
    const sums first = between(re, -CIRCNN_VALUE_MAX, CIRCNN_VALUE_MAX);
    const sums second = between(im, -CIRCNN_VALUE_MAX, CIRCNN_VALUE_MAX);
    return (pair_words)((first & 0xFFFF) | second * 65536);
}

#endif

/* -- rows and columns --------------------------------------------------------------------------
 *
 * LANES rows of words, `stride` apart, against vectors of one column each. */

INLINE row load_row(const int16_t *x) {
    row v;
    memcpy(&v, x, sizeof v);
    return v;
}

INLINE void store_row(int16_t *x, row v) { memcpy(x, &v, sizeof v); }

INLINE words load_rows(const int16_t *x, size_t stride) {
    return join(load_row(x), load_row(x + (LANES - ROW) * stride));
}

INLINE void store_rows(int16_t *x, size_t stride, words v) {
    store_row(x, low_row(v));
    if (LANES > ROW) store_row(x + ROW * stride, high_row(v));
}

/* Three perfect shuffles of 8 x 8 words are their transpose: each rotates the six bits of a word's
 * place, (row, column), by one. */
INLINE void transpose(words v[ROW]) {
    for (int round = 0; round < 3; round++) {
        words shuffled[ROW];
        UNROLL for (int i = 0; i < ROW / 2; i++) {
            shuffled[2 * i] = interleave_low(v[i], v[i + ROW / 2]);
            shuffled[2 * i + 1] = interleave_high(v[i], v[i + ROW / 2]);
        }
        UNROLL for (int i = 0; i < ROW; i++) v[i] = shuffled[i];
    }
}

/* Differences that may wrap round: lanes without a block hold arbitrary bits. */
INLINE words minus(words a, words b) { return (words)((bits)a - (bits)b); }
INLINE words negative(words a) { return minus((words){0}, a); }

/* (re, im) -> (im, re) */
INLINE words swap_pairs(words v) { return (words)((twins)v >> 16 | (twins)v << 16); }

/* (re, im) -> (re, -im) */
INLINE words conjugate_pairs(words v) {
    const words second = (words)((twins){0} + 0xFFFF0000u);
    return minus(v ^ second, second);
}

/* -- the engine's rounding and saturation on vectors -------------------------------------------*/

/* (a + b + 1) >> 1 without a 17th bit. */
INLINE words halved_sum(words a, words b) {
#ifdef VECTOR_NEON
    return vrhaddq_s16(a, b);
#else
    return minus(a | b, (a ^ b) >> 1);
#endif
}

/* (a - b) >> 1, given the halved sum: a - ceil((a + b) / 2) = floor((a - b) / 2). */
INLINE words halved_difference(words a, words halved_sum) { return minus(a, halved_sum); }

INLINE words symmetric(words v) { return largest(v, (words){0} - CIRCNN_VALUE_MAX); }

INLINE void add_subtract(words a, words b, int halve, words *sum, words *difference,
                         words *counts) {
    if (halve) {
        *sum = halved_sum(a, b);
        *difference = halved_difference(a, *sum);
    } else {
        *sum = symmetric(saturating_add(a, b));
        *difference = symmetric(saturating_subtract(a, b));
        COUNT(counts, *sum != minus(a, negative(b)));
        COUNT(counts, *difference != minus(a, b));
    }
}

#endif
