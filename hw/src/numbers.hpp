// The names of the numbers from which a layer is checked, arranged and planned.  They lie in one
// memory, which decoding a program and planning a layer use in turn.
#ifndef CIRCNN_NUMBERS_HPP
#define CIRCNN_NUMBERS_HPP

#include "config.hpp"

namespace steps {

enum Name : uint8_t {
// -- kept in the table of layers: a layer's fields, which are in the contract's order,
#define CIRCNN_NAME(name) name,
    CIRCNN_FOR_DESCRIPTOR_FIELDS(CIRCNN_NAME)
#undef CIRCNN_NAME
    // and what follows from them.  A row of the spectra memory holds `side` blocks of each of
    // `places` pixels: side * places * k = kRow for k < kRow.  The image is cut into as many strips
    // of columns as there are places, and each place works on one strip, with the columns beside it
    // that its windows reach; of an image one pixel wide, each place works on a sample of the batch.
    out_words,
    places_log2,    // pixels or samples side by side in the lanes
    by_sample,      // 1: the places are samples
    row_groups,     // output blocks of a pixel, `side` at a time
    column_groups,  // input blocks of a pixel, `side` at a time
    terms,          // products summed for one output
    strip,          // output columns of a place
    columns,        // input columns that a place transforms
    kept_columns,   // windows reach only the first so many of these columns
    line_rows,      // rows of spectra memory for one row of the image
    ring_lines,     // rows of the image in the spectra memory, the oldest replaced first
    pace,           // product trips from eight accepted words of spectra to the next
    first_phase,    // of the image's rows: the number of the first, modulo the stride
    weights_rows,   // rows that its weights take
    layer_numbers,
    // they take the place of fields that are no longer needed: the first row in the weights memory,
    // and beats of the packet that the weights take
    weights_row = weights_offset,
    weights_beats = payload_words,

    // -- constants, and numbers of a few steps
    zero = layer_numbers,
    one,
    limit,
    t0,
    t1,
    t2,
    t3,
    t4,
    t5,
    t6,
    t7,
    t8,
    t9,
    t10,
    t11,
    nowhere,        // what nothing needs
    others,

    // -- of decoding: the program's header in the contract's order,
    program = others,
    before_program = program - 1,
#define CIRCNN_NAME(name) program_##name,
    CIRCNN_FOR_HEADER_FIELDS(CIRCNN_NAME) program_end = program + CIRCNN_PROGRAM_HEADER_WORDS,
#undef CIRCNN_NAME
    // what goes from layer to layer,
    index = program_end,
    resident_rows,  // of weights
    weights_end,    // of the weights section that the layers before have
    // and what decode.hpp needs of a layer
    in_words,
    second_words,
    section_words,
    in_end,
    out_end,
    second_end,
    side_log2,
    chunks_log2,
    out_rows,
    not_sample,
    places_now,
    between,
    streamed,
    not_streamed,
    weights_before,
    trips,
    beats,
    direct,
    decoded,

    // -- of planning: the batch,
    samples = others,
    stride,         // words of activation memory from one sample to the next
    // what the results' job takes, of every layer,
    words,
    words_log2,
    last_beat,
    other_beat,
    last_place,
    last_rows,
    last_x,
    last_y,
    last_group,
    result_beats,
    step_place,
    step_rows,
    step_x,
    step_y,
    step_group,
    first_channels,
    other_channels,
    counted_channels,
    result_places,
    result_columns,
    scales_row,
    biases_row,
    back,
    reading,
    // and what one way of reading takes: blocks,
    wide = reading,
    full_log2,
    full,
    last_full,
    last_blocks,
    last_column,
    last_row,
    first_address,
    place_full,
    place_last,
    place_blocks,
    place_column,
    place_row,
    place_group,
    first_column,
    place_columns,
    last_phase,
    kept_rows,
    owned_columns,
    place_beats,
    unit_beats,
    first_position,
    first_top,
    first_top_terms,
    stride_terms,
    last_side,
    last_block,
    last_v,
    last_chunk,
    last_line_row,
    last_ring_line,
    line_wrap,
    output_rows,
    output_x,
    chunks,
    side_mask,
    last_pace,
    planned,
    // windows, where they begin and end along a column and along a row,
    row_words = reading,
    rows_kernel,
    rows_stride,
    rows_end,
    rows_stride_words,
    rows_third,
    rows_third_end,
    rows_third_words,
    rows_offset,
    rows_first,
    rows_second,
    rows_first_last,
    rows_second_last,
    columns_kernel,
    columns_stride,
    columns_end,
    columns_stride_words,
    columns_third,
    columns_third_end,
    columns_third_words,
    columns_offset,
    columns_first,
    columns_second,
    columns_first_last,
    columns_second_last,
    // and joined operands
    last_pixel = reading,
    second_channels,
    second_step,
    first_step_sample,
    second_step_sample
};

}  // namespace steps

constexpr int kNumbers = 128;
constexpr int kLayerNumbers = 48;

static_assert(steps::layer_numbers == kLayerNumbers, "a layer's numbers must be as many");
static_assert(steps::decoded <= kNumbers && steps::planned <= kNumbers, "all numbers must fit");

#endif
