/* The block-circulant product, which convolutions and dense layers are: forward transforms,
 * products in the spectrum, inverse transforms, epilogue.
 *
 *   y_i = F^-1( sum over kernel positions and block columns j of  w_ij * F(x_j) )
 *
 * matrix/planning.h lays out weights and scratch memory, matrix/product.h multiplies and adds,
 * matrix/transforms.h brings blocks to the transforms and back, and matrix/execution.h walks over
 * the samples. */
#ifndef CIRCNN_KINDS_MATRIX_H
#define CIRCNN_KINDS_MATRIX_H

#include "kernels.h"
#include "matrix/execution.h"
#include "matrix/planning.h"
#include "matrix/product.h"

static void prepare_matrix(circnn_layer *layer) {
    matrix_plan *m = layer->prepared;
    plan_matrix(layer, m);
    m->products = products_for(m)[m->widens];
}

static size_t matrix_scratch_bytes(const circnn_layer *layer) {
    return ((const matrix_plan *)layer->prepared)->scratch;
}

static const circnn_kind matrix_kind = {
    .run = run_matrix,
    .prepared_bytes = matrix_prepared_bytes,
    .prepare = prepare_matrix,
    .scratch_bytes = matrix_scratch_bytes,
};

#endif
