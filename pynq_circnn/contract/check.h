/* Validation of a program before it is used, for the native back end.  The hardware engine has the
 * same checks in steps of its arithmetic (hw/src/decode.hpp), and limits of its own.  The rules of
 * each opcode are generated from the contract; they come before this text. */

typedef struct {
    int64_t tensor_words; /* of the largest tensor */
    int64_t align_words; /* a layer's part of a section begins at a multiple of it, a power of 2 */
    int64_t stride; /* the longest step of a window */
} circnn_limits;

static inline int circnn_word_ok(uint32_t word, circnn_range range) {
    const int64_t value = range.min < 0 ? (int64_t)(int32_t)word : (int64_t)word;
    return value >= range.min && value <= range.max;
}

/* Whether word `index` of a header is legal: in its field's range, or zero without a field. */
static inline int circnn_header_word_ok(uint32_t word, int index) {
    return index < CIRCNN_HEADER_FIELDS ? circnn_word_ok(word, circnn_header_ranges[index])
                                        : word == 0;
}

/* The words of the payload that belongs to a legal record, or -1 if it has another length or an
 * opcode that nobody knows. */
static inline int32_t circnn_payload_of(int32_t opcode, uint32_t payload_words) {
    const int32_t words = circnn_payload_words[opcode];
    return words != 0 && payload_words == (uint32_t)words ? words : -1;
}

/* The field of a word of an instruction, by its place among those of all opcodes, or
 * CIRCNN_NO_FIELD.  The fields of the record are the first. */
static inline int32_t circnn_field_of(int record, int32_t opcode, int index) {
    return record ? index : circnn_payload_fields[opcode][index];
}

/* Whether a word is legal: in its field's range, or zero without a field. */
static inline int circnn_field_ok(int32_t field, uint32_t word) {
    return field == CIRCNN_NO_FIELD ? word == 0
                                    : circnn_word_ok(word, circnn_descriptor_ranges[field]);
}

/* Whether `words` words from `address` on lie in a memory of `memory` words. */
static inline int circnn_place_ok(int64_t address, int64_t words, int64_t memory) {
    return address >= 0 && words >= 0 && address + words <= memory;
}

static inline int circnn_overlap(int64_t a, int64_t a_words, int64_t b, int64_t b_words) {
    return a < b + b_words && b < a + a_words;
}

/* Words of an image, or -1 if they are more than the largest tensor may have. */
static inline int64_t circnn_image_words(int64_t height, int64_t width, int64_t channels,
                                         circnn_limits limits) {
    const int64_t pixels = circnn_multiply((uint32_t)height, (uint32_t)width);
    if (pixels > limits.tensor_words) return -1;
    const int64_t words = circnn_multiply((uint32_t)pixels, (uint32_t)channels);
    return words > limits.tensor_words ? -1 : words;
}

/* Whether a layer's part of a section is aligned and lies within the program's section. */
static inline int circnn_section_ok(int64_t offset, int64_t words, int64_t section,
                                    circnn_limits limits) {
    return (offset & (limits.align_words - 1)) == 0 && circnn_place_ok(offset, words, section);
}

/* Check that a header is of this format version, and of a program of `bytes` bytes. */
static inline int circnn_check_format(const circnn_header *h, uint64_t bytes) {
    if (h->magic != CIRCNN_PROGRAM_MAGIC || h->version != CIRCNN_PROGRAM_VERSION)
        return CIRCNN_STATUS_BAD_HEADER;
    return h->bytes == bytes && bytes % CIRCNN_PROGRAM_ALIGN_BYTES == 0 ? CIRCNN_STATUS_OK
                                                                        : CIRCNN_STATUS_BAD_LENGTH;
}

static inline int64_t circnn_padded_bytes(int64_t bytes) {
    return (bytes + CIRCNN_PROGRAM_ALIGN_BYTES - 1) / CIRCNN_PROGRAM_ALIGN_BYTES *
           CIRCNN_PROGRAM_ALIGN_BYTES;
}

/* Check that the lengths of all sections add up to the program's, and that input and output lie in
 * the activation memory. */
static inline int circnn_check_sections(const circnn_header *h) {
    const int64_t records = 4 * (CIRCNN_PROGRAM_HEADER_WORDS + (int64_t)h->instruction_words);
    const int64_t sections = circnn_padded_bytes(2 * (int64_t)h->weights_words) +
                             circnn_padded_bytes(2 * (int64_t)h->scales_words) +
                             circnn_padded_bytes(4 * (int64_t)h->biases_words);
    if (records + sections != (int64_t)h->bytes) return CIRCNN_STATUS_BAD_LENGTH;
    return circnn_place_ok(h->input_address, h->input_words, h->activation_words) &&
                   circnn_place_ok(h->output_address, h->output_words, h->activation_words)
               ? CIRCNN_STATUS_OK
               : CIRCNN_STATUS_BAD_ADDRESS;
}

/* Return what a layer with `out` words of output does to the words of a place: 1 if it writes exactly
 * these, -1 if it writes over some of them, 0 if it leaves them alone. */
static inline int circnn_writes(const circnn_descriptor *d, int64_t out, int64_t address,
                                int64_t words) {
    if (!circnn_overlap(d->output_address, out, address, words)) return 0;
    return d->output_address == address && out == words ? 1 : -1;
}

/* Whether a place is exactly that of the program's input. */
static inline int circnn_is_input(const circnn_header *h, int64_t address, int64_t words) {
    return address == h->input_address && words == h->input_words;
}

/* Check one layer, whose fields are known to lie in their ranges. */
static inline int circnn_check_layer(const circnn_header *h, const circnn_descriptor *d,
                                     circnn_limits limits) {
    const int64_t memory = h->activation_words;
    const int64_t in = circnn_image_words(d->in_height, d->in_width, d->in_channels, limits);
    const int64_t out = circnn_image_words(d->out_height, d->out_width, d->out_channels, limits);
    if (!circnn_place_ok(d->input_address, in, memory) ||
        !circnn_place_ok(d->output_address, out, memory) ||
        circnn_overlap(d->input_address, in, d->output_address, out))
        return CIRCNN_STATUS_BAD_ADDRESS;
    if (d->stride_height > limits.stride || d->stride_width > limits.stride || !circnn_rules_ok(d))
        return CIRCNN_STATUS_BAD_FIELD;
    if (circnn_opcode_traits[d->opcode].two_operands) {
        const int64_t second = circnn_second_words(d);
        if (!circnn_place_ok(d->second_address, second, memory) ||
            circnn_overlap(d->second_address, second, d->output_address, out))
            return CIRCNN_STATUS_BAD_ADDRESS;
    }
    return circnn_section_ok(d->weights_offset, circnn_weights_of(d), h->weights_words, limits) &&
                   circnn_section_ok(d->scales_offset, circnn_scales_of(d), h->scales_words,
                                     limits) &&
                   circnn_section_ok(d->biases_offset, circnn_biases_of(d), h->biases_words, limits)
               ? CIRCNN_STATUS_OK
               : CIRCNN_STATUS_BAD_FIELD;
}
