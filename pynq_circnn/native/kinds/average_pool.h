/* The mean of each window: its sum times a multiplier for the pixels counted, rounded once. */
#ifndef CIRCNN_KINDS_AVERAGE_POOL_H
#define CIRCNN_KINDS_AVERAGE_POOL_H

#include <string.h>

#include "arithmetic.h"
#include "kernels.h"
#include "sizes.h"
#include "window.h"

enum { CHANNELS_AT_ONCE = 256 };

/* Sums of a window for `count` channels: at most 4,096 words each, so 28 bits. */
static void sum_in(const circnn_descriptor *d, const int16_t *in, extent e, size_t count,
                   int32_t *restrict sum) {
    memset(sum, 0, count * sizeof *sum);
    for (int64_t y = e.top; y < e.bottom; y++)
        for (int64_t x = e.left; x < e.right; x++) {
            const int16_t *pixel = pixel_at(d, in, y, x);
            for (size_t c = 0; c < count; c++) sum[c] += pixel[c];
        }
}

_Static_assert((int64_t)CIRCNN_LIMIT_POOL_AREA * CIRCNN_VALUE_MAX <= INT32_MAX,
               "the sum of a window must fit 32 bits");

static int ceil_log2(int64_t count) {
    int bits = 0;
    while (((int64_t)1 << bits) < count) bits++;
    return bits;
}

/* round_shift(sum * multiplier, shift), saturated.  Where the count is a power of two the
 * multiplier is 2^14, which is taken off the shift, so that 32 bits are enough. */
static void scale_sums(const int32_t *restrict sum, int64_t multiplier, int shift,
                       int16_t *restrict out, size_t count, int32_t *limited) {
    int32_t above = 0;
    const int power = CIRCNN_RECIPROCAL_SHIFT;
    if (multiplier == (int64_t)1 << power && shift >= power)
        for (size_t c = 0; c < count; c++)
            out[c] = circnn_saturate(circnn_round_shift(sum[c], shift - power), &above);
    else
        for (size_t c = 0; c < count; c++)
            out[c] = circnn_saturate64(circnn_round_shift64(sum[c] * multiplier, shift), &above);
    *limited += above;
}

static void mean_in(const circnn_layer *layer, const int16_t *in, extent e, int16_t *restrict out,
                    int64_t *saturations) {
    const circnn_descriptor *d = &layer->d;
    const int64_t area = (e.bottom - e.top) * (e.right - e.left);
    const int shift = d->output_shift + ceil_log2(area);
    const size_t channels = (size_t)d->out_channels;
    int32_t limited = 0;
    for (size_t first = 0; first < channels; first += CHANNELS_AT_ONCE) {
        const size_t count = least(channels - first, CHANNELS_AT_ONCE);
        int32_t sum[CHANNELS_AT_ONCE];
        sum_in(d, in + first, e, count, sum);
        scale_sums(sum, layer->scales[area - 1], shift, out + first, count, &limited);
    }
    if (saturations) *saturations += limited;
}

static void average_pool(const circnn_layer *layer, const int16_t *const *operands, int16_t *out,
                         size_t samples, const circnn_work *work) {
    const circnn_descriptor *d = &layer->d;
    const int16_t *in = operands[0];
    for (size_t sample = 0; sample < samples; sample++, in += circnn_in_words(d))
        for (int64_t y = 0; y < d->out_height; y++)
            for (int64_t x = 0; x < d->out_width; x++, out += d->out_channels)
                mean_in(layer, in, window_at(d, y, x), out, work->saturations);
}

static const circnn_kind average_pool_kind = {.run = average_pool};

#endif
