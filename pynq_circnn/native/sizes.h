/* Arithmetic on sizes. */
#ifndef CIRCNN_SIZES_H
#define CIRCNN_SIZES_H

#include <stddef.h>

enum { ALIGN_BYTES = 64 }; /* a cache line, and the largest vector */

static inline size_t aligned(size_t bytes) {
    return (bytes + ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES;
}

static inline size_t least(size_t a, size_t b) { return a < b ? a : b; }

static inline size_t ratio_up(size_t a, size_t b) { return (a + b - 1) / b; }

#endif
