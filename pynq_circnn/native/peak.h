/* The peak of a processor: nothing but multiply-adds, for benchmarks. */
#ifndef CIRCNN_PEAK_H
#define CIRCNN_PEAK_H

#include "vector.h"

/* As many multiply-adds as fit the registers, again and again, on operands that the compiler
 * cannot know; returns how many. */
static int64_t multiply_adds(size_t rounds) {
    static const int16_t zeros[2 * SLOTS];
    const int16_t *volatile source = zeros;
    sums sum[2 * TILE];
    for (int i = 0; i < 2 * TILE; i++) sum[i] = (sums){0} + i; /* differ: none is left out */
    const pairs x = load_pairs(source, SLOTS);
    for (size_t round = 0; round < rounds; round++) {
        const pairs w = load_pairs(source, SLOTS);
        UNROLL for (int i = 0; i < 2 * TILE; i++) sum[i] = dot(sum[i], w, x);
    }
    volatile sums sink = sum[0];
    for (int i = 1; i < 2 * TILE; i++) sink = sink + sum[i];
    return (int64_t)rounds * 2 * TILE * 2 * SLOTS;
}

#endif
