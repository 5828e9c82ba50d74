/* The interface that all sets of kernels share: one kernel for each layer kind, over a batch.
 *
 * Every set of kernels computes the same bits. */
#ifndef CIRCNN_KERNELS_H
#define CIRCNN_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "circnn_contract.h"
#include "clock.h"

enum {
    CIRCNN_MAX_BLOCK = 1 << CIRCNN_LIMIT_BLOCK_LOG2,
    CIRCNN_MAX_POINTS = CIRCNN_MAX_BLOCK / 2,    /* of the complex transform */
    CIRCNN_QUARTER_TURN = CIRCNN_MAX_POINTS / 2, /* steps of the twiddles' table */
    CIRCNN_SLACK_WORDS = 16 * CIRCNN_MAX_BLOCK,  /* so that vectors may be read whole */
    CIRCNN_MAX_OPERANDS = 2,                     /* tensors that a layer reads */
};

/* A twiddle w as two rows of a matrix: (a + ib) w = a re[0] + b re[1] + i (a im[0] + b im[1]). */
typedef struct {
    int16_t re[2], im[2];
} circnn_twiddle;

typedef struct {
    circnn_twiddle forward[CIRCNN_MAX_POINTS], inverse[CIRCNN_MAX_POINTS];
    uint8_t reversed[CIRCNN_LIMIT_BLOCK_LOG2][CIRCNN_MAX_POINTS]; /* bit reversal by log2 */
} circnn_tables;

typedef struct {
    circnn_descriptor d;
    const int16_t *scales;  /* of this layer: scales, or an average's multipliers */
    const int32_t *biases;  /* of this layer */
    const int16_t *weights; /* of this layer, in natural order; only while preparing */
    const circnn_tables *tables;
    void *prepared; /* what the kind has prepared: weights in the order that its kernel reads */
} circnn_layer;

/* What a kernel works with besides its layer and tensors. */
typedef struct {
    void *scratch;        /* the kind's scratch_bytes of memory, aligned to a cache line */
    int64_t *saturations; /* NULL, or where the number of words that had to be limited is added */
    circnn_clock *clock;  /* NULL, or where a spectral kind adds the time of its parts */
} circnn_work;

/* Run a layer.  The kind's number of operands is read, and `out` written; in each, the tensors of
 * `samples` samples lie one behind the other.  `out` overlaps no operand, and CIRCNN_SLACK_WORDS
 * behind an operand may be read. */
typedef void circnn_kernel(const circnn_layer *layer, const int16_t *const *operands, int16_t *out,
                           size_t samples, const circnn_work *work);

/* A layer kind.  Only spectral kinds, those with weights in blocks, have more than a kernel. */
typedef struct {
    circnn_kernel *run;

    /* Bring the weights into the order in which the kernel reads them, when a plan is made. */
    size_t (*prepared_bytes)(const circnn_layer *layer);
    void (*prepare)(circnn_layer *layer);

    /* Scratch memory of the kernel, for any number of samples. */
    size_t (*scratch_bytes)(const circnn_layer *layer);
} circnn_kind;

typedef struct {
    const char *name;
    int (*available)(void); /* whether this machine has the instructions */

    const circnn_kind *kinds[CIRCNN_OPCODES]; /* by opcode */

    /* Between the host's numbers and words; quantize returns whether all values were finite. */
    int (*quantize)(const circnn_header *header, const float *x, int16_t *out, size_t count,
                    int64_t *saturations);
    void (*quantize_bytes)(const circnn_header *header, const uint8_t *x, int16_t *out,
                           size_t count, int64_t *saturations);
    void (*dequantize)(const circnn_header *header, const int16_t *in, float *y, size_t count);

    /* As many 16-bit multiply-adds as the registers hold, `rounds` times; returns how many. */
    int64_t (*multiply_adds)(size_t rounds);
} circnn_kernels;

/* The sets of kernels in this build, the fastest first, the portable one last. */
extern const circnn_kernels circnn_avx512vnni_kernels, circnn_avx512_kernels, circnn_avx2_kernels,
    circnn_neon_kernels, circnn_portable_kernels;

static inline size_t circnn_in_words(const circnn_descriptor *d) {
    return (size_t)d->in_height * (size_t)d->in_width * (size_t)d->in_channels;
}

static inline size_t circnn_out_words(const circnn_descriptor *d) {
    return (size_t)d->out_height * (size_t)d->out_width * (size_t)d->out_channels;
}

#endif
