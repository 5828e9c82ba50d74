// The block-circulant matrix: its arrangement in the lanes and in the spectra memory.  The units
// that compute it are forward.hpp, product.hpp and inverse.hpp.  pynq_circnn/program/arrangement.py
// has the same rules for the compiler, and a test compares the two field by field.
#ifndef CIRCNN_KIND_MATRIX_HPP
#define CIRCNN_KIND_MATRIX_HPP

#include "kind_rules.hpp"

namespace kinds {
namespace matrix {

inline Windows windows(const circnn_descriptor &d) { return sliding_windows(d); }

inline int32_t combine(const Combination &, const OperandBeat &, int, int32_t) {
    CIRCNN_CHECK(false, "the vector unit has no rule for the kind ", "matrix");
    return 0;  // its totals come from the lanes
}

// Arranges the blocks of a layer in the lanes.
inline void arrange_lanes(Layer &layer) {
    const circnn_descriptor &d = layer.d;
    const int32_t k = 1 << d.block_log2;
    const int32_t most_side = k < kRow ? kRow / k : 1;
    layer.side = k < kBeat ? kBeat / k : 1;  // a pixel takes at least one beat
side:
    for (int step = 0; step < 8; step++) {
        // more places are better than room in the rows of spectra that no input block takes
        const bool enough = d.out_width > 1 && layer.side >= d.block_columns &&
                            most_side / layer.side <= d.out_width;
        if (layer.side < d.block_rows && layer.side < most_side && !enough) layer.side *= 2;
    }
    layer.places = k < kRow ? kRow / (k * layer.side) : 1;
    layer.by_sample = d.out_width == 1;
    layer.chunks = k > kRow ? k / kRow : 1;
    layer.row_groups = ceil_div(d.block_rows, layer.side);
    layer.column_groups = ceil_div(d.block_columns, layer.side);
    layer.terms = d.kernel_height * d.kernel_width * d.block_columns;
    layer.passes = d.block_log2 > 3 ? d.block_log2 - 2 : 1;
}

// Works out where the windows of each place read; returns whether their spectra fit.
inline bool arrange_ring(Layer &layer) {
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
    const int64_t trips = static_cast<int64_t>(output) * layer.strip * layer.row_groups *
                          layer.chunks;
    const int64_t rows = static_cast<int64_t>(least(d.stride_height, d.kernel_height)) *
                         layer.line_rows;
    const int64_t pace = trips / rows;
    layer.pace = static_cast<int32_t>(pace < 1 ? 1 : pace > kMaxPace ? kMaxPace : pace);
    return true;
}

// A layer that takes its input straight from the packet reads every word once and in order.
inline bool stream_ok(const circnn_header &h, const Layer &layer, int32_t index) {
    const circnn_descriptor &d = layer.d;
    return index == 0 && layer.places == 1 && d.in_height == 1 && d.in_width == 1 &&
           d.out_height == 1 && d.out_width == 1 && d.kernel_height == 1 && d.kernel_width == 1 &&
           d.in_channels == h.input_words && d.input_address == h.input_address && !layer.streamed;
}

// Works out how the layer runs, and checks that it fits.
inline int32_t decode(const circnn_header &h, int32_t index, Layer &layer, int32_t &resident_rows,
                      int32_t &weights_end) {
    const circnn_descriptor &d = layer.d;
    arrange_lanes(layer);
    if (!arrange_ring(layer)) return CIRCNN_STATUS_TOO_LARGE;
    const int64_t rows = static_cast<int64_t>(layer.row_groups) * layer.chunks * layer.terms;
    if (rows > kWeightRows) return CIRCNN_STATUS_TOO_LARGE;
    layer.streamed = (d.stream & 2) != 0;
    layer.from_stream = (d.stream & 1) != 0;
    layer.weights_row = resident_rows;
    if (!layer.streamed) resident_rows += static_cast<int32_t>(rows);
    if (resident_rows > kWeightRows) return CIRCNN_STATUS_TOO_LARGE;
    // the section has the weights in the order of the layers, so that one pass can load them
    if (d.weights_offset != padded(weights_end, kBeat)) return CIRCNN_STATUS_BAD_FIELD;
    weights_end = d.weights_offset + ((layer.terms * d.block_rows) << d.block_log2);
    const bool ok = !layer.from_stream || stream_ok(h, layer, index);
    return ok ? CIRCNN_STATUS_OK : CIRCNN_STATUS_BAD_FIELD;
}

}  // namespace matrix
}  // namespace kinds

#endif
