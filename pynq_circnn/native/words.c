#include "words.h"

#include "conversion.h"

int64_t circnn_words_from_floats(const float *x, size_t rows, size_t words, float scale,
                                 uint8_t *to, size_t row_bytes, size_t *bad) {
    int64_t total = 0;
    for (size_t row = 0; row < rows; row++, x += words, to += row_bytes) {
        int32_t limited = 0;
        if (!words_of_floats(scale, x, (int16_t *)(void *)to, words, &limited)) {
            if (bad) *bad = row;
            return -1;
        }
        total += limited;
    }
    return total;
}

void circnn_floats_from_words(const uint8_t *from, size_t row_bytes, size_t rows, size_t words,
                              float unit, float *y) {
    for (size_t row = 0; row < rows; row++, from += row_bytes, y += words)
        floats_of_words(unit, (const int16_t *)(const void *)from, y, words);
}
