/* The epilogue, the last step of most kinds: rounding shift, activation, saturation, in plain loops
 * that every compiler turns into vector instructions.
 *
 * `activation` and `counts` being NULL are constants wherever these functions are inlined, so that
 * each combination is compiled to a loop of its own, without a test inside. */
#ifndef CIRCNN_EPILOGUE_H
#define CIRCNN_EPILOGUE_H

#include "arithmetic.h"
#include "compiler.h"
#include "kernels.h"

/* Run CALL(activation) with the activation of the layer as a constant. */
#define FOR_ACTIVATION(d) \
    switch ((d)->activation) { CIRCNN_FOR_ACTIVATIONS(ACTIVATION_CASE) }
#define ACTIVATION_CASE(NAME, name)     \
    case CIRCNN_ACTIVATION_##NAME:      \
        CALL(CIRCNN_ACTIVATION_##NAME); \
        break;

/* out = finish(in * scale + bias) for `count` channels. */
INLINE void finish_scaled(const circnn_descriptor *d, const int16_t *restrict in,
                          const int16_t *restrict scales, const int32_t *restrict biases,
                          int16_t *restrict out, size_t count, int activation, int32_t *counts) {
    int32_t limited = 0;
    for (size_t i = 0; i < count; i++)
        out[i] = circnn_finish(d, activation, in[i] * scales[i] + biases[i], &limited);
    if (counts) *counts += limited;
}

INLINE void finish_pixel(const circnn_layer *layer, const int16_t *in, int16_t *out,
                         size_t channels, int32_t *counts) {
#define CALL(activation) \
    finish_scaled(&layer->d, in, layer->scales, layer->biases, out, channels, activation, counts)
    FOR_ACTIVATION(&layer->d)
#undef CALL
}

/* Scale, bias and activation of `pixels` pixels. The input has `pitch` words from one pixel to the
 * next, the output one word a channel. */
static void finish_pixels(const circnn_layer *layer, const int16_t *in, size_t pitch, int16_t *out,
                          size_t pixels, int64_t *saturations) {
    const size_t channels = (size_t)layer->d.out_channels;
    for (size_t n = 0; n < pixels; n++, in += pitch, out += channels) {
        if (saturations) {
            int32_t limited = 0;
            finish_pixel(layer, in, out, channels, &limited);
            *saturations += limited;
        } else {
            finish_pixel(layer, in, out, channels, NULL);
        }
    }
}

#endif
