/* Blocks in memory, and the transforms that work on LANES of them side by side: bringing blocks to
 * the lanes and spectra back.
 *
 * A row is one block, or the 8 words of several small ones; LANES rows are worked on at once.  The
 * columns of a row are the real and imaginary parts of its points in turn. */
#ifndef CIRCNN_MATRIX_TRANSFORMS_H
#define CIRCNN_MATRIX_TRANSFORMS_H

#include <string.h>

#include "kernels.h"
#include "matrix/planning.h"
#include "sizes.h"
#include "transform.h"
#include "vector.h"

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
INLINE void store_columns(const point *z, const matrix_plan *m, int16_t *spectra, int column,
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

INLINE void store_spectra(const point *z, const matrix_plan *m, int16_t *spectra) {
    const words none = {0};
    store_columns(z, m, spectra, 0, slot_zero(m->k));
    for (int column = ROW; column < (int)row_words(m->k); column += ROW)
        store_columns(z, m, spectra, column, none);
}

INLINE void forward_rows(const circnn_layer *layer, const matrix_plan *m, const int16_t *in,
                         int16_t *spectra, words *counts) {
    point z[CIRCNN_MAX_POINTS];
    load_points(in, z, m->k, layer->tables->reversed[m->log2 - 1]);
    for (int block = 0; block < (int)row_words(m->k) / m->k; block++)
        forward_transform(z + block * m->k / 2, m->log2, layer->d.forward_shifts, layer->tables,
                          counts);
    store_spectra(z, m, spectra);
}

INLINE void inverse_rows(const circnn_layer *layer, const matrix_plan *m, int16_t *blocks,
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

static void forward_fast(const circnn_layer *layer, const matrix_plan *m, const int16_t *in,
                         int16_t *spectra) {
    forward_rows(layer, m, in, spectra, NULL);
}

static words forward_counted(const circnn_layer *layer, const matrix_plan *m, const int16_t *in,
                             int16_t *spectra) {
    words counts = {0};
    forward_rows(layer, m, in, spectra, &counts);
    return counts;
}

static void inverse_fast(const circnn_layer *layer, const matrix_plan *m, int16_t *blocks) {
    inverse_rows(layer, m, blocks, NULL);
}

static words inverse_counted(const circnn_layer *layer, const matrix_plan *m, int16_t *blocks) {
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
static void forward(const circnn_layer *layer, const matrix_plan *m, const int16_t *in,
                    size_t count, int16_t *spectra, int64_t *saturations) {
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

static void inverse(const circnn_layer *layer, const matrix_plan *m, int16_t *blocks, size_t count,
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

#endif
