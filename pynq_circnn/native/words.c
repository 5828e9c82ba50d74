#include "words.h"

#include <float.h>
#include <math.h>

#include "arithmetic.h"

int64_t circnn_words_from_floats(const float *x, size_t rows, size_t words, float scale,
                                 uint8_t *to, size_t row_bytes, size_t *bad) {
    const float limit = CIRCNN_VALUE_MAX + 1;
    const float round = 12582912.0f; /* 1.5 * 2^23: adding it leaves no fraction bits */
    int64_t total = 0;
    for (size_t row = 0; row < rows; row++, x += words, to += row_bytes) {
        int16_t *out = (int16_t *)(void *)to;
        int32_t limited = 0, infinite = 0;
        for (size_t i = 0; i < words; i++) {
            infinite |= !(fabsf(x[i]) <= FLT_MAX);
            float v = x[i] * scale;
            v = v < limit ? v : limit; /* also takes care of NaN */
            v = v > -limit ? v : -limit;
            v = (v + round) - round;
            out[i] = circnn_saturate((int32_t)v, &limited);
        }
        if (infinite) {
            if (bad) *bad = row;
            return -1;
        }
        total += limited;
    }
    return total;
}

void circnn_floats_from_words(const uint8_t *from, size_t row_bytes, size_t rows, size_t words,
                              float unit, float *y) {
    for (size_t row = 0; row < rows; row++, from += row_bytes, y += words) {
        const int16_t *in = (const int16_t *)(const void *)from;
        for (size_t i = 0; i < words; i++) y[i] = (float)in[i] * unit;
    }
}
