#include "program.h"

#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "programs are little-endian and are read as they lie in memory"
#endif

enum { HEADER_BYTES = 4 * CIRCNN_PROGRAM_HEADER_WORDS };

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
    circnn_header_of(words, &p->header);
    const circnn_header *h = &p->header;
    int status = circnn_check_format(h, size);
    if (status != CIRCNN_STATUS_OK) return status;
    if (h->checksum != checksum_of(bytes, size)) return CIRCNN_STATUS_BAD_CHECKSUM;
    for (int i = 0; i < CIRCNN_PROGRAM_HEADER_WORDS; i++)
        if (!circnn_header_word_ok(words[i], i)) return CIRCNN_STATUS_BAD_FIELD;
    status = circnn_check_sections(h);
    if (status != CIRCNN_STATUS_OK) return status;

    p->instructions = bytes + HEADER_BYTES;
    p->weights = p->instructions + 4 * (size_t)h->instruction_words;
    p->scales = p->weights + circnn_padded_bytes(2 * (int64_t)h->weights_words);
    p->biases = p->scales + circnn_padded_bytes(2 * (int64_t)h->scales_words);
    return words_ok(p) ? CIRCNN_STATUS_OK : CIRCNN_STATUS_BAD_FIELD;
}

/* Read a record, or the payload of an opcode, from `*at` on; returns whether it is legal. */
static int read_fields(const circnn_program *p, size_t *at, int record, int32_t words,
                       uint32_t *fields) {
    const int32_t opcode = record ? 0 : (int32_t)fields[0];
    int ok = 1;
    for (int i = 0; i < words; i++) {
        const int32_t field = circnn_field_of(record, opcode, i);
        uint32_t word;
        memcpy(&word, p->instructions + 4 * (*at)++, sizeof word);
        ok &= circnn_field_ok(field, word);
        if (field != CIRCNN_NO_FIELD) fields[field] = word;
    }
    return ok;
}

int circnn_program_next(const circnn_program *p, size_t *at, circnn_descriptor *d) {
    static const circnn_limits limits = {
        .tensor_words = CIRCNN_LIMIT_TENSOR_WORDS,
        .align_words = 1,
        .stride = CIRCNN_LIMIT_EXTENT,
    };
    uint32_t fields[CIRCNN_DESCRIPTOR_FIELDS] = {0};
    const size_t words = (size_t)p->header.instruction_words;
    if (words - *at < CIRCNN_PROGRAM_RECORD_WORDS) return CIRCNN_STATUS_BAD_LENGTH;
    if (!read_fields(p, at, 1, CIRCNN_PROGRAM_RECORD_WORDS, fields)) return CIRCNN_STATUS_BAD_FIELD;
    const int32_t payload = circnn_payload_of((int32_t)fields[0], fields[1]);
    if (payload < 0) return CIRCNN_STATUS_BAD_FIELD;
    if (words - *at < (size_t)payload) return CIRCNN_STATUS_BAD_LENGTH;
    if (!read_fields(p, at, 0, payload, fields)) return CIRCNN_STATUS_BAD_FIELD;
    circnn_descriptor_of(fields, d);
    return circnn_check_layer(&p->header, d, limits);
}

int circnn_program_end(const circnn_program *p, size_t at) {
    return at == (size_t)p->header.instruction_words ? CIRCNN_STATUS_OK : CIRCNN_STATUS_BAD_LENGTH;
}
