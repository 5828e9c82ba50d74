// The block-circulant matrix: its arrangement in the lanes and in the spectra memory.  The units
// that compute it are forward.hpp, product.hpp and inverse.hpp.  pynq_circnn/program/arrangement.py
// has the same rules for the compiler, and a test compares the two field by field.
#ifndef CIRCNN_KIND_MATRIX_HPP
#define CIRCNN_KIND_MATRIX_HPP

#include "kind_rules.hpp"
#include "steps.hpp"

namespace steps {

// The steps after those of every layer (decode.hpp), of which they take `direct` and `streamed`.
// Sides, places and chunks are powers of two.
constexpr Step kMatrixSteps[] = {
    // a row of weights must be such that the lanes can take it: eight words or more, whole blocks,
    // or as much of a block as fills the row
    {t0, share_log2, minus, kBeatLog2},
    {require, t0, CIRCNN_STATUS_BAD_FIELD},
    {t0, share_log2, minus, kRowLog2},
    {places_log2, zero, minus, t0},
    {require, places_log2, CIRCNN_STATUS_BAD_FIELD},
    {t0, block_log2, least, kRowLog2},
    {t1, share_log2, minus, t0},
    {require, t1, CIRCNN_STATUS_BAD_FIELD},
    // in the lanes: a program's rows hold a pixel's blocks; a block that is larger than a row is
    // alone
    {t0, share_log2, minus, block_log2},
    {side_log2, t0, most, 0},
    {t0, block_log2, minus, kRowLog2},
    {chunks_log2, t0, most, 0},
    {row_groups, block_rows, ceil, side_log2},
    {column_groups, block_columns, ceil, side_log2},
    {t0, kernel_height, times, kernel_width},
    {terms, t0, times, block_columns},
    {t0, out_width, minus, 1},
    {not_sample, t0, least, 1},
    {by_sample, one, minus, not_sample},
    {t0, places_log2, times, not_sample},
    {places_now, one, left, t0},
    {strip, out_width, ceil, t0},
    // in the weights memory
    {out_rows, row_groups, left, chunks_log2},
    {weights_rows, out_rows, times, terms},
    {t0, number, kWeightRows},
    {t1, t0, minus, weights_rows},
    {require, t1, CIRCNN_STATUS_TOO_LARGE},
    // in the spectra memory: where the windows of each place read
    {t0, strip, minus, 1},
    {t1, t0, times, stride_width},
    {kept_columns, t1, plus, kernel_width},
    {t0, kept_columns, times, column_groups},
    {line_rows, t0, left, chunks_log2},
    {t0, number, kSpectraRows},
    {t1, t0, minus, line_rows},
    {require, t1, CIRCNN_STATUS_TOO_LARGE},
    {t1, kernel_height, least, in_height},
    {ring_lines, t1, left, 1},
    {t1, line_rows, times, ring_lines},
    {t2, t0, minus, t1},
    {require, t2, CIRCNN_STATUS_TOO_LARGE},
    {between, strip, times, stride_width},
    {t0, places_now, minus, 1},
    {t1, t0, times, between},
    {t2, in_width, plus, pad_left},
    {t3, t2, minus, t1},
    {t4, kept_columns, most, t3},
    {t0, t0, least, 1},
    {t1, between, minus, 1},
    {t2, t0, times, t1},
    {t3, t2, plus, 1},
    {columns, t4, most, t3},
    // the reader counts them with 16 bits
    {t0, number, 1 << 13},
    {t0, t0, left, 3},
    {t1, t0, minus, columns},
    {require, t1, CIRCNN_STATUS_TOO_LARGE},
    // the pace is trips / beats, which is not worked out here
    {t0, terms, most, kRowBeats},
    {t1, t0, times, out_rows},
    {trips, t1, times, strip},
    {t0, stride_height, least, kernel_height},
    {t0, t0, times, line_rows},
    {beats, t0, left, kRowLog2 - kBeatLog2},
    // the weights that stay come after those of the layers before; the section has them in that
    // order, so that one pass can load them
    {weights_before, resident_rows, plus, 0},
    {not_streamed, one, minus, streamed},
    {t0, weights_rows, times, not_streamed},
    {resident_rows, resident_rows, plus, t0},
    {t0, number, kWeightRows},
    {t1, t0, minus, resident_rows},
    {require, t1, CIRCNN_STATUS_TOO_LARGE},
    {t0, weights_offset, minus, weights_end},
    {t1, weights_end, minus, weights_offset},
    {t2, t0, least, t1},
    {require, t2, CIRCNN_STATUS_BAD_FIELD},
    {t0, weights_rows, left, share_log2},
    {weights_end, weights_end, plus, t0},
    {weights_row, weights_before, plus, 0},
    {t0, share_log2, minus, 2},
    {weights_beats, weights_rows, left, t0},
    // a layer that takes its input straight from the packet reads every word once and in order: it
    // is the first, of one pixel and one place, and its weights stay
    {t0, one, left, places_log2},
    {t1, in_height, most, in_width},
    {t2, out_height, most, out_width},
    {t3, kernel_height, most, kernel_width},
    {t0, t0, most, t1},
    {t0, t0, most, t2},
    {t0, t0, most, t3},
    {t0, t0, minus, 1},
    {t0, t0, plus, index},
    {t0, t0, plus, streamed},
    {t1, in_channels, minus, program_input_words},
    {t2, program_input_words, minus, in_channels},
    {t1, t1, most, t2},
    {t0, t0, plus, t1},
    {t1, input_address, minus, program_input_address},
    {t2, program_input_address, minus, input_address},
    {t1, t1, most, t2},
    {t0, t0, plus, t1},
    {t0, t0, times, direct},
    {t0, zero, minus, t0},
    {require, t0, CIRCNN_STATUS_BAD_FIELD},
};

}  // namespace steps

namespace kinds {
namespace matrix {

// The totals come from the lanes.
inline Combination combination() { return combined(false, false); }

}  // namespace matrix
}  // namespace kinds

#endif
