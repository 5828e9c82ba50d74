/* The walk of a matrix layer over its samples, tile by tile: within a tile the transforms of the
 * input, then the products by groups of output pixels, then inverse transforms and epilogue. */
#ifndef CIRCNN_MATRIX_EXECUTION_H
#define CIRCNN_MATRIX_EXECUTION_H

#include <string.h>

#include "epilogue.h"
#include "kernels.h"
#include "matrix/planning.h"
#include "matrix/product.h"
#include "matrix/transforms.h"
#include "sizes.h"

/* Transform whole pixels; where they are not made of whole blocks they are padded first. */
static void forward_pixels(const circnn_layer *layer, const matrix_plan *m, const int16_t *in,
                           size_t pixels, int16_t *spectra, int16_t *staging,
                           int64_t *saturations) {
    const size_t channels = (size_t)layer->d.in_channels, count = pixels * m->pixel_words;
    if (!m->direct) {
        for (size_t n = 0; n < pixels; n++) {
            memcpy(staging + n * m->pixel_words, in + n * channels, channels * sizeof *in);
            memset(staging + n * m->pixel_words + channels, 0,
                   (m->pixel_words - channels) * sizeof *in);
        }
        memset(staging + count, 0, ROW * sizeof *in);
        in = staging;
    }
    forward(layer, m, in, count, spectra, saturations);
}

/* Transform one row of an image into its place in the ring. */
static void forward_row(const circnn_layer *layer, const matrix_plan *m, const int16_t *image,
                        size_t y, int16_t *spectra, int16_t *staging, int64_t *saturations) {
    const size_t width = (size_t)layer->d.in_width, channels = (size_t)layer->d.in_channels;
    forward_pixels(layer, m, image + y * width * channels, width,
                   spectra + y % m->ring * m->row_pitch, staging, saturations);
}

/* For each kernel position, the spectra of the pixel that it reads for one output pixel.  `slot` is
 * the place of the window's first row in the ring. */
static void point_to_pixels(const circnn_descriptor *d, const matrix_plan *m,
                            const int16_t *spectra, const int16_t *zeros, size_t slot, int64_t top,
                            int64_t left, const int16_t **pixels) {
    const int whole = left >= 0 && left + d->kernel_width <= d->in_width;
    if (whole && top >= 0 && top + d->kernel_height <= d->in_height &&
        slot + (size_t)d->kernel_height <= m->ring) {
        const int16_t *first = spectra + slot * m->row_pitch + (size_t)left * m->pixel_words;
        for (size_t n = 0; n < m->positions; n++) pixels[n] = first + m->offsets[n];
        return;
    }
    for (int64_t u = top; u < top + d->kernel_height; u++) {
        const int16_t *line = spectra + slot * m->row_pitch;
        const int row_inside = u >= 0 && u < d->in_height;
        if (++slot == m->ring) slot = 0;
        for (int64_t v = left; v < left + d->kernel_width; v++) {
            const int inside = row_inside && v >= 0 && v < d->in_width;
            *pixels++ = inside ? line + (size_t)v * m->pixel_words : zeros;
        }
    }
}

/* All products of the output rows `from` ... `to - 1` of some samples. */
static void product_rows(const circnn_layer *layer, const matrix_plan *m, const int16_t *spectra,
                         size_t samples, size_t from, size_t to, int16_t *blocks,
                         const int16_t **pixels, int64_t *saturations) {
    const circnn_descriptor *d = &layer->d;
    const int64_t ring = (int64_t)m->ring;
    size_t count = 0;
    for (size_t sample = 0; sample < samples; sample++)
        for (size_t y = from; y < to; y++) {
            const int16_t *image = spectra + sample * m->ring * m->row_pitch;
            const int64_t top = (int64_t)y * d->stride_height - d->pad_top;
            const size_t slot = (size_t)((top % ring + ring) % ring);
            for (size_t x = 0; x < (size_t)d->out_width; x++) {
                const int64_t left = (int64_t)x * d->stride_width - d->pad_left;
                point_to_pixels(d, m, image, spectra + m->zeros, slot, top, left,
                                pixels + count * m->positions);
                if (++count < GROUP) continue;
                products(m, pixels, count, blocks, saturations);
                blocks += count * m->sum_words;
                count = 0;
            }
        }
    products(m, pixels, count, blocks, saturations);
}

static void matrix_tile(const circnn_layer *layer, const matrix_plan *m, const int16_t *in,
                        int16_t *out, size_t samples, int64_t *saturations, uint8_t *scratch,
                        circnn_clock *clock) {
    const circnn_descriptor *d = &layer->d;
    const size_t width = (size_t)d->in_width, height = (size_t)d->out_height;
    const int banded = m->band < height;
    int16_t *spectra = (int16_t *)(void *)scratch;
    int16_t *staging = (int16_t *)(void *)(scratch + m->staging);
    int16_t *blocks = (int16_t *)(void *)(scratch + m->sums);
    const int16_t **pixels = (const int16_t **)(void *)(scratch + m->pointers);
    size_t transformed = 0; /* input rows, where the tile is a band */

    if (!banded)
        forward_pixels(layer, m, in, samples * m->ring * width, spectra, staging, saturations);
    for (size_t from = 0; from < height; from += m->band) {
        const size_t to = least(from + m->band, height);
        if (banded) {
            const int64_t under = (int64_t)(to - 1) * d->stride_height - d->pad_top +
                                  d->kernel_height;
            const size_t end = under < 0 ? 0 : least((size_t)under, (size_t)d->in_height);
            for (; transformed < end; transformed++)
                forward_row(layer, m, in, transformed, spectra, staging, saturations);
        }
        const size_t count = samples * (to - from) * (size_t)d->out_width;
        circnn_lap(clock, CIRCNN_TRANSFORM);
        product_rows(layer, m, spectra, samples, from, to, blocks, pixels, saturations);
        circnn_lap(clock, CIRCNN_PRODUCT);
        inverse(layer, m, blocks, count * m->sum_words, saturations);
        circnn_lap(clock, CIRCNN_TRANSFORM);
        finish_pixels(layer, blocks, m->sum_words, out, count, saturations);
        circnn_lap(clock, CIRCNN_EPILOGUE);
        out += count * (size_t)d->out_channels;
    }
    if (banded && saturations) /* saturations count in rows that no window reads, too */
        for (; transformed < (size_t)d->in_height; transformed++)
            forward_row(layer, m, in, transformed, spectra, staging, saturations);
}

static void run_matrix(const circnn_layer *layer, const int16_t *const *operands, int16_t *out,
                       size_t samples, const circnn_work *work) {
    const matrix_plan *m = layer->prepared;
    const int16_t *in = operands[0];
    if (m->padded) {
        int16_t *zeros = (int16_t *)work->scratch + m->zeros;
        memset(zeros, 0, m->pixel_words * sizeof *zeros);
        memset(zeros + m->plane, 0, m->pixel_words * sizeof *zeros);
    }
    for (size_t first = 0; first < samples; first += m->samples)
        matrix_tile(layer, m, in + first * circnn_in_words(&layer->d),
                    out + first * circnn_out_words(&layer->d), least(m->samples, samples - first),
                    work->saturations, work->scratch, work->clock);
}

#endif
