/* The interface behind which kernels are exchanged: one function a layer kind, over a batch.
 *
 * Every set of kernels computes the same bits.  `samples` tensors lie one behind the other in
 * `in` and `out`, which do not overlap. */
#ifndef CIRCNN_KERNELS_H
#define CIRCNN_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "circnn_contract.h"

typedef struct {
    circnn_descriptor d;
    const int16_t *scales;  /* of this layer: scales, or an average's multipliers */
    const int32_t *biases;  /* of this layer */
    const int16_t *weights; /* of this layer, as the program holds them */
    void *prepared;         /* the weights in the order that the kernels want */
} circnn_layer;

typedef void circnn_unary(const circnn_layer *layer, const int16_t *in, int16_t *out,
                          size_t samples, int64_t *saturations);

typedef struct {
    const char *name;

    /* Reorder a matrix's weights once, when the plan is made. */
    size_t (*prepared_bytes)(const circnn_layer *layer);
    void (*prepare)(circnn_layer *layer);

    /* Scratch memory of the matrix kernel for one sample. */
    size_t (*scratch_bytes)(const circnn_layer *layer);
    void (*matrix)(const circnn_layer *layer, const int16_t *in, int16_t *out, size_t samples,
                   int64_t *saturations, void *scratch);

    circnn_unary *max_pool;
    circnn_unary *average_pool;
    circnn_unary *scale_bias;
    circnn_unary *pad;
    void (*add)(const circnn_layer *layer, const int16_t *first, const int16_t *second,
                int16_t *out, size_t samples, int64_t *saturations);
} circnn_kernels;

const circnn_kernels *circnn_portable_kernels(void);

static inline size_t circnn_in_words(const circnn_descriptor *d) {
    return (size_t)d->in_height * (size_t)d->in_width * (size_t)d->in_channels;
}

static inline size_t circnn_out_words(const circnn_descriptor *d) {
    return (size_t)d->out_height * (size_t)d->out_width * (size_t)d->out_channels;
}

#endif
