/* Where the time of a run goes: a stop watch. */
#ifndef CIRCNN_CLOCK_H
#define CIRCNN_CLOCK_H

#include <stdint.h>

typedef enum {
    CIRCNN_CONVERSION, /* quantising and dequantising */
    CIRCNN_TRANSFORM,  /* forward and inverse, with what brings blocks to and from the lanes */
    CIRCNN_PRODUCT,
    CIRCNN_EPILOGUE, /* scale, bias and activation */
    CIRCNN_OTHER,    /* layers without weights in blocks */
    CIRCNN_PARTS,
} circnn_part;

/* A stop watch that adds up nanoseconds by part. */
typedef struct {
    int64_t last;
    int64_t *nanoseconds;
} circnn_clock;

void circnn_clock_lap(circnn_clock *clock, circnn_part part);

/* Add the time since the last lap to a part; without a clock (NULL) do nothing. */
static inline void circnn_lap(circnn_clock *clock, circnn_part part) {
    if (clock) circnn_clock_lap(clock, part);
}

#endif
