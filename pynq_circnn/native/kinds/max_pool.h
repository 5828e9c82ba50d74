/* The largest word of each window. */
#ifndef CIRCNN_KINDS_MAX_POOL_H
#define CIRCNN_KINDS_MAX_POOL_H

#include "kernels.h"
#include "window.h"

static void max_in(const circnn_descriptor *d, const int16_t *in, extent e, int16_t *restrict out) {
    const size_t channels = (size_t)d->in_channels;
    for (size_t c = 0; c < channels; c++) out[c] = INT16_MIN;
    for (int64_t y = e.top; y < e.bottom; y++)
        for (int64_t x = e.left; x < e.right; x++) {
            const int16_t *pixel = pixel_at(d, in, y, x);
            for (size_t c = 0; c < channels; c++) out[c] = pixel[c] > out[c] ? pixel[c] : out[c];
        }
}

static void max_pool(const circnn_layer *layer, const int16_t *const *operands, int16_t *out,
                     size_t samples, const circnn_work *work) {
    const circnn_descriptor *d = &layer->d;
    const int16_t *in = operands[0];
    (void)work; /* the largest of some words is one of them: nothing is limited */
    for (size_t sample = 0; sample < samples; sample++, in += circnn_in_words(d))
        for (int64_t y = 0; y < d->out_height; y++)
            for (int64_t x = 0; x < d->out_width; x++, out += d->out_channels)
                max_in(d, in, window_at(d, y, x), out);
}

static const circnn_kind max_pool_kind = {.run = max_pool};

#endif
