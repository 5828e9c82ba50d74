/* The engine's scalar arithmetic: in C what pynq_circnn/arithmetic/fixed.py is in Python. */
#ifndef CIRCNN_ARITHMETIC_H
#define CIRCNN_ARITHMETIC_H

#include <stdint.h>

#include "circnn_contract.h"

/* Right shifts of negative numbers are arithmetic in every compiler that this is built with. */
_Static_assert((-3 >> 1) == -2, "right shift of a negative number must round down");

static inline int32_t circnn_max(int32_t a, int32_t b) { return a > b ? a : b; }

static inline int32_t circnn_clamp(int32_t v, int32_t low, int32_t high) {
    return v < low ? low : v > high ? high : v;
}

/* Limit to +-32767 and add 1 to *count if that changed the value. */
static inline int16_t circnn_saturate(int32_t v, int32_t *count) {
    int32_t limited = circnn_clamp(v, -CIRCNN_VALUE_MAX, CIRCNN_VALUE_MAX);
    *count += limited != v;
    return (int16_t)limited;
}

static inline int16_t circnn_saturate64(int64_t v, int32_t *count) {
    int64_t limited = v < -CIRCNN_VALUE_MAX  ? -CIRCNN_VALUE_MAX
                      : v > CIRCNN_VALUE_MAX ? CIRCNN_VALUE_MAX
                                             : v;
    *count += limited != v;
    return (int16_t)limited;
}

/* (v + half) >> shift with half = 2^(shift-1), or 0 for a shift of 0: halves are rounded up. */
static inline int64_t circnn_round_shift64(int64_t v, int shift) {
    return (v + ((int64_t)1 << shift >> 1)) >> shift;
}

/* The same for sums of 32 bits and shifts up to 31; v + half may need a 33rd bit, so all but the
 * last bit is shifted out before 1 is added.  The sums of all layers are below INT32_MAX. */
static inline int32_t circnn_round_shift(int32_t v, int shift) {
    const int last = shift != 0;
    return ((v >> (shift - last)) + last) >> last;
}

static inline int32_t circnn_interpolate(const int16_t *table, int32_t word) {
    const int bits = CIRCNN_TABLE_STEP_BITS;
    int32_t step = word >> bits, rest = word - step * (1 << bits);
    const int16_t *left = table + (1 << (15 - bits)) + step;
    return left[0] + circnn_round_shift((left[1] - left[0]) * rest, bits);
}

/* The end of every epilogue: one rounding shift of a 32-bit sum, the activation, saturation. */
static inline int16_t circnn_finish(const circnn_descriptor *d, int activation, int32_t sum,
                                    int32_t *count) {
    int32_t t = circnn_round_shift(sum, d->output_shift), ignored = 0;
    switch (activation) {
    case CIRCNN_ACTIVATION_RELU:
        return circnn_saturate(t < 0 ? 0 : t, count);
    case CIRCNN_ACTIVATION_RELU6:
        /* a clip of 32767 is where 16 bits end, and what it cuts is a saturation */
        t = t < 0 ? 0 : t;
        *count += d->clip == CIRCNN_VALUE_MAX && t > CIRCNN_VALUE_MAX;
        return (int16_t)circnn_clamp(t, 0, d->clip);
    case CIRCNN_ACTIVATION_SIGMOID:
        return (int16_t)circnn_interpolate(circnn_sigmoid, circnn_saturate(t, &ignored));
    case CIRCNN_ACTIVATION_TANH:
        return (int16_t)circnn_interpolate(circnn_tanh, circnn_saturate(t, &ignored));
    case CIRCNN_ACTIVATION_LEAKY_RELU:
        t = circnn_saturate(t, count);
        return (int16_t)(t < 0 ? circnn_round_shift(t * d->slope, CIRCNN_SLOPE_SHIFT) : t);
    default:
        return circnn_saturate(t, count);
    }
}

#endif
