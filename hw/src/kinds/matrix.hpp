// The block-circulant matrix: its arrangement in the lanes and in the spectra memory.  The units
// that compute it are forward.hpp, product.hpp and inverse.hpp.  pynq_circnn/program/arrangement.py
// has the same rules for the compiler, and a test compares the two field by field.
#ifndef CIRCNN_KIND_MATRIX_HPP
#define CIRCNN_KIND_MATRIX_HPP

#include "derive.hpp"
#include "kind_rules.hpp"

namespace kinds {
namespace matrix {

inline Windows windows(const circnn_descriptor &d) { return sliding_windows(d); }

// The totals come from the lanes.
inline Combination combination(const circnn_descriptor &) { return unshifted(false); }

// Rows that a block takes, as a power of two.
inline int32_t chunks_log2(const circnn_descriptor &d) { return most(d.block_log2 - kRowLog2, 0); }

// Whether a program's rows of weights are such that the lanes can take: eight words or more, whole
// blocks, or as much of a block as fills the row.
inline bool share_ok(const circnn_descriptor &d) {
    return d.share_log2 >= kBeatLog2 && d.share_log2 <= kRowLog2 &&
           (d.share_log2 >= d.block_log2 || d.share_log2 == kRowLog2);
}

// Arranges the blocks of a layer in the lanes.  Sides, places and chunks are powers of two, so that
// nothing here divides.
inline void arrange_lanes(Layer &layer) {
    const circnn_descriptor &d = layer.d;
    const int32_t log2 = d.block_log2;
    const int32_t blocks_log2 = most(kRowLog2 - log2, 0);  // blocks of a row
    // a program's rows hold a pixel's blocks; a block that is larger than a row is alone
    const int32_t side_log2 = most(d.share_log2 - log2, 0);
    const int32_t places_log2 = blocks_log2 - side_log2;
    layer.side = 1 << side_log2;
    layer.places = 1 << places_log2;
    layer.by_sample = d.out_width == 1;
    layer.chunks = 1 << chunks_log2(d);
    layer.row_groups = ceil_shift(d.block_rows, side_log2);
    layer.column_groups = ceil_shift(d.block_columns, side_log2);
    layer.terms = static_cast<int32_t>(
        product_of(product_of(d.kernel_height, d.kernel_width), d.block_columns));
    layer.strip = ceil_shift(d.out_width, layer.by_sample ? 0 : places_log2);
}

// Rows of sums of one pixel.
inline int64_t output_rows(const Layer &layer) {
    return static_cast<int64_t>(layer.row_groups) << chunks_log2(layer.d);
}

// Works out how many rows the weights take; returns whether they fit.
inline bool arrange_weights(Layer &layer) {
    const int64_t rows = product_of(output_rows(layer), layer.terms);
    layer.weights_rows = static_cast<int32_t>(rows);
    return rows <= kWeightRows;
}

// Works out where the windows of each place read; returns whether their spectra fit.
inline bool arrange_ring(Layer &layer) {
    const circnn_descriptor &d = layer.d;
    const int32_t places = layer.by_sample ? 1 : layer.places;
    const int64_t kept = product_of(layer.strip - 1, d.stride_width) + d.kernel_width;
    const int64_t line = product_of(kept, layer.column_groups) << chunks_log2(d);
    layer.ring_lines = 2 * least(d.kernel_height, d.in_height);
    if (line > kSpectraRows || product_of(line, layer.ring_lines) > kSpectraRows) return false;
    layer.kept_columns = static_cast<int32_t>(kept);
    layer.line_rows = static_cast<int32_t>(line);
    const int32_t between = static_cast<int32_t>(product_of(layer.strip, d.stride_width));
    const int32_t last = d.in_width + d.pad_left -
                         static_cast<int32_t>(product_of(places - 1, between));
    layer.columns = most(most(layer.kept_columns, last), places > 1 ? between : 1);
    const int32_t output = most(layer.terms, kRowBeats);
    const int64_t trips = product_of(product_of(output, output_rows(layer)), layer.strip);
    const int64_t beats = product_of(least(d.stride_height, d.kernel_height), layer.line_rows)
                          << (kRowLog2 - kBeatLog2);
    const int32_t strides = quotient(d.pad_top, d.stride_height, 16);
    layer.first_phase = d.pad_top - static_cast<int32_t>(product_of(strides, d.stride_height));
    layer.pace = most(quotient(trips, beats, log2_of(kMaxPace)), 1);
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
    if (!share_ok(d)) return CIRCNN_STATUS_BAD_FIELD;
    arrange_lanes(layer);
    if (!arrange_weights(layer) || !arrange_ring(layer)) return CIRCNN_STATUS_TOO_LARGE;
    layer.streamed = (d.stream & CIRCNN_STREAM_WEIGHTS) != 0;
    layer.from_stream = (d.stream & CIRCNN_STREAM_INPUT) != 0;
    layer.weights_row = resident_rows;
    if (!layer.streamed) resident_rows += layer.weights_rows;
    if (resident_rows > kWeightRows) return CIRCNN_STATUS_TOO_LARGE;
    // the section has the weights in the order of the layers, so that one pass can load them
    if (d.weights_offset != weights_end) return CIRCNN_STATUS_BAD_FIELD;
    weights_end += layer.weights_rows << d.share_log2;
    const bool ok = !layer.from_stream || stream_ok(h, layer, index);
    return ok ? CIRCNN_STATUS_OK : CIRCNN_STATUS_BAD_FIELD;
}

}  // namespace matrix
}  // namespace kinds

#endif
