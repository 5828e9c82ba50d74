/* The native back end: runs programs of the engine, with the same bits as the reference.
 *
 * A plan is made from a program's bytes, is immutable, and may be run by any number of threads at
 * once, each with a workspace of its own.  Running allocates no memory.  Functions return a status
 * of the contract; CIRCNN_STATUS_OK is 0. */
#ifndef CIRCNN_H
#define CIRCNN_H

#include <stddef.h>
#include <stdint.h>

typedef struct circnn_plan circnn_plan;

/* The format of a plan's input. */
enum { CIRCNN_FLOAT32 = 0, CIRCNN_UINT8 = 1 };

/* The name of a set of kernels that this machine can run; number 0 is the fastest.  NULL for
 * numbers after the last. */
const char *circnn_kernels_name(size_t number);

/* Make a plan from a program; the bytes are copied.  `kernels` is the name of a set, or NULL for
 * the fastest.  *plan is NULL unless CIRCNN_STATUS_OK, and *layer is the index of the descriptor
 * at fault, or -1. */
int circnn_plan_create(const uint8_t *program, size_t bytes, const char *kernels,
                       circnn_plan **plan, int32_t *layer);

void circnn_plan_destroy(circnn_plan *plan);

/* Bytes of workspace with which up to `samples` are worked on at once.  The workspace for one
 * sample is enough for a batch of any size; a larger one is faster. */
size_t circnn_plan_workspace_bytes(const circnn_plan *plan, size_t samples);

/* What a call needs besides input and output: memory to work in, not shared with another call in
 * progress, and where to write what it counts and measures. */
typedef struct {
    uint8_t *workspace; /* of any alignment */
    size_t workspace_bytes;
    int64_t *saturations; /* NULL, or 1 + layers counters to which the words limited at the input
                             and by each layer are added; counting costs time */
    int64_t *nanoseconds; /* NULL, or five counters to which the time is added that goes to
                             conversion, transforms, products, epilogues and other layers */
    size_t bad_sample;    /* the first sample with NaN or infinity (CIRCNN_STATUS_NOT_FINITE) */
} circnn_call;

/* Run the network on a batch.
 *
 * x  samples * input_words elements of `format`
 * y  samples * output_words values */
int circnn_plan_run(const circnn_plan *plan, const void *x, int format, float *y, size_t samples,
                    circnn_call *call);

/* The name of the kernels that the plan uses. */
const char *circnn_plan_kernels(const circnn_plan *plan);

/* Do as many 16-bit multiply-adds as the registers hold, `rounds` times; returns how many. */
int64_t circnn_plan_multiply_adds(const circnn_plan *plan, size_t rounds);

#endif
