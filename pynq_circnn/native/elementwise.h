/* What is done word by word, in plain loops that every compiler turns into vector instructions.
 *
 * An argument that is constant at each call (`activation`, `counts` being NULL) selects code when
 * it is compiled. */
#ifndef CIRCNN_ELEMENTWISE_H
#define CIRCNN_ELEMENTWISE_H

#include <string.h>

#include "arithmetic.h"
#include "kernels.h"
#include "vector.h"

/* -- the end of every epilogue -----------------------------------------------------------------
 *
 * out = finish(in * scale + bias), or of the sum of two inputs times powers of two. */

INLINE void finish_scaled(const circnn_descriptor *d, const int16_t *restrict in,
                          const int16_t *restrict scales, const int32_t *restrict biases,
                          int16_t *restrict out, size_t count, int activation, int32_t *counts) {
    int32_t limited = 0;
    for (size_t i = 0; i < count; i++)
        out[i] = circnn_finish(d, activation, in[i] * scales[i] + biases[i], &limited);
    if (counts) *counts += limited;
}

INLINE void finish_sum(const circnn_descriptor *d, const int16_t *restrict first,
                       const int16_t *restrict second, int16_t *restrict out, size_t count,
                       int activation, int32_t *counts) {
    const int32_t left = 1 << d->first_align, right = 1 << d->second_align;
    int32_t limited = 0;
    for (size_t i = 0; i < count; i++)
        out[i] = circnn_finish(d, activation, first[i] * left + second[i] * right, &limited);
    if (counts) *counts += limited;
}

/* CALL(activation, counts) with the layer's activation as a constant. */
#define FOR_ACTIVATION(d, CALL, counts)                                                           \
    switch ((d)->activation) {                                                                    \
    case CIRCNN_ACTIVATION_LINEAR:                                                                \
        CALL(CIRCNN_ACTIVATION_LINEAR, counts);                                                   \
        break;                                                                                    \
    case CIRCNN_ACTIVATION_RELU:                                                                  \
        CALL(CIRCNN_ACTIVATION_RELU, counts);                                                     \
        break;                                                                                    \
    case CIRCNN_ACTIVATION_RELU6:                                                                 \
        CALL(CIRCNN_ACTIVATION_RELU6, counts);                                                    \
        break;                                                                                    \
    case CIRCNN_ACTIVATION_LEAKY_RELU:                                                            \
        CALL(CIRCNN_ACTIVATION_LEAKY_RELU, counts);                                               \
        break;                                                                                    \
    case CIRCNN_ACTIVATION_SIGMOID:                                                               \
        CALL(CIRCNN_ACTIVATION_SIGMOID, counts);                                                  \
        break;                                                                                    \
    default:                                                                                      \
        CALL(CIRCNN_ACTIVATION_TANH, counts);                                                     \
    }

/* The epilogue of `pixels` pixels, of which the input has `pitch` words and the output one word
 * a channel. */
static void scale_pixels(const circnn_layer *layer, const int16_t *in, size_t pitch, int16_t *out,
                         size_t pixels, int64_t *saturations) {
    const circnn_descriptor *d = &layer->d;
    const size_t channels = (size_t)d->out_channels;
#define CALL(activation, counts)                                                                  \
    finish_scaled(d, in, layer->scales, layer->biases, out, channels, activation, counts)
    for (size_t n = 0; n < pixels; n++, in += pitch, out += channels) {
        if (saturations) {
            int32_t limited = 0;
            FOR_ACTIVATION(d, CALL, &limited)
            *saturations += limited;
        } else {
            FOR_ACTIVATION(d, CALL, NULL)
        }
    }
#undef CALL
}

static void scale_bias(const circnn_layer *layer, const int16_t *in, int16_t *out, size_t samples,
                       int64_t *saturations) {
    const size_t channels = (size_t)layer->d.out_channels;
    const size_t pixels = samples * circnn_out_words(&layer->d) / channels;
    scale_pixels(layer, in, channels, out, pixels, saturations);
}

static void add(const circnn_layer *layer, const int16_t *first, const int16_t *second,
                int16_t *out, size_t samples, int64_t *saturations) {
    const circnn_descriptor *d = &layer->d;
    const size_t count = circnn_out_words(d);
#define CALL(activation, counts) finish_sum(d, first, second, out, count, activation, counts)
    for (size_t n = 0; n < samples; n++, first += count, second += count, out += count) {
        if (saturations) {
            int32_t limited = 0;
            FOR_ACTIVATION(d, CALL, &limited)
            *saturations += limited;
        } else {
            FOR_ACTIVATION(d, CALL, NULL)
        }
    }
#undef CALL
}

/* -- pools -------------------------------------------------------------------------------------*/

typedef struct {
    int64_t top, bottom, left, right; /* what of a window lies in the image */
} extent;

static extent window_at(const circnn_descriptor *d, int64_t y, int64_t x) {
    const int64_t top = y * d->stride_height - d->pad_top;
    const int64_t left = x * d->stride_width - d->pad_left;
    extent e = {top < 0 ? 0 : top, top + d->kernel_height, left < 0 ? 0 : left,
                left + d->kernel_width};
    if (e.bottom > d->in_height) e.bottom = d->in_height;
    if (e.right > d->in_width) e.right = d->in_width;
    return e;
}

static void max_in(const circnn_descriptor *d, const int16_t *in, extent e, int16_t *restrict out) {
    const size_t channels = (size_t)d->in_channels;
    for (size_t c = 0; c < channels; c++) out[c] = INT16_MIN;
    for (int64_t y = e.top; y < e.bottom; y++)
        for (int64_t x = e.left; x < e.right; x++) {
            const int16_t *pixel = in + ((size_t)y * (size_t)d->in_width + (size_t)x) * channels;
            for (size_t c = 0; c < channels; c++) out[c] = pixel[c] > out[c] ? pixel[c] : out[c];
        }
}

static void max_pool(const circnn_layer *layer, const int16_t *in, int16_t *out, size_t samples,
                     int64_t *saturations) {
    const circnn_descriptor *d = &layer->d;
    (void)saturations; /* the largest of some words is one of them */
    for (size_t sample = 0; sample < samples; sample++, in += circnn_in_words(d))
        for (int64_t y = 0; y < d->out_height; y++)
            for (int64_t x = 0; x < d->out_width; x++, out += d->out_channels)
                max_in(d, in, window_at(d, y, x), out);
}

enum { CHANNELS_AT_ONCE = 256 };

/* Sums of a window for `count` channels: at most 4,096 words each, so 28 bits. */
static void sum_in(const circnn_descriptor *d, const int16_t *in, extent e, size_t count,
                   int32_t *restrict sum) {
    memset(sum, 0, count * sizeof *sum);
    for (int64_t y = e.top; y < e.bottom; y++)
        for (int64_t x = e.left; x < e.right; x++) {
            const int16_t *pixel = in + ((size_t)y * (size_t)d->in_width + (size_t)x) *
                                            (size_t)d->in_channels;
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

/* round_shift(sum * multiplier, shift), saturated.  Where the count is a power of two the multiplier
 * is 2^14, which is taken off the shift, so that 32 bits are enough. */
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
        const size_t left = channels - first;
        const size_t count = left < CHANNELS_AT_ONCE ? left : CHANNELS_AT_ONCE;
        int32_t sum[CHANNELS_AT_ONCE];
        sum_in(d, in + first, e, count, sum);
        scale_sums(sum, layer->scales[area - 1], shift, out + first, count, &limited);
    }
    if (saturations) *saturations += limited;
}

static void average_pool(const circnn_layer *layer, const int16_t *in, int16_t *out,
                         size_t samples, int64_t *saturations) {
    const circnn_descriptor *d = &layer->d;
    for (size_t sample = 0; sample < samples; sample++, in += circnn_in_words(d))
        for (int64_t y = 0; y < d->out_height; y++)
            for (int64_t x = 0; x < d->out_width; x++, out += d->out_channels)
                mean_in(layer, in, window_at(d, y, x), out, saturations);
}

static void pad(const circnn_layer *layer, const int16_t *in, int16_t *out, size_t samples,
                int64_t *saturations) {
    const circnn_descriptor *d = &layer->d;
    const size_t in_row = (size_t)d->in_width * (size_t)d->in_channels;
    const size_t out_row = (size_t)d->out_width * (size_t)d->out_channels;
    const size_t begin =
        (size_t)d->pad_top * out_row + (size_t)d->pad_left * (size_t)d->out_channels;
    (void)saturations;
    memset(out, 0, samples * circnn_out_words(d) * sizeof *out);
    for (size_t sample = 0; sample < samples; sample++, out += circnn_out_words(d))
        for (size_t y = 0; y < (size_t)d->in_height; y++, in += in_row)
            memcpy(out + begin + y * out_row, in, in_row * sizeof *in);
}

/* -- the host's side ---------------------------------------------------------------------------*/

/* 2^exponent, which is a normal number for every exponent of the contract. */
static float power_of_two(int exponent) {
    const uint32_t bits = (uint32_t)(exponent + 127) << 23;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

_Static_assert(CIRCNN_LIMIT_EXPONENT <= 126, "2^exponent must be a normal float32");

/* float32 to words: scaled exactly by a power of two, limited, rounded with halves to even.  What
 * is limited to 32767 beforehand rounds to what is limited afterwards, but cannot be counted. */
INLINE int quantize_words(const circnn_header *h, const float *restrict x, int16_t *restrict out,
                          size_t count, int32_t *counts) {
    const float scale = power_of_two(-h->input_exponent);
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

static int quantize(const circnn_header *h, const float *restrict x, int16_t *restrict out,
                    size_t count, int64_t *saturations) {
    int32_t limited = 0;
    if (!saturations) return quantize_words(h, x, out, count, NULL);
    const int finite = quantize_words(h, x, out, count, &limited);
    *saturations += limited;
    return finite;
}

static void quantize_bytes(const circnn_header *h, const uint8_t *restrict x,
                           int16_t *restrict out, size_t count, int64_t *saturations) {
    const int32_t scale = h->byte_scale, bias = h->byte_bias;
    int32_t limited = 0;
    for (size_t i = 0; i < count; i++)
        out[i] = circnn_saturate(circnn_round_shift(x[i] * scale + bias, h->byte_shift), &limited);
    if (saturations) *saturations += limited;
}

static void dequantize(const circnn_header *h, const int16_t *restrict in, float *restrict y,
                       size_t count) {
    const float scale = power_of_two(h->output_exponent);
    for (size_t i = 0; i < count; i++) y[i] = (float)in[i] * scale;
}

#endif
