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

// Whether every field lies in its range and every word behind the fields is zero.
inline bool fields_ok(const uint32_t words[CIRCNN_PROGRAM_HEADER_WORDS],
                      const circnn_range *ranges, int fields) {
    bool ok = true;
fields_check:
    for (int i = 0; i < CIRCNN_PROGRAM_HEADER_WORDS; i++) {
        if (i >= fields) {
            ok = ok && words[i] == 0;
        } else {
            const int64_t value = ranges[i].min < 0
                                      ? static_cast<int64_t>(static_cast<int32_t>(words[i]))
                                      : static_cast<int64_t>(words[i]);
            ok = ok && value >= ranges[i].min && value <= ranges[i].max;
        }
    }
    return ok;
}

inline bool place_ok(int64_t address, int64_t words, int64_t memory) {
    return address >= 0 && words >= 0 && address + words <= memory;
}

inline bool overlap(int64_t a, int64_t a_words, int64_t b, int64_t b_words) {
    return a < b + b_words && b < a + a_words;
}

inline int32_t ceil_div(int32_t a, int32_t b) { return (a + b - 1) / b; }

inline int32_t padded(int32_t words, int32_t multiple) { return ceil_div(words, multiple) * multiple; }

inline int32_t least(int32_t a, int32_t b) { return a < b ? a : b; }
inline int32_t most(int32_t a, int32_t b) { return a > b ? a : b; }

// -- the header ---------------------------------------------------------------------------------

inline int32_t check_header(const uint32_t words[CIRCNN_PROGRAM_HEADER_WORDS],
                            const circnn_header &h, uint32_t bytes) {
    if (h.magic != CIRCNN_PROGRAM_MAGIC || h.version != CIRCNN_PROGRAM_VERSION)
        return CIRCNN_STATUS_BAD_HEADER;
    if (h.bytes != bytes || bytes % 8 != 0) return CIRCNN_STATUS_BAD_LENGTH;
    if (h.configuration != CIRCNN_CONFIG_DIGEST) return CIRCNN_STATUS_BAD_CONFIGURATION;
    if (!fields_ok(words, circnn_header_ranges, kHeaderFields)) return CIRCNN_STATUS_BAD_FIELD;
    if (h.layers > kMaxLayers || h.activation_words > kActivationWords ||
        h.scales_words > kChannelWords || h.biases_words > kChannelWords)
        return CIRCNN_STATUS_TOO_LARGE;
    const int64_t sections = static_cast<int64_t>(padded(h.weights_words, 4)) * 2 +
                             static_cast<int64_t>(padded(h.scales_words, 4)) * 2 +
                             static_cast<int64_t>(padded(h.biases_words, 2)) * 4;
    const int64_t records = 4 * (CIRCNN_PROGRAM_HEADER_WORDS +
                                 static_cast<int64_t>(h.layers) * CIRCNN_PROGRAM_DESCRIPTOR_WORDS);
    if (records + sections != static_cast<int64_t>(bytes)) return CIRCNN_STATUS_BAD_LENGTH;
    if (!place_ok(h.input_address, h.input_words, h.activation_words) ||
        !place_ok(h.output_address, h.output_words, h.activation_words))
        return CIRCNN_STATUS_BAD_ADDRESS;
    return CIRCNN_STATUS_OK;
}

// -- one layer ----------------------------------------------------------------------------------

// Words of an image, or -1 if they are more than any memory has.
inline int64_t image_words(int32_t height, int32_t width, int32_t channels) {
    const int64_t pixels = static_cast<int64_t>(height) * width;
    return pixels > kActivationWords || pixels * channels > kActivationWords ? -1
                                                                             : pixels * channels;
}

inline bool window_ok(const circnn_descriptor &d) {
    return d.kernel_height >= 1 && d.kernel_width >= 1 && d.stride_height >= 1 &&
           d.stride_width >= 1 && d.stride_height <= kMaxStride && d.stride_width <= kMaxStride &&
           d.kernel_height > d.pad_top && d.kernel_width > d.pad_left;
}

// Whether every window of a pool covers a pixel of the image.
inline bool windows_hit(const circnn_descriptor &d) {
    const int64_t last_y = static_cast<int64_t>(d.out_height - 1) * d.stride_height - d.pad_top;
    const int64_t last_x = static_cast<int64_t>(d.out_width - 1) * d.stride_width - d.pad_left;
    return last_y < d.in_height && last_x < d.in_width;
}

inline bool same_extents(const circnn_descriptor &d) {
    return d.in_height == d.out_height && d.in_width == d.out_width &&
           d.in_channels == d.out_channels;
}

inline bool channels_ok(const circnn_header &h, const circnn_descriptor &d) {
    return d.scales_offset % kBeat == 0 && d.biases_offset % kBeat == 0 &&
           place_ok(d.scales_offset, d.out_channels, h.scales_words) &&
           place_ok(d.biases_offset, d.out_channels, h.biases_words);
}

inline bool average_ok(const circnn_header &h, const circnn_descriptor &d) {
    const int64_t area = static_cast<int64_t>(d.kernel_height) * d.kernel_width;
    return window_ok(d) && windows_hit(d) && d.in_channels == d.out_channels &&
           area <= CIRCNN_LIMIT_POOL_AREA && place_ok(d.scales_offset, area, h.scales_words);
}

inline bool pad_ok(const circnn_descriptor &d) {
    return d.in_channels == d.out_channels && d.pad_top + d.in_height <= d.out_height &&
           d.pad_left + d.in_width <= d.out_width;
}

inline bool matrix_ok(const circnn_header &h, const circnn_descriptor &d) {
    const int32_t k = 1 << d.block_log2;
    const int64_t positions = static_cast<int64_t>(d.kernel_height) * d.kernel_width;
    if (!window_ok(d) || d.block_rows != ceil_div(d.out_channels, k) ||
        d.block_columns != ceil_div(d.in_channels, k))
        return false;
    if (positions > CIRCNN_LIMIT_TERMS || positions * d.block_columns > CIRCNN_LIMIT_TERMS)
        return false;
    if ((d.forward_shifts >> d.block_log2) != 0 || (d.inverse_shifts >> d.block_log2) != 0)
        return false;
    const int64_t words = positions * d.block_columns * d.block_rows * k;
    return d.weights_offset % kBeat == 0 && channels_ok(h, d) &&
           place_ok(d.weights_offset, words, h.weights_words);
}

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

inline int32_t decode_matrix(const circnn_header &h, Layer &layer, int32_t &resident_rows,
                             int32_t &weights_end) {
    const circnn_descriptor &d = layer.d;
    if (!matrix_ok(h, d)) return CIRCNN_STATUS_BAD_FIELD;
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
    if (!fields_ok(words, circnn_descriptor_ranges, kDescriptorFields))
        return CIRCNN_STATUS_BAD_FIELD;
    const circnn_descriptor &d = layer.d;
    const int64_t in = image_words(d.in_height, d.in_width, d.in_channels);
    const int64_t out = image_words(d.out_height, d.out_width, d.out_channels);
    if (!place_ok(d.input_address, in, h.activation_words) ||
        !place_ok(d.output_address, out, h.activation_words) ||
        overlap(d.input_address, in, d.output_address, out))
        return CIRCNN_STATUS_BAD_ADDRESS;
    layer.in_words = static_cast<int32_t>(in);
    layer.out_words = static_cast<int32_t>(out);
    layer.streamed = false;
    layer.from_stream = false;
    if (d.opcode == CIRCNN_OP_MATRIX) {
        const int32_t status = decode_matrix(h, layer, resident_rows, weights_end);
        if (status != CIRCNN_STATUS_OK) return status;
        const bool ok = !layer.from_stream || stream_ok(h, layer, index);
        return ok ? CIRCNN_STATUS_OK : CIRCNN_STATUS_BAD_FIELD;
    }
    bool ok = d.stream == 0;
    switch (d.opcode) {
    case CIRCNN_OP_MAX_POOL:
        ok = ok && window_ok(d) && windows_hit(d) && d.in_channels == d.out_channels;
        break;
    case CIRCNN_OP_AVERAGE_POOL:
        ok = ok && average_ok(h, d);
        break;
    case CIRCNN_OP_SCALE_BIAS:
        ok = ok && same_extents(d) && channels_ok(h, d);
        break;
    case CIRCNN_OP_PAD:
        ok = ok && pad_ok(d);
        break;
    default:  // CIRCNN_OP_ADD: the range of opcodes ends here
        ok = ok && same_extents(d) && (d.first_align == 0 || d.second_align == 0);
        if (!place_ok(d.second_address, in, h.activation_words) ||
            overlap(d.second_address, in, d.output_address, out))
            return CIRCNN_STATUS_BAD_ADDRESS;
        break;
    }
    return ok ? CIRCNN_STATUS_OK : CIRCNN_STATUS_BAD_FIELD;
}

#endif
