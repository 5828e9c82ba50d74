/* The sum of two tensors, each shifted left to a common exponent. */
#ifndef CIRCNN_KINDS_ADD_H
#define CIRCNN_KINDS_ADD_H

#include "arithmetic.h"
#include "epilogue.h"
#include "kernels.h"

INLINE void finish_sum(const circnn_descriptor *d, const int16_t *restrict first,
                       const int16_t *restrict second, int16_t *restrict out, size_t count,
                       int activation, int32_t *counts) {
    const int32_t left = 1 << d->first_align, right = 1 << d->second_align;
    int32_t limited = 0;
    for (size_t i = 0; i < count; i++)
        out[i] = circnn_finish(d, activation, first[i] * left + second[i] * right, &limited);
    if (counts) *counts += limited;
}

INLINE void add_sample(const circnn_descriptor *d, const int16_t *first, const int16_t *second,
                       int16_t *out, size_t count, int32_t *counts) {
#define CALL(activation) finish_sum(d, first, second, out, count, activation, counts)
    FOR_ACTIVATION(d)
#undef CALL
}

static void add(const circnn_layer *layer, const int16_t *const *operands, int16_t *out,
                size_t samples, const circnn_work *work) {
    const circnn_descriptor *d = &layer->d;
    const int16_t *first = operands[0], *second = operands[1];
    const size_t count = circnn_out_words(d);
    for (size_t n = 0; n < samples; n++, first += count, second += count, out += count) {
        if (work->saturations) {
            int32_t limited = 0;
            add_sample(d, first, second, out, count, &limited);
            *work->saturations += limited;
        } else {
            add_sample(d, first, second, out, count, NULL);
        }
    }
}

static const circnn_kind add_kind = {.run = add};

#endif
