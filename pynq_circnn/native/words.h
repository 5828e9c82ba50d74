/* Numbers to words and back, in the rows of a packet: for the board's driver.
 *
 * The arithmetic is "Input and output" of hw/ENGINE.md, by the code of the native back end. */
#ifndef CIRCNN_WORDS_H
#define CIRCNN_WORDS_H

#include <stddef.h>
#include <stdint.h>

/* Write rows of float32 as words, `row_bytes` from one row to the next; `scale` is 2^-exponent.
 * Returns how many were limited, or -1 if a number is not finite, in row *bad (unless NULL). */
int64_t circnn_words_from_floats(const float *x, size_t rows, size_t words, float scale,
                                 uint8_t *to, size_t row_bytes, size_t *bad);

/* Write rows of words as float32; `unit` is 2^exponent. */
void circnn_floats_from_words(const uint8_t *from, size_t row_bytes, size_t rows, size_t words,
                              float unit, float *y);

#endif
