/* The kernels for one target, under the names that the including source gives them:
 *
 *   KERNELS       the name of the set as a variable
 *   KERNELS_NAME  and as a text
 *   AVAILABLE     whether this machine can run them */
#include "matrix.h"

static int available(void) { return AVAILABLE; }

const circnn_kernels KERNELS = {
    .name = KERNELS_NAME,
    .available = available,
    .prepared_bytes = prepared_bytes,
    .prepare = prepare,
    .scratch_bytes = scratch_bytes,
    .matrix = run_matrix,
    .max_pool = max_pool,
    .average_pool = average_pool,
    .scale_bias = scale_bias,
    .pad = pad,
    .add = add,
    .quantize = quantize,
    .quantize_bytes = quantize_bytes,
    .dequantize = dequantize,
    .multiply_adds = multiply_adds,
};
