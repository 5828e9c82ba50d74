/* The plan of a matrix layer: its shape in vectors, the order of its prepared weights, the tiles of
 * samples or rows, and where everything lies in the scratch memory.
 *
 * Every block of every pixel is transformed once, and all kernel positions read its spectrum.
 * Work goes tile by tile, a tile being some samples, or a band of rows of one large image, so that
 * a tile's spectra and sums stay in the cache and the scratch memory is bounded. */
#ifndef CIRCNN_MATRIX_PLANNING_H
#define CIRCNN_MATRIX_PLANNING_H

#include "arithmetic.h"
#include "kernels.h"
#include "sizes.h"
#include "vector.h"

enum {
    PAIR_WORDS = 2 * SLOTS, /* of a vector */
    GROUP = 16, /* output pixels for which the weights are read once */
    TILE_BYTES = 192 << 10, /* scratch memory that a tile may take: a part of a level 2 cache */
};

/* Neighbouring terms of one kernel position.  A run is as many terms as 32-bit sums hold exactly;
 * where one ends, the sums are widened. */
typedef struct {
    uint32_t position, begin, count, ends_run;
} segment;

typedef struct matrix_plan matrix_plan;

/* Multiply some vectors of weights by the spectra of some pixels and store the sums. */
typedef void product_kernel(const matrix_plan *m, const int16_t *weights,
                            const int16_t *const *pixels, size_t chunk, size_t vector, int16_t *out,
                            int64_t *saturations);

/* Kernels for four vectors of weights and one pixel, one vector and one pixel, and one vector and
 * TILE pixels. */
typedef struct {
    product_kernel *four, *one, *one_many;
} product_kernels;

struct matrix_plan {
    /* the shape */
    int log2, k;
    int slots; /* complex slots of a block; 1 for k = 1 */
    size_t rows, positions;
    size_t terms; /* of one position: blocks, or pairs of inputs for k = 1 */
    size_t term_words; /* from a term to the next, in a plane */
    size_t pixel_words; /* of a pixel, in a plane */
    size_t sum_words; /* of an output pixel, before the inverse transform */
    size_t rows_per_vector; /* of weights: a vector holds several rows of small blocks ... */
    size_t chunks; /* ... or a chunk of one row of a large one */
    size_t vectors; /* over all rows, for one chunk */
    int shift; /* of the sums */
    int widens; /* whether some sums need more than 32 bits */
    int direct; /* whether pixels are whole blocks, read where they lie */
    int padded; /* whether windows reach over the edge of the image */

    /* the tile */
    size_t samples; /* whole samples of a tile, or one ... */
    size_t band; /* ... of which a tile is this many output rows */
    size_t ring; /* input rows of a sample whose spectra are held, in a ring */
    size_t row_pitch; /* from one of them to the next, in words */
    size_t plane, zeros; /* words from plane 1 to 2, and to a pixel of zeros in a plane */
    size_t staging, sums, pointers, scratch; /* where the parts of the scratch begin, in bytes */

    /* what is prepared */
    product_kernels products;
    int16_t *weights;
    segment *runs;
    size_t segments;
    size_t *offsets; /* of each kernel position, for windows whose rows lie in order in the ring */
};

/* The shape of a layer, all else being zero. */
static matrix_plan shape_of(const circnn_descriptor *d) {
    matrix_plan m = {.log2 = d->block_log2, .k = 1 << d->block_log2};
    const size_t columns = (size_t)d->block_columns;
    m.slots = m.k == 1 ? 1 : m.k / 2;
    m.rows = (size_t)d->block_rows;
    m.positions = (size_t)d->kernel_height * (size_t)d->kernel_width;
    m.terms = m.k == 1 ? ratio_up(columns, 2) : columns;
    m.term_words = m.k == 1 ? 2 : (size_t)m.k;
    m.pixel_words = m.terms * m.term_words;
    m.sum_words = m.rows * (size_t)m.k;
    m.rows_per_vector = m.slots < SLOTS ? SLOTS / (size_t)m.slots : 1;
    m.chunks = m.slots < SLOTS ? 1 : (size_t)m.slots / SLOTS;
    m.vectors = ratio_up(m.rows, m.rows_per_vector);
    m.shift = d->accumulate_shift;
    m.direct = (size_t)d->in_channels == m.pixel_words && m.pixel_words % ROW == 0;
    m.padded = d->pad_top || d->pad_left ||
               (int64_t)(d->out_height - 1) * d->stride_height + d->kernel_height > d->in_height ||
               (int64_t)(d->out_width - 1) * d->stride_width + d->kernel_width > d->in_width;
    return m;
}

/* Bytes of a tile of `samples` samples, each of `band` output rows that read `ring` input rows. */
static size_t tile_bytes(const circnn_descriptor *d, const matrix_plan *m, size_t samples,
                         size_t ring, size_t band) {
    const size_t in = ring * (size_t)d->in_width * m->pixel_words * 2;
    const size_t out = band * (size_t)d->out_width * m->sum_words;
    return samples * (in + out) * sizeof(int16_t);
}

/* The input rows that `band` output rows read. */
static size_t rows_under(const circnn_descriptor *d, size_t band) {
    const size_t rows = (band - 1) * (size_t)d->stride_height + (size_t)d->kernel_height;
    return least(rows, (size_t)d->in_height);
}

/* Choose the tile and lay out the scratch memory. */
static void plan_tile(const circnn_descriptor *d, matrix_plan *m) {
    const size_t image = tile_bytes(d, m, 1, (size_t)d->in_height, (size_t)d->out_height);
    const size_t width = (size_t)d->in_width, slack = CIRCNN_SLACK_WORDS;
    m->samples = image < TILE_BYTES ? TILE_BYTES / image : 1;
    if (m->samples > TILE) m->samples -= m->samples % TILE;
    m->band = (size_t)d->out_height;
    m->ring = (size_t)d->in_height;
    m->row_pitch = width * m->pixel_words;
    if (image > TILE_BYTES && d->out_height > 1) {
        m->band = 1;
        while (m->band < (size_t)d->out_height &&
               tile_bytes(d, m, 1, rows_under(d, m->band + 1), m->band + 1) <= TILE_BYTES)
            m->band++;
        m->ring = rows_under(d, m->band);
        m->row_pitch += slack; /* vectors written past the end of a row must not reach the next */
    }
    const size_t rows = m->band < (size_t)d->out_height ? 1 : m->samples * m->ring;
    m->zeros = m->samples * m->ring * m->row_pitch + slack;
    m->plane = aligned((m->zeros + m->pixel_words) * sizeof(int16_t)) / sizeof(int16_t);
    m->staging = aligned(2 * m->plane * sizeof(int16_t));
    m->sums = m->staging;
    if (!m->direct) m->sums += aligned((rows * width * m->pixel_words + slack) * sizeof(int16_t));
    m->pointers = m->sums +
                  aligned((m->samples * m->band * (size_t)d->out_width * m->sum_words + slack) *
                          sizeof(int16_t));
    m->scratch = m->pointers + aligned(GROUP * m->positions * sizeof(int16_t *));
}

static size_t weight_words(const matrix_plan *m) {
    return m->vectors * m->chunks * m->positions * m->terms * PAIR_WORDS;
}

static size_t matrix_prepared_bytes(const circnn_layer *layer) {
    const matrix_plan m = shape_of(&layer->d);
    return aligned(sizeof m) + aligned(weight_words(&m) * sizeof(int16_t)) +
           aligned(2 * m.positions * m.terms * sizeof(segment)) + m.positions * sizeof(size_t);
}

/* The pair of weights of a slot; beyond the last row and the last input they are zero. */
static void weight_pair(const circnn_layer *layer, const matrix_plan *m, size_t r, size_t term,
                        int slot, int32_t *first, int32_t *second) {
    const size_t columns = (size_t)layer->d.block_columns, k = (size_t)m->k;
    *first = *second = 0;
    if (r >= m->rows) return;
    const int16_t *w = layer->weights + r * m->positions * columns * k;
    if (k > 1) {
        w += term * k + 2 * (size_t)slot;
        *first = w[0];
        *second = w[1];
    } else {
        const size_t column = term % m->terms * 2;
        w += term / m->terms * columns + column;
        *first = w[0];
        if (column + 1 < columns) *second = w[1];
    }
}

/* The end of the run that begins with the term `from`: up to there the sums of all slots fit 32
 * bits, whatever the inputs. */
static size_t run_end(const circnn_layer *layer, const matrix_plan *m, size_t from) {
    size_t end = m->positions * m->terms;
    for (size_t r = 0; r < m->rows; r++)
        for (int slot = 0; slot < m->slots; slot++) {
            const int two_bins = m->k > 1 && slot == 0; /* each with a sum of its own */
            int32_t first = 0, second = 0;
            for (size_t term = from; term < end; term++) {
                int32_t a, b;
                weight_pair(layer, m, r, term, slot, &a, &b);
                first += a < 0 ? -a : a;
                second += b < 0 ? -b : b;
                const int32_t sum = two_bins ? circnn_max(first, second) : first + second;
                if (sum > CIRCNN_RUN_SUM) end = term;
            }
        }
    return end;
}

/* Cut the terms into segments, at the ends of runs and of kernel positions. */
static void plan_runs(const circnn_layer *layer, matrix_plan *m) {
    const size_t terms = m->positions * m->terms;
    for (size_t from = 0; from < terms;) {
        const size_t end = run_end(layer, m, from);
        if (end < terms) m->widens = 1;
        while (from < end) {
            const size_t begin = from % m->terms, count = least(m->terms - begin, end - from);
            const segment part = {(uint32_t)(from / m->terms), (uint32_t)begin, (uint32_t)count,
                                  from + count == end};
            m->runs[m->segments++] = part;
            from += count;
        }
    }
    if (m->shift > 31) m->widens = 1;
}

/* Lay the weights in the order in which products() reads them. */
static void order_weights(const circnn_layer *layer, const matrix_plan *m) {
    const size_t terms = m->positions * m->terms;
    int16_t *w = m->weights;
    for (size_t vector = 0, at_once = 4; vector < m->vectors; vector += at_once) {
        if (vector + at_once > m->vectors) at_once = 1;
        for (size_t chunk = 0; chunk < m->chunks; chunk++)
            for (size_t term = 0; term < terms; term++)
                for (size_t v = vector; v < vector + at_once; v++)
                    for (int lane = 0; lane < SLOTS; lane++, w += 2) {
                        const size_t r = v * m->rows_per_vector + (size_t)(lane / m->slots);
                        const int slot = (int)chunk * SLOTS + lane % m->slots;
                        int32_t first, second;
                        weight_pair(layer, m, r, term, slot, &first, &second);
                        w[0] = (int16_t)first;
                        w[1] = (int16_t)second;
                    }
    }
}

/* Fill the plan at the front of the prepared memory, all but the kernels that products() calls. */
static void plan_matrix(const circnn_layer *layer, matrix_plan *m) {
    *m = shape_of(&layer->d);
    plan_tile(&layer->d, m);
    uint8_t *next = (uint8_t *)layer->prepared + aligned(sizeof *m);
    m->weights = (int16_t *)(void *)next;
    m->runs = (segment *)(void *)(next + aligned(weight_words(m) * sizeof(int16_t)));
    m->offsets = (size_t *)(void *)((uint8_t *)m->runs +
                                    aligned(2 * m->positions * m->terms * sizeof(segment)));
    for (size_t n = 0, width = (size_t)layer->d.kernel_width; n < m->positions; n++)
        m->offsets[n] = n / width * m->row_pitch + n % width * m->pixel_words;
    order_weights(layer, m);
    plan_runs(layer, m);
}

#endif
