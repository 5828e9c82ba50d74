/* The portable kernels: plain C11 that any compiler for the board or a computer understands. */
#include <string.h>

#include "kernels.h"
#include "transform.h"

/* Move the lanes' counts on, long before 32 bits can overflow. */
static void flush(int32_t *counts, int64_t *saturations) {
    FOR_LANES {
        *saturations += counts[lane];
        counts[lane] = 0;
    }
}

/* -- matrix ------------------------------------------------------------------------------------
 *
 * Spectra are stored in planes: the k/2 real parts of a block's slots, then the k/2 imaginary
 * parts, so that the product runs over neighbouring words.  Slot 0 holds two real bins and is put
 * right afterwards.  k = 1 has one real word. */

typedef struct {
    int log2, k, points; /* points = k/2, the number of complex slots */
    int slots;           /* the same, but 1 for k = 1 */
    size_t p, q, terms;  /* terms = kernel positions times q */
    size_t in_pixels, out_pixels;
} matrix_shape;

static matrix_shape shape_of(const circnn_descriptor *d) {
    matrix_shape s;
    s.log2 = d->block_log2;
    s.k = 1 << s.log2;
    s.points = s.k / 2;
    s.slots = s.k == 1 ? 1 : s.points;
    s.p = (size_t)d->block_rows;
    s.q = (size_t)d->block_columns;
    s.terms = (size_t)d->kernel_height * (size_t)d->kernel_width * s.q;
    s.in_pixels = (size_t)d->in_height * (size_t)d->in_width;
    s.out_pixels = (size_t)d->out_height * (size_t)d->out_width;
    return s;
}

static size_t prepared_bytes(const circnn_layer *layer) {
    const matrix_shape s = shape_of(&layer->d);
    return s.p * s.terms * (size_t)s.k * sizeof(int16_t);
}

static void prepare(circnn_layer *layer) {
    const matrix_shape s = shape_of(&layer->d);
    int16_t *planes = layer->prepared;
    if (s.k == 1) {
        memcpy(planes, layer->weights, prepared_bytes(layer));
        return;
    }
    for (size_t block = 0; block < s.p * s.terms; block++) {
        const int16_t *packed = layer->weights + block * (size_t)s.k;
        int16_t *plane = planes + block * (size_t)s.k;
        for (int slot = 0; slot < s.points; slot++) {
            plane[slot] = packed[2 * slot];
            plane[slot + s.points] = packed[2 * slot + 1];
        }
    }
}

static size_t scratch_bytes(const circnn_layer *layer) {
    const matrix_shape s = shape_of(&layer->d);
    return (s.in_pixels * s.q + s.out_pixels * s.p) * (size_t)s.k * sizeof(int16_t);
}

/* Transform the blocks `first` ... `first + lanes - 1` of all pixels' blocks into planes. */
static void forward_lanes(const circnn_layer *layer, const matrix_shape *s, const int16_t *in,
                          int16_t *spectra, size_t first, int lanes, int32_t *counts) {
    const size_t channels = (size_t)layer->d.in_channels;
    complex_block z;
    memset(z.re, 0, sizeof(lane_words) * (size_t)s->points);
    memset(z.im, 0, sizeof(lane_words) * (size_t)s->points);
    for (int lane = 0; lane < lanes; lane++) {
        const size_t pixel = (first + (size_t)lane) / s->q, column = (first + (size_t)lane) % s->q;
        const size_t begin = column * (size_t)s->k, left = channels - begin;
        const int16_t *x = in + pixel * channels + begin;
        const int words = left < (size_t)s->k ? (int)left : s->k;
        for (int n = 0; n < words; n++) (n & 1 ? z.im : z.re)[n / 2][lane] = x[n];
    }
    forward_transform(&z, s->log2, layer->d.forward_shifts, counts);
    for (int lane = 0; lane < lanes; lane++) {
        int16_t *plane = spectra + (first + (size_t)lane) * (size_t)s->k;
        for (int slot = 0; slot < s->points; slot++) {
            plane[slot] = z.re[slot][lane];
            plane[slot + s->points] = z.im[slot][lane];
        }
    }
}

static void forward_blocks(const circnn_layer *layer, const matrix_shape *s, const int16_t *in,
                           int16_t *spectra, size_t pixels, int64_t *saturations) {
    lane_counts counts = {0};
    const size_t blocks = pixels * s->q;
    if (s->k == 1) {
        memcpy(spectra, in, blocks * sizeof(int16_t));
        return;
    }
    for (size_t first = 0; first < blocks; first += LANES) {
        const size_t lanes = blocks - first < LANES ? blocks - first : LANES;
        forward_lanes(layer, s, in, spectra, first, (int)lanes, counts);
        flush(counts, saturations);
    }
}

/* acc += w * x for every slot of one block.  A complex product of 16-bit words fits 32 bits. */
static void multiply_accumulate(const int16_t *restrict w, const int16_t *restrict x, int points,
                                int64_t *restrict acc_re, int64_t *restrict acc_im) {
    const int16_t *w_im = w + points, *x_im = x + points;
    for (int slot = 0; slot < points; slot++) {
        acc_re[slot] += w[slot] * x[slot] - w_im[slot] * x_im[slot];
        acc_im[slot] += w[slot] * x_im[slot] + w_im[slot] * x[slot];
    }
}

typedef struct {
    int64_t re[MAX_POINTS], im[MAX_POINTS];
} accumulator;

/* The sum over one row of blocks for one output pixel, `count` blocks at a time. */
static void accumulate(const matrix_shape *s, const int16_t *w, const int16_t *x, size_t count,
                       accumulator *acc) {
    if (s->k == 1) {
        for (size_t j = 0; j < count; j++) acc->re[0] += w[j] * x[j];
        return;
    }
    for (size_t j = 0; j < count; j++) {
        const int16_t *wj = w + j * (size_t)s->k, *xj = x + j * (size_t)s->k;
        const int64_t re = acc->re[0], im = acc->im[0];
        multiply_accumulate(wj, xj, s->points, acc->re, acc->im);
        acc->re[0] = re + wj[0] * xj[0]; /* slot 0: two real bins */
        acc->im[0] = im + wj[s->points] * xj[s->points];
    }
}

static void store_sums(const circnn_layer *layer, const matrix_shape *s, const accumulator *acc,
                       int16_t *sums, int32_t *counts) {
    const int shift = layer->d.accumulate_shift;
    for (int slot = 0; slot < s->slots; slot++)
        sums[slot] = circnn_saturate64(circnn_round_shift64(acc->re[slot], shift), counts);
    for (int slot = 0; slot < s->points; slot++)
        sums[slot + s->points] =
            circnn_saturate64(circnn_round_shift64(acc->im[slot], shift), counts);
}

/* The product for one output pixel: every kernel position that lies in the image. */
static void product_pixel(const circnn_layer *layer, const matrix_shape *s, const int16_t *spectra,
                          int16_t *sums, int64_t top, int64_t left, int32_t *counts) {
    const circnn_descriptor *d = &layer->d;
    const size_t k = (size_t)s->k, row_words = (size_t)d->kernel_width * s->q * k;
    for (size_t row = 0; row < s->p; row++) {
        const int16_t *weights = (const int16_t *)layer->prepared + row * s->terms * k;
        accumulator acc;
        memset(acc.re, 0, sizeof *acc.re * (size_t)s->slots);
        memset(acc.im, 0, sizeof *acc.im * (size_t)s->slots);
        for (int u = 0; u < d->kernel_height; u++) {
            const int64_t y = top + u;
            if (y < 0 || y >= d->in_height) continue;
            for (int v = 0; v < d->kernel_width; v++) {
                const int64_t x = left + v;
                if (x < 0 || x >= d->in_width) continue;
                const size_t pixel = (size_t)y * (size_t)d->in_width + (size_t)x;
                accumulate(s, weights + (size_t)u * row_words + (size_t)v * s->q * k,
                           spectra + pixel * s->q * k, s->q, &acc);
            }
        }
        store_sums(layer, s, &acc, sums + row * k, counts);
    }
}

/* Transform sums back and run the epilogue, for blocks `first` ... of all output pixels' blocks. */
static void inverse_lanes(const circnn_layer *layer, const matrix_shape *s, const int16_t *sums,
                          int16_t *out, size_t first, int lanes, int32_t *counts) {
    const size_t channels = (size_t)layer->d.out_channels;
    complex_block z;
    memset(z.re, 0, sizeof(lane_words) * (size_t)s->slots);
    memset(z.im, 0, sizeof(lane_words) * (size_t)s->slots);
    for (int lane = 0; lane < lanes; lane++) {
        const int16_t *plane = sums + (first + (size_t)lane) * (size_t)s->k;
        if (s->k == 1) z.re[0][lane] = plane[0];
        for (int slot = 0; slot < s->points; slot++) {
            z.re[slot][lane] = plane[slot];
            z.im[slot][lane] = plane[slot + s->points];
        }
    }
    if (s->k > 1) inverse_transform(&z, s->log2, layer->d.inverse_shifts, counts);
    for (int lane = 0; lane < lanes; lane++) {
        const size_t pixel = (first + (size_t)lane) / s->p, row = (first + (size_t)lane) % s->p;
        const size_t begin = row * (size_t)s->k, left = channels - begin;
        int16_t *y = out + pixel * channels + begin;
        const int words = left < (size_t)s->k ? (int)left : s->k;
        for (int n = 0; n < words; n++) {
            const int32_t value = (n & 1 ? z.im : z.re)[n / 2][lane];
            const int32_t t = value * layer->scales[begin + (size_t)n] +
                              layer->biases[begin + (size_t)n];
            y[n] = circnn_finish(&layer->d, t, &counts[lane]);
        }
    }
}

static void matrix(const circnn_layer *layer, const int16_t *in, int16_t *out, size_t samples,
                   int64_t *saturations, void *scratch) {
    const circnn_descriptor *d = &layer->d;
    const matrix_shape s = shape_of(d);
    int16_t *spectra = scratch;
    int16_t *sums = spectra + samples * s.in_pixels * s.q * (size_t)s.k;
    lane_counts counts = {0};

    forward_blocks(layer, &s, in, spectra, samples * s.in_pixels, saturations);
    for (size_t sample = 0; sample < samples; sample++) {
        const int16_t *image = spectra + sample * s.in_pixels * s.q * (size_t)s.k;
        int16_t *pixel = sums + sample * s.out_pixels * s.p * (size_t)s.k;
        for (int64_t y = 0; y < d->out_height; y++)
            for (int64_t x = 0; x < d->out_width; x++, pixel += s.p * (size_t)s.k) {
                product_pixel(layer, &s, image, pixel, y * d->stride_height - d->pad_top,
                              x * d->stride_width - d->pad_left, counts);
                flush(counts, saturations);
            }
    }
    const size_t blocks = samples * s.out_pixels * s.p;
    for (size_t first = 0; first < blocks; first += LANES) {
        const size_t lanes = blocks - first < LANES ? blocks - first : LANES;
        inverse_lanes(layer, &s, sums, out, first, (int)lanes, counts);
        flush(counts, saturations);
    }
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

static int16_t max_in(const circnn_descriptor *d, const int16_t *in, extent e, size_t channel) {
    int16_t largest = -CIRCNN_VALUE_MAX - 1;
    for (int64_t y = e.top; y < e.bottom; y++)
        for (int64_t x = e.left; x < e.right; x++) {
            const int16_t value =
                in[((size_t)y * (size_t)d->in_width + (size_t)x) * (size_t)d->in_channels + channel];
            if (value > largest) largest = value;
        }
    return largest;
}

static int32_t sum_in(const circnn_descriptor *d, const int16_t *in, extent e, size_t channel) {
    int32_t sum = 0;
    for (int64_t y = e.top; y < e.bottom; y++)
        for (int64_t x = e.left; x < e.right; x++)
            sum += in[((size_t)y * (size_t)d->in_width + (size_t)x) * (size_t)d->in_channels +
                      channel];
    return sum;
}

static int ceil_log2(int64_t count) {
    int bits = 0;
    while (((int64_t)1 << bits) < count) bits++;
    return bits;
}

static void max_pool(const circnn_layer *layer, const int16_t *in, int16_t *out, size_t samples,
                     int64_t *saturations) {
    const circnn_descriptor *d = &layer->d;
    (void)saturations;
    for (size_t sample = 0; sample < samples; sample++, in += circnn_in_words(d))
        for (int64_t y = 0; y < d->out_height; y++)
            for (int64_t x = 0; x < d->out_width; x++) {
                const extent e = window_at(d, y, x);
                for (size_t channel = 0; channel < (size_t)d->out_channels; channel++)
                    *out++ = max_in(d, in, e, channel);
            }
}

static void average_pool(const circnn_layer *layer, const int16_t *in, int16_t *out,
                         size_t samples, int64_t *saturations) {
    const circnn_descriptor *d = &layer->d;
    for (size_t sample = 0; sample < samples; sample++, in += circnn_in_words(d))
        for (int64_t y = 0; y < d->out_height; y++)
            for (int64_t x = 0; x < d->out_width; x++) {
                const extent e = window_at(d, y, x);
                const int64_t count = (e.bottom - e.top) * (e.right - e.left);
                const int shift = d->output_shift + ceil_log2(count);
                const int64_t multiplier = layer->scales[count - 1];
                int32_t limited = 0;
                for (size_t channel = 0; channel < (size_t)d->out_channels; channel++) {
                    const int64_t sum = sum_in(d, in, e, channel) * multiplier;
                    *out++ = circnn_saturate64(circnn_round_shift64(sum, shift), &limited);
                }
                *saturations += limited;
            }
}

/* -- element by element ------------------------------------------------------------------------*/

static void scale_bias(const circnn_layer *layer, const int16_t *in, int16_t *out, size_t samples,
                       int64_t *saturations) {
    const circnn_descriptor *d = &layer->d;
    const size_t channels = (size_t)d->out_channels;
    for (size_t pixel = 0; pixel < samples * circnn_out_words(d) / channels; pixel++) {
        int32_t limited = 0;
        for (size_t channel = 0; channel < channels; channel++) {
            const int32_t t = *in++ * layer->scales[channel] + layer->biases[channel];
            *out++ = circnn_finish(d, t, &limited);
        }
        *saturations += limited;
    }
}

static void add(const circnn_layer *layer, const int16_t *first, const int16_t *second,
                int16_t *out, size_t samples, int64_t *saturations) {
    const circnn_descriptor *d = &layer->d;
    const int32_t left = 1 << d->first_align, right = 1 << d->second_align;
    for (size_t word = 0; word < samples * circnn_out_words(d); word++) {
        int32_t limited = 0;
        out[word] = circnn_finish(d, first[word] * left + second[word] * right, &limited);
        *saturations += limited;
    }
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

const circnn_kernels *circnn_portable_kernels(void) {
    static const circnn_kernels kernels = {
        .name = "portable",
        .prepared_bytes = prepared_bytes,
        .prepare = prepare,
        .scratch_bytes = scratch_bytes,
        .matrix = matrix,
        .max_pool = max_pool,
        .average_pool = average_pool,
        .scale_bias = scale_bias,
        .pad = pad,
        .add = add,
    };
    return &kernels;
}
