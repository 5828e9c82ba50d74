/* The channels of two tensors, one behind the other, each shifted left to a common exponent. */
#ifndef CIRCNN_KINDS_CONCATENATE_H
#define CIRCNN_KINDS_CONCATENATE_H

#include "arithmetic.h"
#include "epilogue.h"
#include "kernels.h"

INLINE void finish_shifted(const circnn_descriptor *d, const int16_t *restrict in, int align,
                           int16_t *restrict out, size_t count, int activation, int32_t *counts) {
    const int32_t factor = 1 << align;
    int32_t limited = 0;
    for (size_t i = 0; i < count; i++)
        out[i] = circnn_finish(d, activation, in[i] * factor, &limited);
    if (counts) *counts += limited;
}

/* The channels of one operand in a pixel. */
INLINE void join_channels(const circnn_descriptor *d, const int16_t *in, int align, int16_t *out,
                          size_t count, int64_t *saturations) {
    int32_t limited = 0;
    if (saturations) {
#define CALL(activation) finish_shifted(d, in, align, out, count, activation, &limited)
        FOR_ACTIVATION(d)
#undef CALL
        *saturations += limited;
    } else {
#define CALL(activation) finish_shifted(d, in, align, out, count, activation, NULL)
        FOR_ACTIVATION(d)
#undef CALL
    }
}

static void concatenate(const circnn_layer *layer, const int16_t *const *operands, int16_t *out,
                        size_t samples, const circnn_work *work) {
    const circnn_descriptor *d = &layer->d;
    const int16_t *first = operands[0], *second = operands[1];
    const size_t channels = (size_t)d->in_channels, all = (size_t)d->out_channels;
    const size_t pixels = samples * circnn_out_words(d) / all;
    for (size_t n = 0; n < pixels; n++, first += channels, second += all - channels, out += all) {
        join_channels(d, first, d->first_align, out, channels, work->saturations);
        join_channels(d, second, d->second_align, out + channels, all - channels,
                      work->saturations);
    }
}

static const circnn_kind concatenate_kind = {.run = concatenate};

#endif
