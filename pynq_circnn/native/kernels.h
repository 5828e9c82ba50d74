/* The interface behind which kernels are exchanged: one function a layer kind, over a batch.
 *
 * Every set of kernels computes the same bits.  `samples` tensors lie one behind the other in
 * `in` and `out`, which do not overlap; CIRCNN_SLACK_WORDS behind `in` may be read.
 * `saturations` is NULL, or where the number of words that had to be limited is added. */
#ifndef CIRCNN_KERNELS_H
#define CIRCNN_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "circnn_contract.h"

enum {
    CIRCNN_MAX_BLOCK = 1 << CIRCNN_LIMIT_BLOCK_LOG2,
    CIRCNN_MAX_POINTS = CIRCNN_MAX_BLOCK / 2,    /* of the complex transform */
    CIRCNN_QUARTER_TURN = CIRCNN_MAX_POINTS / 2, /* steps of the twiddles' table */
    CIRCNN_SLACK_WORDS = 16 * CIRCNN_MAX_BLOCK,  /* so that vectors may be read whole */
};

/* A twiddle w as two rows of a matrix: (a + ib) w = a re[0] + b re[1] + i (a im[0] + b im[1]). */
typedef struct {
    int16_t re[2], im[2];
} circnn_twiddle;

typedef struct {
    circnn_twiddle forward[CIRCNN_MAX_POINTS], inverse[CIRCNN_MAX_POINTS];
    uint8_t reversed[CIRCNN_LIMIT_BLOCK_LOG2][CIRCNN_MAX_POINTS]; /* bit reversal by log2 */
} circnn_tables;

/* Where the time of a run goes. */
typedef enum {
    CIRCNN_CONVERSION, /* quantising and dequantising */
    CIRCNN_TRANSFORM,  /* forward and inverse, with what brings blocks to and from the lanes */
    CIRCNN_PRODUCT,
    CIRCNN_EPILOGUE, /* scale, bias and activation */
    CIRCNN_OTHER,    /* layers that are no matrix */
    CIRCNN_PARTS,
} circnn_part;

typedef struct {
    circnn_descriptor d;
    const int16_t *scales;  /* of this layer: scales, or an average's multipliers */
    const int32_t *biases;  /* of this layer */
    const int16_t *weights; /* of this layer, as the program holds them */
    const circnn_tables *tables;
    void *prepared; /* the weights in the order that the kernels want */
} circnn_layer;

/* A stop watch that adds up nanoseconds by part; NULL keeps none. */
typedef struct {
    int64_t last;
    int64_t *nanoseconds;
} circnn_clock;

void circnn_clock_lap(circnn_clock *clock, circnn_part part);

static inline void circnn_lap(circnn_clock *clock, circnn_part part) {
    if (clock) circnn_clock_lap(clock, part);
}

typedef void circnn_unary(const circnn_layer *layer, const int16_t *in, int16_t *out,
                          size_t samples, int64_t *saturations);

typedef struct {
    const char *name;
    int (*available)(void); /* whether this machine has the instructions */

    /* Reorder a matrix's weights once, when the plan is made. */
    size_t (*prepared_bytes)(const circnn_layer *layer);
    void (*prepare)(circnn_layer *layer);

    /* Scratch memory of the matrix kernel, for any number of samples. */
    size_t (*scratch_bytes)(const circnn_layer *layer);
    void (*matrix)(const circnn_layer *layer, const int16_t *in, int16_t *out, size_t samples,
                   int64_t *saturations, void *scratch, circnn_clock *clock);

    circnn_unary *max_pool;
    circnn_unary *average_pool;
    circnn_unary *scale_bias;
    circnn_unary *pad;
    void (*add)(const circnn_layer *layer, const int16_t *first, const int16_t *second,
                int16_t *out, size_t samples, int64_t *saturations);

    /* Between the host's numbers and words; quantize tells whether all values were finite. */
    int (*quantize)(const circnn_header *header, const float *x, int16_t *out, size_t count,
                    int64_t *saturations);
    void (*quantize_bytes)(const circnn_header *header, const uint8_t *x, int16_t *out,
                           size_t count, int64_t *saturations);
    void (*dequantize)(const circnn_header *header, const int16_t *in, float *y, size_t count);

    /* As many 16-bit multiply-adds as the machine can do, `rounds` times; returns how many. */
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
