/* Reading a program and checking it: every field in its range, every address in its memory. */
#ifndef CIRCNN_PROGRAM_H
#define CIRCNN_PROGRAM_H

#include <stddef.h>

#include "kernels.h"

typedef struct {
    circnn_header header;
    const uint8_t *instructions;
    const uint8_t *weights, *scales, *biases; /* little-endian words, unaligned */
} circnn_program;

/* Check the header and fill in where the parts of the program lie in the bytes. */
int circnn_program_open(const uint8_t *bytes, size_t size, circnn_program *program);

/* Read and check the instruction that begins `*at` words after the first, and move on. */
int circnn_program_next(const circnn_program *program, size_t *at, circnn_descriptor *layer);

/* Check that the instructions end where the header says, now that all of them are read. */
int circnn_program_end(const circnn_program *program, size_t at);

#endif
