// Checking what a program says before anything is done with it, and working out how each layer
// runs.  Every field is in its range, every address in its memory: what passes here cannot make
// any unit leave its memories or its loops.
#ifndef CIRCNN_DECODE_HPP
#define CIRCNN_DECODE_HPP

#include "types.hpp"

constexpr int kHeaderFields = static_cast<int>(sizeof(circnn_header) / 4);
constexpr int kDescriptorFields = static_cast<int>(sizeof(circnn_descriptor) / 4);

static_assert(kHeaderFields <= CIRCNN_PROGRAM_HEADER_WORDS, "the header must fit its words");
static_assert(kDescriptorFields <= CIRCNN_PROGRAM_DESCRIPTOR_WORDS, "so must a descriptor");

inline int32_t ceil_div(int32_t a, int32_t b) { return (a + b - 1) / b; }

inline int32_t padded(int32_t words, int32_t multiple) { return ceil_div(words, multiple) * multiple; }

inline int32_t least(int32_t a, int32_t b) { return a < b ? a : b; }
inline int32_t most(int32_t a, int32_t b) { return a > b ? a : b; }

constexpr circnn_limits kLimits = {kActivationWords, kBeat, kMaxStride};

inline int32_t check_header(const uint32_t words[CIRCNN_PROGRAM_HEADER_WORDS],
                            const circnn_header &h, uint32_t bytes) {
    const int32_t status = circnn_check_format(&h, bytes);
    if (status != CIRCNN_STATUS_OK) return status;
    if (h.configuration != CIRCNN_CONFIG_DIGEST) return CIRCNN_STATUS_BAD_CONFIGURATION;
    if (!circnn_fields_ok(words, circnn_header_ranges, kHeaderFields, CIRCNN_PROGRAM_HEADER_WORDS))
        return CIRCNN_STATUS_BAD_FIELD;
    if (h.layers > kMaxLayers || h.activation_words > kActivationWords ||
        h.scales_words > kChannelWords || h.biases_words > kChannelWords)
        return CIRCNN_STATUS_TOO_LARGE;
    return circnn_check_sections(&h);
}

// -- one layer ----------------------------------------------------------------------------------

// How the blocks of a layer lie in the lanes.
inline void arrange(Layer &layer) {
    const circnn_descriptor &d = layer.d;
    const int32_t k = 1 << d.block_log2;
    const int32_t most_side = k < kRow ? kRow / k : 1;
    layer.side = k < kBeat ? kBeat / k : 1;  // no pixel takes less than a beat
side:
    for (int step = 0; step < 8; step++) {
        if (layer.side < d.block_rows && layer.side < most_side) layer.side *= 2;
    }
    layer.places = k < kRow ? kRow / (k * layer.side) : 1;
    layer.by_sample = d.out_width == 1;
    layer.chunks = k > kRow ? k / kRow : 1;
    layer.row_groups = ceil_div(d.block_rows, layer.side);
    layer.column_groups = ceil_div(d.block_columns, layer.side);
    layer.terms = d.kernel_height * d.kernel_width * d.block_columns;
    layer.passes = d.block_log2 > 3 ? d.block_log2 - 2 : 1;
    layer.points_log2 = d.block_log2 == CIRCNN_LIMIT_BLOCK_LOG2 ? 7 : 6;
}

// Where the windows of each place read, and whether their spectra fit.
inline bool stretch(Layer &layer) {
    const circnn_descriptor &d = layer.d;
    const int32_t places = layer.by_sample ? 1 : layer.places;
    layer.strip = ceil_div(d.out_width, places);
    const int64_t kept = static_cast<int64_t>(layer.strip - 1) * d.stride_width + d.kernel_width;
    const int64_t line = kept * layer.column_groups * layer.chunks;
    layer.ring_lines = 2 * least(d.kernel_height, d.in_height);
    if (line > kSpectraRows || line * layer.ring_lines > kSpectraRows) return false;
    layer.kept_columns = static_cast<int32_t>(kept);
    layer.line_rows = static_cast<int32_t>(line);
    const int32_t between = layer.strip * d.stride_width;
    const int32_t last = d.in_width + d.pad_left - (places - 1) * between;
    layer.columns = most(most(layer.kept_columns, last), places > 1 ? between : 1);
    const int32_t output = most(layer.terms, kRowBeats);
    const int64_t trips =
        static_cast<int64_t>(output) * layer.strip * layer.row_groups * layer.chunks;
    const int64_t rows =
        static_cast<int64_t>(least(d.stride_height, d.kernel_height)) * layer.line_rows;
    const int64_t pace = trips / rows;
    layer.pace = static_cast<int32_t>(pace < 1 ? 1 : pace > kMaxPace ? kMaxPace : pace);
    return true;
}

inline int32_t decode_spectral(Layer &layer, int32_t &resident_rows, int32_t &weights_end) {
    const circnn_descriptor &d = layer.d;
    arrange(layer);
    if (!stretch(layer)) return CIRCNN_STATUS_TOO_LARGE;
    const int64_t rows = static_cast<int64_t>(layer.row_groups) * layer.chunks * layer.terms;
    if (rows > kWeightRows) return CIRCNN_STATUS_TOO_LARGE;
    layer.streamed = (d.stream & 2) != 0;
    layer.from_stream = (d.stream & 1) != 0;
    layer.weights_row = resident_rows;
    if (!layer.streamed) resident_rows += static_cast<int32_t>(rows);
    if (resident_rows > kWeightRows) return CIRCNN_STATUS_TOO_LARGE;
    // the weights lie in the section in the order of the layers, so that one pass loads them
    if (d.weights_offset != padded(weights_end, kBeat)) return CIRCNN_STATUS_BAD_FIELD;
    weights_end = d.weights_offset + ((layer.terms * d.block_rows) << d.block_log2);
    return CIRCNN_STATUS_OK;
}

// A layer that takes its input straight from the packet reads every word once and in order.
inline bool stream_ok(const circnn_header &h, const Layer &layer, int32_t index) {
    const circnn_descriptor &d = layer.d;
    return index == 0 && layer.places == 1 && d.in_height == 1 && d.in_width == 1 &&
           d.out_height == 1 && d.out_width == 1 && d.kernel_height == 1 && d.kernel_width == 1 &&
           d.in_channels == h.input_words && !layer.streamed;
}

inline int32_t decode_layer(const uint32_t words[CIRCNN_PROGRAM_DESCRIPTOR_WORDS],
                            const circnn_header &h, int32_t index, Layer &layer,
                            int32_t &resident_rows, int32_t &weights_end) {
    if (!circnn_fields_ok(words, circnn_descriptor_ranges, kDescriptorFields,
                          CIRCNN_PROGRAM_DESCRIPTOR_WORDS))
        return CIRCNN_STATUS_BAD_FIELD;
    const circnn_descriptor &d = layer.d;
    int32_t status = circnn_check_layer(&h, &d, kLimits);
    if (status != CIRCNN_STATUS_OK) return status;
    layer.in_words = d.in_height * d.in_width * d.in_channels;
    layer.out_words = d.out_height * d.out_width * d.out_channels;
    layer.streamed = false;
    layer.from_stream = false;
    if (!traits_of(layer).spectral) return CIRCNN_STATUS_OK;
    status = decode_spectral(layer, resident_rows, weights_end);
    if (status != CIRCNN_STATUS_OK) return status;
    const bool ok = !layer.from_stream || stream_ok(h, layer, index);
    return ok ? CIRCNN_STATUS_OK : CIRCNN_STATUS_BAD_FIELD;
}

#endif
