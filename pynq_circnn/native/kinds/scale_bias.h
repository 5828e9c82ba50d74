/* A scale and a bias for each channel, then the activation. */
#ifndef CIRCNN_KINDS_SCALE_BIAS_H
#define CIRCNN_KINDS_SCALE_BIAS_H

#include "epilogue.h"
#include "kernels.h"

static void scale_bias(const circnn_layer *layer, const int16_t *const *operands, int16_t *out,
                       size_t samples, const circnn_work *work) {
    const size_t channels = (size_t)layer->d.out_channels;
    const size_t pixels = samples * circnn_out_words(&layer->d) / channels;
    finish_pixels(layer, operands[0], channels, out, pixels, work->saturations);
}

static const circnn_kind scale_bias_kind = {.run = scale_bias};

#endif
