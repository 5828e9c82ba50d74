/* Conversion between the host's numbers (float32, unscaled bytes) and words. */
#ifndef CIRCNN_CONVERSION_H
#define CIRCNN_CONVERSION_H

#include <stddef.h>
#include <string.h>

#include "arithmetic.h"
#include "compiler.h"

/* 2^exponent, which is a normal number for every exponent of the contract. */
static inline float power_of_two(int exponent) {
    const uint32_t bits = (uint32_t)(exponent + 127) << 23;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

_Static_assert(CIRCNN_LIMIT_EXPONENT <= 126, "2^exponent must be a normal float32");

/* float32 to words: multiplied by a power of two, which is exact, limited, rounded with halves to
 * even.  Returns whether all were finite.  To count what is limited (counts is not NULL, a constant
 * wherever this is inlined), values are first limited one step further out, to +-32768. */
INLINE int words_of_floats(float scale, const float *restrict x, int16_t *restrict out,
                           size_t count, int32_t *counts) {
    const float limit = CIRCNN_VALUE_MAX + (counts ? 1 : 0);
    const float round = 12582912.0f; /* 1.5 * 2^23: adding it leaves no fraction bits */
    const int32_t round_bits = 0x4B400000;
    const uint32_t infinite = 0x7F800000u << 1; /* bits without the sign; NaN is above */
    uint32_t most = 0;
    int32_t limited = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        int32_t word;
        memcpy(&bits, &x[i], sizeof bits);
        most = bits << 1 > most ? bits << 1 : most;
        float v = x[i] * scale;
        v = v < limit ? v : limit; /* also takes care of NaN */
        v = (v > -limit ? v : -limit) + round;
        memcpy(&word, &v, sizeof word);
        word -= round_bits;
        out[i] = counts ? circnn_saturate(word, &limited) : (int16_t)word;
    }
    if (counts) *counts += limited;
    return most < infinite;
}

/* Words to float32; `unit` is 2^exponent. */
INLINE void floats_of_words(float unit, const int16_t *restrict in, float *restrict y,
                            size_t count) {
    for (size_t i = 0; i < count; i++) y[i] = (float)in[i] * unit;
}

/* Unscaled bytes to words, by the integer rule in the program's header. */
INLINE void words_of_bytes(const circnn_header *h, const uint8_t *restrict x, int16_t *restrict out,
                           size_t count, int32_t *counts) {
    const int32_t scale = h->byte_scale, bias = h->byte_bias;
    int32_t limited = 0;
    for (size_t i = 0; i < count; i++)
        out[i] = circnn_saturate(circnn_round_shift(x[i] * scale + bias, h->byte_shift), &limited);
    *counts += limited;
}

#endif
