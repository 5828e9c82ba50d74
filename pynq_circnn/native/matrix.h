/* The block-circulant product: forward transforms, products in the spectrum, inverse transforms.
 *
 *   y_i = F^-1( sum over kernel positions and block columns j of  w_ij * F(x_j) )
 *
 * Every block of every pixel is transformed once, and all kernel positions read its spectrum.
 * Work goes tile by tile, a tile being some samples, or a band of rows of one large image, so that
 * what belongs together stays in the cache and the scratch memory is bounded.
 *
 * A term of a sum is (w_re + i w_im)(x_re + i x_im).  Each spectrum is kept twice, as the two
 * vectors that make a complex product two products of real pairs:
 *
 *   plane 1: (x_re, -x_im)    re = w . plane 1
 *   plane 2: (x_im,  x_re)    im = w . plane 2
 *
 * Slot 0, which holds two real bins, is (x_0, 0) and (0, x_1).  For k = 1 a pair is two
 * neighbouring inputs, and one plane is enough. */
#ifndef CIRCNN_MATRIX_H
#define CIRCNN_MATRIX_H

#include "elementwise.h"
#include "kernels.h"
#include "transform.h"

enum {
    PAIR_WORDS = 2 * SLOTS, /* of a vector */
    GROUP = 16,             /* output pixels for which the weights are read once */
    TILE_BYTES = 192 << 10, /* scratch memory that a tile may take: a part of a level 2 cache */
    RUN_SUM = 65535,        /* sum(|w_re| + |w_im|) up to which 32 bits hold a sum of products */
};

_Static_assert((int64_t)RUN_SUM * CIRCNN_VALUE_MAX <= INT32_MAX, "a run must fit 32 bits");

/* Neighbouring terms of one kernel position; where a run ends, 32-bit sums are widened. */
typedef struct {
    uint32_t position, begin, count, ends_run;
} segment;

typedef struct matrix matrix;

typedef void product_kernel(const matrix *m, const int16_t *weights, const int16_t *const *pixels,
                            size_t chunk, size_t vector, int16_t *out, int64_t *saturations);

/* Kernels for four vectors of weights and one pixel, one vector and one pixel, and one vector and
 * TILE pixels. */
typedef struct {
    product_kernel *four, *one, *one_many;
} product_kernels;

struct matrix {
    int log2, k, slots; /* complex slots of a block; 1 for k = 1 */
    size_t rows, positions;
    size_t terms;            /* of one position: blocks, or pairs of inputs for k = 1 */
    size_t term_words;       /* from a term to the next, in a plane */
    size_t pixel_words;      /* of a pixel, in a plane */
    size_t sum_words;        /* of an output pixel, before the inverse transform */
    size_t rows_per_vector;  /* of weights: a vector holds several rows of small blocks ... */
    size_t chunks;           /* ... or a chunk of one row of a large one */
    size_t vectors;          /* over all rows, for one chunk */
    int shift, widens;       /* of the sums; whether 32 bits need help */
    size_t segments;
    int direct, padded;      /* read the input where it lies; windows reach over the edge */

    size_t samples, band;    /* of a tile: whole samples, or `band` output rows of one */
    size_t ring;             /* input rows that are held */
    size_t row_pitch;        /* from one to the next, in words */
    size_t plane, zeros;     /* from plane 1 to 2; where a pixel of zeros lies in a plane */
    size_t staging, sums, pointers, scratch; /* where the parts of the scratch begin, in bytes */

    product_kernels products;
    int16_t *weights;
    segment *runs;
    size_t *offsets; /* of a kernel position in a plane, where no row of the ring comes round */
};

static size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

static size_t ratio_up(size_t a, size_t b) { return (a + b - 1) / b; }

/* -- products ----------------------------------------------------------------------------------*/

/* Sums of 48 bits are kept as value = high * 2^16 + low.  During a run, low is what the products
 * are added to; where it ends, all but 16 bits of low are carried over to high. */
typedef struct {
    sums low[TILE], high[TILE];
} totals;

_Static_assert((int64_t)RUN_SUM * CIRCNN_VALUE_MAX + 0xFFFF <= INT32_MAX,
               "a run on top of 16 bits must fit 32 bits");

INLINE void carry(sums *low, sums *high) {
    *high += *low >> 16;
    *low &= 0xFFFF;
}

/* (v + 2^(shift-1)) >> shift for shifts from 1 to 31, without a 33rd bit. */
INLINE sums rounded(sums v, int shift) { return ((v >> (shift - 1)) + 1) >> 1; }

_Static_assert((int64_t)RUN_SUM * CIRCNN_VALUE_MAX + 0xFFFF < INT32_MAX, "v + 1 must fit 32 bits");

/* The rounding shift of high * 2^16 + low, which is exact unless it lies far beyond 16 bits. */
INLINE sums rounded_wide(sums low, sums high, int shift) {
    if (shift > 16) return rounded(high, shift - 16); /* low decides nothing */
    if (shift == 16) return high + (low >> 15);
    const sums v = (sums)((unsigned_sums)between(high, -32766, 32766) << 16) + low;
    return shift ? rounded(v, shift) : v;
}

INLINE void round_totals(totals *t, int count, int shift, int widens) {
    if (widens)
        UNROLL for (int i = 0; i < count; i++)
            t->low[i] = rounded_wide(t->low[i], t->high[i], shift);
    else if (shift)
        UNROLL for (int i = 0; i < count; i++) t->low[i] = rounded(t->low[i], shift);
}

static __attribute__((noinline, cold)) void count_limited(const sums *v, int64_t *saturations) {
    for (int slot = 0; slot < SLOTS; slot++)
        *saturations += (*v)[slot] > CIRCNN_VALUE_MAX || (*v)[slot] < -CIRCNN_VALUE_MAX;
}

/* Store the sums of one vector of weights for one pixel, as words that the inverse transform
 * reads.  The last vector may hold rows that are not there. */
INLINE void store_sums(const matrix *m, sums re, sums im, size_t chunk, size_t vector,
                       int16_t *pixel, int64_t *saturations, int slots, int is_complex) {
    const pair_words both = narrowed_pairs(re, im);
    size_t at = vector * PAIR_WORDS, words = PAIR_WORDS;
    if (__builtin_expect(saturations != NULL, 0)) {
        count_limited(&re, saturations);
        if (is_complex) count_limited(&im, saturations);
    }
    if (is_complex && slots >= SLOTS) {
        memcpy(pixel + vector * (size_t)m->k + chunk * PAIR_WORDS, &both, sizeof both);
    } else if (is_complex) {
        if (at + words <= m->sum_words)
            memcpy(pixel + at, &both, sizeof both);
        else
            memcpy(pixel + at, &both, (m->sum_words - at) * sizeof(int16_t));
    } else {
        int16_t real[SLOTS];
        at = vector * SLOTS;
        words = least(SLOTS, m->sum_words - at);
        for (int slot = 0; slot < SLOTS; slot++) real[slot] = both[2 * slot];
        memcpy(pixel + at, real, words * sizeof(int16_t));
    }
}

/* The sums of `vectors` vectors of weights times `pixels` pixels, held in registers. */
INLINE void product(const matrix *m, const int16_t *w, const int16_t *const *pixel, size_t chunk,
                    size_t vector, int16_t *out, int64_t *saturations, int vectors, int pixels,
                    int slots, int is_complex, int widens) {
    const int count = vectors * pixels;
    const size_t step = m->term_words, plane = m->plane;
    totals re, im;
    UNROLL for (int i = 0; i < count; i++)
        re.low[i] = im.low[i] = re.high[i] = im.high[i] = (sums){0};

    const segment *run = m->runs, *end = run + m->segments;
    do {
        const int16_t *x[TILE];
        UNROLL for (int n = 0; n < pixels; n++)
            x[n] = pixel[(size_t)n * m->positions + run->position] + chunk * PAIR_WORDS +
                   run->begin * step;
        uint32_t term = run->count;
        do {
            pairs first[TILE], second[TILE];
            UNROLL for (int n = 0; n < pixels; n++) {
                first[n] = load_pairs(x[n], slots);
                if (is_complex) second[n] = load_pairs(x[n] + plane, slots);
                x[n] += step;
            }
            UNROLL for (int v = 0; v < vectors; v++) {
                const pairs weight = load_pairs(w + v * PAIR_WORDS, SLOTS);
                UNROLL for (int n = 0; n < pixels; n++) {
                    const int i = v * pixels + n;
                    re.low[i] = dot(re.low[i], weight, first[n]);
                    if (is_complex) im.low[i] = dot(im.low[i], weight, second[n]);
                }
            }
            w += vectors * PAIR_WORDS;
        } while (--term);
        if (widens && run->ends_run)
            UNROLL for (int i = 0; i < count; i++) {
                carry(&re.low[i], &re.high[i]);
                if (is_complex) carry(&im.low[i], &im.high[i]);
            }
    } while (++run < end);

    round_totals(&re, count, m->shift, widens);
    if (is_complex) round_totals(&im, count, m->shift, widens);
    UNROLL for (int i = 0; i < count; i++)
        store_sums(m, re.low[i], im.low[i], chunk, vector + (size_t)(i / pixels),
                   out + (size_t)(i % pixels) * m->sum_words, saturations, slots, is_complex);
}

/* The same for each number of vectors, of pixels, and of slots that fill a vector. */
#define PRODUCT(NAME, VECTORS, PIXELS, SLOTS_, COMPLEX, WIDENS)                                   \
    static void NAME(const matrix *m, const int16_t *weights, const int16_t *const *pixels,       \
                     size_t chunk, size_t vector, int16_t *out, int64_t *saturations) {           \
        product(m, weights, pixels, chunk, vector, out, saturations, VECTORS, PIXELS, SLOTS_,     \
                COMPLEX, WIDENS);                                                                 \
    }
#define PRODUCTS(NAME, SLOTS_, COMPLEX)                                                           \
    PRODUCT(NAME##_4, 4, 1, SLOTS_, COMPLEX, 0)                                                   \
    PRODUCT(NAME##_1, 1, 1, SLOTS_, COMPLEX, 0)                                                   \
    PRODUCT(NAME##_1_many, 1, TILE, SLOTS_, COMPLEX, 0)                                           \
    PRODUCT(NAME##_4_wide, 4, 1, SLOTS_, COMPLEX, 1)                                              \
    PRODUCT(NAME##_1_wide, 1, 1, SLOTS_, COMPLEX, 1)                                              \
    PRODUCT(NAME##_1_many_wide, 1, TILE, SLOTS_, COMPLEX, 1)                                      \
    static const product_kernels NAME[2] = {                                                      \
        {NAME##_4, NAME##_1, NAME##_1_many},                                                      \
        {NAME##_4_wide, NAME##_1_wide, NAME##_1_many_wide},                                       \
    };
PRODUCTS(real_products, 1, 0)
PRODUCTS(products_of_1, 1, 1)
PRODUCTS(products_of_2, 2, 1)
#if SLOTS > 4
PRODUCTS(products_of_4, 4, 1)
#endif
#if SLOTS > 8
PRODUCTS(products_of_8, 8, 1)
#endif
PRODUCTS(products_of_all, SLOTS, 1)

static const product_kernels *products_for(const matrix *m) {
    if (m->k == 1) return real_products;
    switch (m->slots) {
    case 1:
        return products_of_1;
    case 2:
        return products_of_2;
#if SLOTS > 4
    case 4:
        return products_of_4;
#endif
#if SLOTS > 8
    case 8:
        return products_of_8;
#endif
    default:
        return products_of_all;
    }
}

/* As many multiply-adds as fit the registers, again and again, on operands that the compiler must
 * take for new. */
static int64_t multiply_adds(size_t rounds) {
    static const int16_t zeros[PAIR_WORDS];
    const int16_t *volatile source = zeros;
    sums sum[2 * TILE];
    for (int i = 0; i < 2 * TILE; i++) sum[i] = (sums){0} + i; /* none may be taken for another */
    const pairs x = load_pairs(source, SLOTS);
    for (size_t round = 0; round < rounds; round++) {
        const pairs w = load_pairs(source, SLOTS);
        UNROLL for (int i = 0; i < 2 * TILE; i++) sum[i] = dot(sum[i], w, x);
    }
    volatile sums sink = sum[0];
    for (int i = 1; i < 2 * TILE; i++) sink = sink + sum[i];
    return (int64_t)rounds * 2 * TILE * PAIR_WORDS;
}

/* All products of some output pixels, GROUP at the most: the weights are read once for them. */
static void products(const matrix *m, const int16_t *const *pixels, size_t count, int16_t *out,
                     int64_t *saturations) {
    const size_t vector_words = m->chunks * m->positions * m->terms * PAIR_WORDS;
    size_t vector = 0;
    for (; vector + 4 <= m->vectors; vector += 4)
        for (size_t chunk = 0; chunk < m->chunks; chunk++) {
            const int16_t *w = m->weights + vector * vector_words +
                               chunk * (vector_words / m->chunks) * 4;
            for (size_t n = 0; n < count; n++)
                m->products.four(m, w, pixels + n * m->positions, chunk, vector,
                                 out + n * m->sum_words, saturations);
        }
    for (; vector < m->vectors; vector++)
        for (size_t chunk = 0; chunk < m->chunks; chunk++) {
            const int16_t *w = m->weights + vector * vector_words +
                               chunk * (vector_words / m->chunks);
            size_t n = 0;
            for (; n + TILE <= count; n += TILE)
                m->products.one_many(m, w, pixels + n * m->positions, chunk, vector,
                                     out + n * m->sum_words, saturations);
            for (; n < count; n++)
                m->products.one(m, w, pixels + n * m->positions, chunk, vector,
                                out + n * m->sum_words, saturations);
        }
}

/* -- transforms of many blocks -----------------------------------------------------------------
 *
 * A row is one block, or the 8 words of several small ones; LANES rows are worked on at once.  The
 * columns of a row are the real and imaginary parts of its points in turn. */

INLINE size_t row_words(int k) { return k < ROW ? ROW : (size_t)k; }

/* Read LANES rows; point n goes to places[n] of its block. */
INLINE void load_points(const int16_t *rows, point *z, int k, const uint8_t *places) {
    const size_t stride = row_words(k);
    const int points = k / 2;
    for (int column = 0; column < (int)stride; column += ROW) {
        const int16_t *x = rows + column;
        words v[ROW];
        UNROLL for (int i = 0; i < ROW; i++, x += stride) v[i] = load_rows(x, stride);
        transpose(v);
        UNROLL for (int i = 0; i < ROW / 2; i++) {
            const int n = column / 2 + i, inside = n & (points - 1);
            point *place = z + (n - inside) + (places ? places[inside] : inside);
            place->re = v[2 * i];
            place->im = v[2 * i + 1];
        }
    }
}

/* The points of columns `column` ... `column + 7` as LANES rows of these columns. */
INLINE void rows_of_points(const point *z, int column, words v[ROW]) {
    UNROLL for (int i = 0; i < ROW / 2; i++) {
        v[2 * i] = z[column / 2 + i].re;
        v[2 * i + 1] = z[column / 2 + i].im;
    }
    transpose(v);
}

/* All ones in the words of a row that belong to slot 0 of a block. */
INLINE words slot_zero(int k) {
    row mask;
    for (int word = 0; word < ROW; word++) mask[word] = (word & (k - 1)) < 2 ? -1 : 0;
    return join(mask, mask);
}

/* Store the columns from `column` on in both planes; `zero` marks the words of slot 0. */
INLINE void store_columns(const point *z, const matrix *m, int16_t *spectra, int column,
                          words zero) {
    const size_t stride = row_words(m->k), plane = m->plane;
    const words second = (words)((twins){0} + 0xFFFF0000u);
    int16_t *x = spectra + column;
    words v[ROW];
    rows_of_points(z, column, v);
    UNROLL for (int i = 0; i < ROW; i++, x += stride) {
        store_rows(x, stride, conjugate_pairs(v[i]) & ~(zero & second));
        store_rows(x + plane, stride, (swap_pairs(v[i]) & ~zero) | (v[i] & zero & second));
    }
}

INLINE void store_spectra(const point *z, const matrix *m, int16_t *spectra) {
    const words none = {0};
    store_columns(z, m, spectra, 0, slot_zero(m->k));
    for (int column = ROW; column < (int)row_words(m->k); column += ROW)
        store_columns(z, m, spectra, column, none);
}

INLINE void forward_rows(const circnn_layer *layer, const matrix *m, const int16_t *in,
                         int16_t *spectra, words *counts) {
    point z[CIRCNN_MAX_POINTS];
    load_points(in, z, m->k, layer->tables->reversed[m->log2 - 1]);
    for (int block = 0; block < (int)row_words(m->k) / m->k; block++)
        forward_transform(z + block * m->k / 2, m->log2, layer->d.forward_shifts, layer->tables,
                          counts);
    store_spectra(z, m, spectra);
}

INLINE void inverse_rows(const circnn_layer *layer, const matrix *m, int16_t *blocks,
                         words *counts) {
    const size_t stride = row_words(m->k);
    point x[CIRCNN_MAX_POINTS], z[CIRCNN_MAX_POINTS];
    load_points(blocks, x, m->k, NULL);
    for (int block = 0; block < (int)stride / m->k; block++)
        inverse_transform(x + block * m->k / 2, z + block * m->k / 2, m->log2,
                          layer->d.inverse_shifts, layer->tables, counts);
    for (int column = 0; column < (int)stride; column += ROW) {
        int16_t *x = blocks + column;
        words v[ROW];
        rows_of_points(z, column, v);
        UNROLL for (int i = 0; i < ROW; i++, x += stride) store_rows(x, stride, v[i]);
    }
}

static void forward_fast(const circnn_layer *layer, const matrix *m, const int16_t *in,
                         int16_t *spectra) {
    forward_rows(layer, m, in, spectra, NULL);
}

static words forward_counted(const circnn_layer *layer, const matrix *m, const int16_t *in,
                             int16_t *spectra) {
    words counts = {0};
    forward_rows(layer, m, in, spectra, &counts);
    return counts;
}

static void inverse_fast(const circnn_layer *layer, const matrix *m, int16_t *blocks) {
    inverse_rows(layer, m, blocks, NULL);
}

static words inverse_counted(const circnn_layer *layer, const matrix *m, int16_t *blocks) {
    words counts = {0};
    inverse_rows(layer, m, blocks, &counts);
    return counts;
}

static int64_t sum_lanes(words counts, size_t lanes) {
    int64_t sum = 0;
    for (size_t lane = 0; lane < lanes; lane++) sum += counts[lane];
    return sum;
}

/* Transform `count` words of blocks; more is read, and written, to fill the last vector. */
static void forward(const circnn_layer *layer, const matrix *m, const int16_t *in, size_t count,
                    int16_t *spectra, int64_t *saturations) {
    const size_t step = LANES * row_words(m->k), stride = row_words(m->k);
    if (m->k == 1) {
        memcpy(spectra, in, count * sizeof *in);
        return;
    }
    for (size_t at = 0; at < count; at += step) {
        if (saturations)
            *saturations += sum_lanes(forward_counted(layer, m, in + at, spectra + at),
                                      least(LANES, ratio_up(count - at, stride)));
        else
            forward_fast(layer, m, in + at, spectra + at);
    }
}

static void inverse(const circnn_layer *layer, const matrix *m, int16_t *blocks, size_t count,
                    int64_t *saturations) {
    const size_t step = LANES * row_words(m->k), stride = row_words(m->k);
    if (m->k == 1) return;
    memset(blocks + count, 0, ROW * sizeof *blocks); /* the last row may be short */
    for (size_t at = 0; at < count; at += step) {
        if (saturations)
            *saturations += sum_lanes(inverse_counted(layer, m, blocks + at),
                                      least(LANES, ratio_up(count - at, stride)));
        else
            inverse_fast(layer, m, blocks + at);
    }
}

/* -- making a plan -----------------------------------------------------------------------------*/

static matrix shape_of(const circnn_descriptor *d) {
    matrix m = {.log2 = d->block_log2, .k = 1 << d->block_log2};
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

/* Bytes of a tile of `samples` samples, or of `band` output rows that read `ring` input rows. */
static size_t tile_bytes(const circnn_descriptor *d, const matrix *m, size_t samples, size_t ring,
                         size_t band) {
    const size_t in = ring * (size_t)d->in_width * m->pixel_words * 2;
    const size_t out = band * (size_t)d->out_width * m->sum_words;
    return samples * (in + out) * sizeof(int16_t);
}

static size_t rows_under(const circnn_descriptor *d, size_t band) {
    const size_t rows = (band - 1) * (size_t)d->stride_height + (size_t)d->kernel_height;
    return least(rows, (size_t)d->in_height);
}

/* Choose the tile and lay out the scratch memory. */
static void plan_tile(const circnn_descriptor *d, matrix *m) {
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
        m->row_pitch += slack; /* the rows behind are in use */
    }
    const size_t rows = m->band < (size_t)d->out_height ? 1 : m->samples * m->ring;
    m->zeros = m->samples * m->ring * m->row_pitch + slack;
    m->plane = aligned((m->zeros + m->pixel_words) * sizeof(int16_t)) / sizeof(int16_t);
    m->staging = aligned(2 * m->plane * sizeof(int16_t));
    m->sums = m->staging;
    if (!m->direct) m->sums += aligned((rows * width * m->pixel_words + slack) * sizeof(int16_t));
    m->pointers = m->sums + aligned((m->samples * m->band * (size_t)d->out_width * m->sum_words +
                                     slack) * sizeof(int16_t));
    m->scratch = m->pointers + aligned(GROUP * m->positions * sizeof(int16_t *));
}

static size_t weight_words(const matrix *m) {
    return m->vectors * m->chunks * m->positions * m->terms * PAIR_WORDS;
}

static size_t prepared_bytes(const circnn_layer *layer) {
    const matrix m = shape_of(&layer->d);
    return aligned(sizeof m) + aligned(weight_words(&m) * sizeof(int16_t)) +
           aligned(2 * m.positions * m.terms * sizeof(segment)) + m.positions * sizeof(size_t);
}

/* The pair of weights of a slot; beyond the last row and the last input they are zero. */
static void weight_pair(const circnn_layer *layer, const matrix *m, size_t r, size_t term,
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

/* The first term that the run from `from` on cannot hold: up to there, whatever the inputs, the
 * sums of all slots fit 32 bits. */
static size_t run_end(const circnn_layer *layer, const matrix *m, size_t from) {
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
                if (sum > RUN_SUM) end = term;
            }
        }
    return end;
}

/* Cut the terms into segments, at the ends of runs and of kernel positions. */
static void plan_runs(const circnn_layer *layer, matrix *m) {
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
static void order_weights(const circnn_layer *layer, const matrix *m) {
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

static void prepare(circnn_layer *layer) {
    matrix *m = layer->prepared;
    *m = shape_of(&layer->d);
    plan_tile(&layer->d, m);
    uint8_t *next = (uint8_t *)layer->prepared + aligned(sizeof *m);
    m->weights = (int16_t *)(void *)next;
    m->runs = (segment *)(void *)(next + aligned(weight_words(m) * sizeof(int16_t)));
    m->offsets =
        (size_t *)(void *)((uint8_t *)m->runs +
                           aligned(2 * m->positions * m->terms * sizeof(segment)));
    for (size_t n = 0, width = (size_t)layer->d.kernel_width; n < m->positions; n++)
        m->offsets[n] = n / width * m->row_pitch + n % width * m->pixel_words;
    order_weights(layer, m);
    plan_runs(layer, m);
    m->products = products_for(m)[m->widens];
}

static size_t scratch_bytes(const circnn_layer *layer) {
    return ((const matrix *)layer->prepared)->scratch;
}

/* -- running it --------------------------------------------------------------------------------*/

/* Transform whole pixels; where they are not made of whole blocks they are padded first. */
static void forward_pixels(const circnn_layer *layer, const matrix *m, const int16_t *in,
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

/* Transform one row of an image to its place in the ring. */
static void forward_row(const circnn_layer *layer, const matrix *m, const int16_t *image,
                        size_t y, int16_t *spectra, int16_t *staging, int64_t *saturations) {
    const size_t width = (size_t)layer->d.in_width, channels = (size_t)layer->d.in_channels;
    forward_pixels(layer, m, image + y * width * channels, width,
                   spectra + y % m->ring * m->row_pitch, staging, saturations);
}

/* For each kernel position, the spectra of the pixel that it reads for one output pixel.  `slot` is
 * the place of the window's first row in the ring. */
static void point_to_pixels(const circnn_descriptor *d, const matrix *m, const int16_t *spectra,
                            const int16_t *zeros, size_t slot, int64_t top, int64_t left,
                            const int16_t **pixels) {
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
static void product_rows(const circnn_layer *layer, const matrix *m, const int16_t *spectra,
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

static void matrix_tile(const circnn_layer *layer, const matrix *m, const int16_t *in,
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
        scale_pixels(layer, blocks, m->sum_words, out, count, saturations);
        circnn_lap(clock, CIRCNN_EPILOGUE);
        out += count * (size_t)d->out_channels;
    }
    if (banded && saturations) /* rows that no window reads are transformed to be counted */
        for (; transformed < (size_t)d->in_height; transformed++)
            forward_row(layer, m, in, transformed, spectra, staging, saturations);
}

static void run_matrix(const circnn_layer *layer, const int16_t *in, int16_t *out, size_t samples,
                       int64_t *saturations, void *scratch, circnn_clock *clock) {
    const matrix *m = layer->prepared;
    if (m->padded) {
        int16_t *zeros = (int16_t *)scratch + m->zeros;
        memset(zeros, 0, m->pixel_words * sizeof *zeros);
        memset(zeros + m->plane, 0, m->pixel_words * sizeof *zeros);
    }
    for (size_t first = 0; first < samples; first += m->samples)
        matrix_tile(layer, m, in + first * circnn_in_words(&layer->d),
                    out + first * circnn_out_words(&layer->d), least(m->samples, samples - first),
                    saturations, scratch, clock);
}

#endif
