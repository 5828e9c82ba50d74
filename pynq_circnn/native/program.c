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

/* Whether every field lies in its range and every word behind the fields is zero. */
static int fields_ok(const uint8_t *record, const circnn_range *ranges, int fields, int words) {
    for (int i = 0; i < words; i++) {
        int32_t word;
        memcpy(&word, record + 4 * i, 4);
        if (i >= fields) {
            if (word != 0) return 0;
            continue;
        }
        const int64_t value = ranges[i].min < 0 ? word : (int64_t)(uint32_t)word;
        if (value < ranges[i].min || value > ranges[i].max) return 0;
    }
    return 1;
}

static size_t padded(int64_t bytes) {
    return ((size_t)bytes + CIRCNN_PROGRAM_ALIGN_BYTES - 1) / CIRCNN_PROGRAM_ALIGN_BYTES *
           CIRCNN_PROGRAM_ALIGN_BYTES;
}

static int place_ok(int64_t address, int64_t words, int64_t memory) {
    return address >= 0 && words >= 0 && address + words <= memory;
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
    if (size < HEADER_BYTES) return CIRCNN_STATUS_BAD_LENGTH;
    memcpy(&p->header, bytes, sizeof p->header);
    const circnn_header *h = &p->header;
    if (h->magic != CIRCNN_PROGRAM_MAGIC || h->version != CIRCNN_PROGRAM_VERSION)
        return CIRCNN_STATUS_BAD_HEADER;
    if (h->bytes != size) return CIRCNN_STATUS_BAD_LENGTH;
    if (h->checksum != checksum_of(bytes, size)) return CIRCNN_STATUS_BAD_CHECKSUM;
    if (!fields_ok(bytes, circnn_header_ranges, HEADER_FIELDS, CIRCNN_PROGRAM_HEADER_WORDS))
        return CIRCNN_STATUS_BAD_FIELD;

    const size_t weights = padded(2 * (int64_t)h->weights_words);
    const size_t scales = padded(2 * (int64_t)h->scales_words);
    const size_t biases = padded(4 * (int64_t)h->biases_words);
    const size_t layers = (size_t)h->layers * DESCRIPTOR_BYTES;
    if (HEADER_BYTES + layers + weights + scales + biases != size) return CIRCNN_STATUS_BAD_LENGTH;
    p->descriptors = bytes + HEADER_BYTES;
    p->weights = p->descriptors + layers;
    p->scales = p->weights + weights;
    p->biases = p->scales + scales;

    if (!place_ok(h->input_address, h->input_words, h->activation_words) ||
        !place_ok(h->output_address, h->output_words, h->activation_words))
        return CIRCNN_STATUS_BAD_ADDRESS;
    return words_ok(p) ? CIRCNN_STATUS_OK : CIRCNN_STATUS_BAD_FIELD;
}

/* -- one layer ---------------------------------------------------------------------------------*/

static int64_t image_words(int64_t height, int64_t width, int64_t channels) {
    return channels > CIRCNN_LIMIT_TENSOR_WORDS / (height * width) ? -1 : height * width * channels;
}

static int overlap(int64_t a, int64_t a_words, int64_t b, int64_t b_words) {
    return a < b + b_words && b < a + a_words;
}

static int window_ok(const circnn_descriptor *d) {
    return d->kernel_height >= 1 && d->kernel_width >= 1 && d->stride_height >= 1 &&
           d->stride_width >= 1;
}

/* Whether the first and the last window, and so every one, cover a pixel of the image. */
static int windows_hit(const circnn_descriptor *d) {
    const int64_t last_y = (int64_t)(d->out_height - 1) * d->stride_height - d->pad_top;
    const int64_t last_x = (int64_t)(d->out_width - 1) * d->stride_width - d->pad_left;
    return d->kernel_height > d->pad_top && d->kernel_width > d->pad_left &&
           last_y < d->in_height && last_x < d->in_width;
}

static int same_extents(const circnn_descriptor *d) {
    return d->in_height == d->out_height && d->in_width == d->out_width &&
           d->in_channels == d->out_channels;
}

static int channels_ok(const circnn_program *p, const circnn_descriptor *d) {
    return place_ok(d->scales_offset, d->out_channels, p->header.scales_words) &&
           place_ok(d->biases_offset, d->out_channels, p->header.biases_words);
}

static int matrix_ok(const circnn_program *p, const circnn_descriptor *d) {
    const int64_t k = (int64_t)1 << d->block_log2;
    const int64_t rows = (d->out_channels + k - 1) / k, columns = (d->in_channels + k - 1) / k;
    const int64_t positions = (int64_t)d->kernel_height * d->kernel_width;
    if (!window_ok(d) || d->block_rows != rows || d->block_columns != columns) return 0;
    if (positions > CIRCNN_LIMIT_TERMS || positions * columns > CIRCNN_LIMIT_TERMS) return 0;
    if (d->forward_shifts >> d->block_log2 || d->inverse_shifts >> d->block_log2) return 0;
    return channels_ok(p, d) && place_ok(d->weights_offset, rows * positions * columns * k,
                                         p->header.weights_words);
}

static int average_ok(const circnn_program *p, const circnn_descriptor *d) {
    const int64_t area = (int64_t)d->kernel_height * d->kernel_width;
    return window_ok(d) && windows_hit(d) && d->in_channels == d->out_channels &&
           area <= CIRCNN_LIMIT_POOL_AREA &&
           place_ok(d->scales_offset, area, p->header.scales_words);
}

static int pad_ok(const circnn_descriptor *d) {
    return d->in_channels == d->out_channels &&
           (int64_t)d->pad_top + d->in_height <= d->out_height &&
           (int64_t)d->pad_left + d->in_width <= d->out_width;
}

int circnn_program_layer(const circnn_program *p, size_t index, circnn_descriptor *d) {
    const uint8_t *record = p->descriptors + index * DESCRIPTOR_BYTES;
    if (!fields_ok(record, circnn_descriptor_ranges, DESCRIPTOR_FIELDS,
                   CIRCNN_PROGRAM_DESCRIPTOR_WORDS))
        return CIRCNN_STATUS_BAD_FIELD;
    memcpy(d, record, sizeof *d);

    const int64_t memory = p->header.activation_words;
    const int64_t in = image_words(d->in_height, d->in_width, d->in_channels);
    const int64_t out = image_words(d->out_height, d->out_width, d->out_channels);
    if (!place_ok(d->input_address, in, memory) || !place_ok(d->output_address, out, memory) ||
        overlap(d->input_address, in, d->output_address, out))
        return CIRCNN_STATUS_BAD_ADDRESS;

    int ok = 0;
    switch (d->opcode) {
    case CIRCNN_OP_MATRIX:
        ok = matrix_ok(p, d);
        break;
    case CIRCNN_OP_MAX_POOL:
        ok = window_ok(d) && windows_hit(d) && d->in_channels == d->out_channels;
        break;
    case CIRCNN_OP_AVERAGE_POOL:
        ok = average_ok(p, d);
        break;
    case CIRCNN_OP_SCALE_BIAS:
        ok = same_extents(d) && channels_ok(p, d);
        break;
    case CIRCNN_OP_PAD:
        ok = pad_ok(d);
        break;
    case CIRCNN_OP_ADD:
        ok = same_extents(d) && (d->first_align == 0 || d->second_align == 0);
        if (!place_ok(d->second_address, in, memory) ||
            overlap(d->second_address, in, d->output_address, out))
            return CIRCNN_STATUS_BAD_ADDRESS;
        break;
    }
    return ok ? CIRCNN_STATUS_OK : CIRCNN_STATUS_BAD_FIELD;
}
