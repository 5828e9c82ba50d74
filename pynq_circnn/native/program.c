#include "program.h"

#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "programs are little-endian and are read as they lie in memory"
#endif

enum {
    HEADER_FIELDS = sizeof(circnn_header) / 4,
    DESCRIPTOR_FIELDS = sizeof(circnn_descriptor) / 4,
    HEADER_BYTES = 4 * CIRCNN_PROGRAM_HEADER_WORDS,
    DESCRIPTOR_BYTES = 4 * CIRCNN_PROGRAM_DESCRIPTOR_WORDS,
};

_Static_assert(HEADER_FIELDS <= CIRCNN_PROGRAM_HEADER_WORDS, "the header must fit its words");
_Static_assert(DESCRIPTOR_FIELDS <= CIRCNN_PROGRAM_DESCRIPTOR_WORDS,
               "a descriptor must fit its words");

/* CRC-32 as zlib computes it (reflected, polynomial 0xEDB88320), four bits a step. */
static uint32_t crc32_of(uint32_t crc, const uint8_t *bytes, size_t size) {
    uint32_t table[16];
    for (uint32_t i = 0; i < 16; i++) {
        uint32_t value = i;
        for (int bit = 0; bit < 4; bit++) value = value >> 1 ^ (value & 1 ? 0xEDB88320u : 0);
        table[i] = value;
    }
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return crc;
}

static uint32_t checksum_of(const uint8_t *bytes, size_t size) {
    const size_t at = offsetof(circnn_header, checksum);
    const uint8_t zero[4] = {0};
    uint32_t crc = crc32_of(0xFFFFFFFFu, bytes, at);
    crc = crc32_of(crc, zero, sizeof zero);
    return ~crc32_of(crc, bytes + at + 4, size - at - 4);
}

/* Whether every word of a section is one that the arithmetic is proven for. */
static int words_ok(const circnn_program *p) {
    for (int64_t i = 0; i < (int64_t)p->header.weights_words + p->header.scales_words; i++) {
        const int64_t j = i - p->header.weights_words;
        int16_t word;
        memcpy(&word, j < 0 ? p->weights + 2 * i : p->scales + 2 * j, 2);
        if (word < -CIRCNN_VALUE_MAX) return 0;
    }
    for (int64_t i = 0; i < p->header.biases_words; i++) {
        int32_t word;
        memcpy(&word, p->biases + 4 * i, 4);
        if (word < -CIRCNN_BIAS_MAX || word > CIRCNN_BIAS_MAX) return 0;
    }
    return 1;
}

int circnn_program_open(const uint8_t *bytes, size_t size, circnn_program *p) {
    uint32_t words[CIRCNN_PROGRAM_HEADER_WORDS];
    if (size < HEADER_BYTES) return CIRCNN_STATUS_BAD_LENGTH;
    memcpy(words, bytes, sizeof words);
    memcpy(&p->header, bytes, sizeof p->header);
    const circnn_header *h = &p->header;
    int status = circnn_check_format(h, size);
    if (status != CIRCNN_STATUS_OK) return status;
    if (h->checksum != checksum_of(bytes, size)) return CIRCNN_STATUS_BAD_CHECKSUM;
    if (!circnn_fields_ok(words, circnn_header_ranges, HEADER_FIELDS, CIRCNN_PROGRAM_HEADER_WORDS))
        return CIRCNN_STATUS_BAD_FIELD;
    status = circnn_check_sections(h);
    if (status != CIRCNN_STATUS_OK) return status;

    p->descriptors = bytes + HEADER_BYTES;
    p->weights = p->descriptors + (size_t)h->layers * DESCRIPTOR_BYTES;
    p->scales = p->weights + circnn_padded_bytes(2 * (int64_t)h->weights_words);
    p->biases = p->scales + circnn_padded_bytes(2 * (int64_t)h->scales_words);
    return words_ok(p) ? CIRCNN_STATUS_OK : CIRCNN_STATUS_BAD_FIELD;
}

int circnn_program_layer(const circnn_program *p, size_t index, circnn_descriptor *d) {
    static const circnn_limits limits = {
        .tensor_words = CIRCNN_LIMIT_TENSOR_WORDS,
        .align_words = 1,
        .stride = CIRCNN_LIMIT_EXTENT,
    };
    const uint8_t *record = p->descriptors + index * DESCRIPTOR_BYTES;
    uint32_t words[CIRCNN_PROGRAM_DESCRIPTOR_WORDS];
    memcpy(words, record, sizeof words);
    if (!circnn_fields_ok(words, circnn_descriptor_ranges, DESCRIPTOR_FIELDS,
                          CIRCNN_PROGRAM_DESCRIPTOR_WORDS))
        return CIRCNN_STATUS_BAD_FIELD;
    memcpy(d, record, sizeof *d);
    return circnn_check_layer(&p->header, d, limits);
}
