// Validates a program before it is used, and works out how each layer runs.  Afterwards every field
// is in its range and every address in its memory, so that no unit can access anything outside its
// memories or run without end.
#ifndef CIRCNN_DECODE_HPP
#define CIRCNN_DECODE_HPP

#include "kinds.hpp"

constexpr circnn_limits kLimits = {kActivationWords, kBeat, kMaxStride};

static_assert(CIRCNN_HEADER_FIELDS <= CIRCNN_PROGRAM_HEADER_WORDS, "the header must fit its words");

inline int32_t check_header(const circnn_header &h, bool legal, uint32_t bytes) {
    const int32_t status = circnn_check_format(&h, bytes);
    if (status != CIRCNN_STATUS_OK) return status;
    if (h.configuration != CIRCNN_CONFIG_DIGEST) return CIRCNN_STATUS_BAD_CONFIGURATION;
    if (!legal) return CIRCNN_STATUS_BAD_FIELD;
    if (h.layers > kMaxLayers || h.activation_words > kActivationWords ||
        h.scales_words > kChannelWords || h.biases_words > kChannelWords)
        return CIRCNN_STATUS_TOO_LARGE;
    return circnn_check_sections(&h);
}

// All products of the checks and of the arrangement are calls of circnn_multiply, one after the
// other: one multiplier of 32 x 32 bits (4 DSP48E1), since nothing here is in a pipelined loop.  There
// is no other, and no divider: the rest are shifts, and the steps of quotient().
inline int32_t decode_layer(const circnn_header &h, int32_t index, Layer &layer,
                            int32_t &resident_rows, int32_t &weights_end) {
#pragma HLS INLINE
#pragma HLS ALLOCATION function instances = circnn_multiply limit = 1
    const circnn_descriptor &d = layer.d;
    const int32_t status = circnn_check_layer(&h, &d, kLimits);
    if (status != CIRCNN_STATUS_OK) return status;
    layer.in_words = static_cast<int32_t>(
        circnn_image_words(d.in_height, d.in_width, d.in_channels, kLimits));
    layer.out_words = static_cast<int32_t>(
        circnn_image_words(d.out_height, d.out_width, d.out_channels, kLimits));
    layer.streamed = false;
    layer.from_stream = false;
    layer.weights_rows = 0;
    if (!traits_of(layer).spectral) return CIRCNN_STATUS_OK;
    return kinds::matrix::decode(h, index, layer, resident_rows, weights_end);
}

// Whether a place holds a whole tensor once so many layers have run: the last that wrote there wrote
// exactly it.
inline bool holds_tensor(const circnn_header &h, const Layer layers[kMaxLayers], int32_t count,
                         int64_t address, int64_t words) {
    // an input that the first layer takes straight from the packet is in no memory for others
    const bool loaded = count == 0 || !layers[0].from_stream;
    bool whole = loaded && circnn_is_input(&h, address, words);
written:
    for (int32_t i = 0; i < count; i++) {
        const int32_t writes = circnn_writes(&layers[i].d, layers[i].out_words, address, words);
        if (writes != 0) whole = writes > 0;
    }
    return whole;
}

inline bool reads_tensors(const circnn_header &h, const Layer layers[kMaxLayers], int32_t index) {
    const Layer &layer = layers[index];
    const circnn_descriptor &d = layer.d;
    return holds_tensor(h, layers, index, d.input_address, layer.in_words) &&
           (!traits_of(layer).two_operands ||
            holds_tensor(h, layers, index, d.second_address, circnn_second_words(&d)));
}

#endif
