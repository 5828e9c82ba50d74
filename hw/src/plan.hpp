// What the units need of a layer: worked out before it runs, so that no pipelined loop multiplies
// to find an address.  Each unit and each sequence has a job of its own.  While a layer runs, the
// next one is planned.
//
// First the layer's numbers are read from the table, then the steps of its way of reading run one
// after the other, a step a trip, then the jobs take what they need.
#ifndef CIRCNN_PLAN_HPP
#define CIRCNN_PLAN_HPP

#include "epilogue.hpp"
#include "forward.hpp"
#include "inverse.hpp"
#include "product.hpp"
#include "read.hpp"
#include "split.hpp"
#include "vector.hpp"

struct Plan {
    bool spectral;
    ReadJob read;
    ForwardJob forward;
    SplitJob split;
    InverseJob inverse;
    LinesJob lines;
    OutputsJob outputs;
    LanesJob lanes;
    ResultJob results;
    VectorJob vector;
    EpilogueJob ending;
};

// Trips from a step to the first that may take its result: reading 1, a product and what is chosen 4,
// writing 1.
constexpr int kStepLatency = 6;

constexpr Ram kNumberRam = {"numbers", kNumbers, 2, 1, kStepLatency};

// -- the steps ----------------------------------------------------------------------------------

namespace steps {

// Steps stand as far ahead of those that take their results as their order allows.

// Of a layer that reads blocks.  A place that is a sample has whole samples between places, not
// strips: sums of both, one of them times zero.  Where words come back from the last place, group of
// blocks and column to the first ones, the steps go back as far.
constexpr Step kBlocksSteps[] = {
    {zero, number, 0},
    {one, number, 1},
    {words_log2, share_log2, most, block_log2},
    {t0, share_log2, minus, block_log2},
    {t1, block_log2, minus, kRowLog2},
    {t2, places_log2, times, by_sample},  // samples side by side, as a power of two
    {last_x, strip, minus, 1},
    {last_place, one, left, places_log2},
    {last_side, t0, most, 0},  // of the sides' logarithm, for now
    {chunks, t1, most, 0},
    {words, one, left, words_log2},
    {last_group, samples, ceil, t2},  // groups
    {t3, one, left, t2},
    {t4, strip, times, stride_width},
    {t5, strip, times, out_channels},
    {last_place, last_place, minus, 1},
    {last_rows, row_groups, minus, 1},
    {t6, row_groups, left, chunks},
    {t11, out_height, times, strip},
    {step_group, stride, times, t3},  // words of a group's samples
    {place_last, in_channels, times, t4},
    {t7, stride, minus, t5},
    {back, words, minus, kBeat},  // from a place's last beat to its first
    {t6, t6, left, log2_of(kRowBeats)},
    {place_group, in_width, times, in_channels},  // a row
    {last_blocks, column_groups, minus, 1},
    {t8, stride, minus, place_last},
    {t7, t7, times, by_sample},
    {last_beat, back, right, kBeatLog2},
    {other_beat, back, right, kBeatLog2},
    {first_channels, out_channels, plus, 0},
    {result_places, strip, plus, 0},
    {result_beats, t11, times, t6},
    {t9, back, ceil, 4},
    {t10, stream, mask, CIRCNN_STREAM_INPUT},
    {place_row, words, times, last_rows},
    {t8, t8, times, by_sample},
    {t5, t5, plus, t7},  // from a place to the next, of the results
    {result_beats, result_beats, times, last_group},
    {t9, t9, least, 1},
    {t10, one, minus, t10},
    {last_y, out_height, minus, 1},
    {last_full, last_blocks, left, last_side},
    {t7, t5, times, last_place},
    {step_place, t5, minus, back},
    {wide, t9, times, t10},
    {place_last, place_last, plus, t8},  // from a place to the next, of the input
    {t3, out_width, times, last_y},
    {full, block_columns, minus, last_full},
    {t8, out_width, minus, last_x},
    {back, back, plus, t7},  // and from the last place
    {full_log2, wide, plus, kBeatLog2},
    {place_blocks, place_last, times, last_place},
    {t3, t3, plus, last_x},
    {last_full, full, left, block_log2},  // words of a pixel's last group
    {t8, out_channels, times, t8},
    {step_rows, words, minus, back},
    {place_row, place_row, plus, back},
    {full, words, ceil, full_log2},
    {t3, t3, times, out_channels},
    {last_full, last_full, ceil, full_log2},
    {last_column, columns, minus, 1},
    {step_x, out_channels, minus, place_row},
    {step_y, t8, minus, place_row},
    {full, full, minus, 1},
    {t7, step_group, minus, place_row},
    {last_full, last_full, minus, 1},
    {last_row, in_height, minus, 1},
    {place_column, words, times, last_blocks},
    {t0, full, left, full_log2},
    {t9, pad_left, times, in_channels},
    {t1, last_full, left, full_log2},
    {t8, in_channels, times, last_column},
    {t11, place_group, times, last_row},
    {t10, step_group, plus, 0},
    {step_group, t7, minus, t3},
    {place_full, place_last, minus, t0},
    {t0, words, minus, t0},
    {place_last, place_last, minus, t1},
    {t1, t1, plus, place_blocks},
    {t10, t10, minus, t11},
    {first_address, input_address, minus, t9},
    {place_blocks, t0, minus, place_blocks},
    {t7, kernel_width, times, block_columns},
    {place_column, t1, plus, place_column},
    {t5, last_y, times, stride_height},
    {limit, number, 1 << 13},
    {t6, samples, minus, 1},
    {t3, one, minus, by_sample},
    {t9, chunks, plus, log2_of(kRowBeats)},
    {t8, place_column, plus, t8},
    {t11, t7, times, pad_top},
    {limit, limit, left, 3},
    {place_column, in_channels, minus, place_column},
    {stride_terms, t7, times, stride_height},
    {t5, t5, minus, pad_top},
    {place_row, place_group, minus, t8},
    {place_group, t10, minus, t8},
    {place_columns, t4, times, t3},
    {limit, limit, minus, 1},
    {t10, in_height, times, columns},
    {t5, t5, plus, kernel_height},
    {t7, last_group, times, column_groups},
    {t6, t6, times, by_sample},
    {t0, words, right, kBeatLog2},
    {t1, last_place, least, 1},
    {owned_columns, limit, times, by_sample},
    {first_top_terms, zero, minus, t11},
    {kept_rows, t5, most, 0},
    {t7, t7, mask, kGroups - 1},
    {first_column, zero, minus, pad_left},
    {first_top, zero, minus, pad_top},
    {last_phase, stride_height, minus, 1},
    {owned_columns, owned_columns, most, t4},
    {kept_rows, kept_rows, least, limit},
    {t10, t10, times, t7},
    {result_columns, out_width, plus, t6},
    {place_beats, t0, times, t1},
    {last_line_row, line_rows, minus, 1},
    {last_ring_line, ring_lines, minus, 1},
    {unit_beats, one, left, t9},
    {t10, zero, minus, t10},
    {last_chunk, one, left, chunks},
    {output_x, column_groups, left, chunks},
    {counted_channels, block_rows, left, block_log2},
    {last_block, block_columns, minus, 1},
    {t10, t10, left, t9},
    {line_wrap, line_rows, times, last_ring_line},
    {chunks, last_chunk, plus, 0},
    {output_rows, one, minus, last_chunk},
    {output_x, output_x, times, stride_width},
    {last_side, one, left, last_side},
    {last_v, kernel_width, minus, 1},
    {first_position, t10, mask, kGroups - 1},
    {line_wrap, zero, minus, line_wrap},
    {last_chunk, last_chunk, minus, 1},
    {output_x, output_x, plus, output_rows},
    {last_side, last_side, minus, 1},
    {last_group, last_group, minus, 1},
    {scales_row, scales_offset, right, kBeatLog2},
    {biases_row, biases_offset, right, kBeatLog2},
    {last_pace, pace, minus, 1},
    {other_channels, out_channels, plus, 0},
    {side_mask, last_side, left, block_log2},
};

// Of a layer that reads windows.  An instruction without windows has none of their fields: its windows
// are single pixels.  Along a column (`rows`) and along a row (`columns`): where windows begin, in
// pixels and in words, and what the first two cover, which is negative if it lies outside of the
// image.
constexpr Step kWindowsSteps[] = {
    {rows_kernel, kernel_height, most, 1},
    {rows_stride, stride_height, most, 1},
    {columns_kernel, kernel_width, most, 1},
    {columns_stride, stride_width, most, 1},
    {result_beats, out_height, times, out_width},
    {row_words, in_width, times, in_channels},
    {t1, rows_kernel, minus, 1},
    {t0, rows_stride, minus, pad_top},
    {t7, columns_kernel, minus, 1},
    {t6, columns_stride, minus, pad_left},
    {words, out_channels, ceil, kBeatLog2},
    {step_group, result_beats, minus, 1},
    {rows_end, in_height, minus, 1},
    {columns_end, in_width, minus, 1},
    {t5, t0, plus, t1},
    {t11, t6, plus, t7},
    {rows_stride_words, row_words, times, rows_stride},
    {columns_stride_words, in_channels, times, columns_stride},
    {t2, row_words, times, pad_top},
    {t8, in_channels, times, pad_left},
    {limit, number, 1 << 13},
    {last_beat, words, minus, 1},
    {t3, t0, most, 0},
    {t9, t6, most, 0},
    {t4, t1, minus, pad_top},
    {t10, t7, minus, pad_left},
    {t5, t5, least, rows_end},
    {t11, t11, least, columns_end},
    {step_group, step_group, times, out_channels},
    {rows_offset, rows_stride_words, minus, t2},
    {columns_offset, columns_stride_words, minus, t8},
    {result_beats, result_beats, times, words},
    {limit, limit, left, 3},
    {rows_third, t0, plus, rows_stride},
    {columns_third, t6, plus, columns_stride},
    {rows_first, t4, least, rows_end},
    {columns_first, t10, least, columns_end},
    {rows_second, t5, minus, t3},
    {columns_second, t11, minus, t9},
    {back, last_beat, left, kBeatLog2},
    {step_group, stride, minus, step_group},
    {rows_third_words, rows_offset, plus, rows_stride_words},
    {columns_third_words, columns_offset, plus, columns_stride_words},
    {zero, number, 0},
    {last_x, out_width, minus, 1},
    {last_y, out_height, minus, 1},
    {last_group, samples, minus, 1},
    {rows_third_end, rows_third, plus, t1},
    {columns_third_end, columns_third, plus, t7},
    {rows_offset, rows_offset, most, 0},
    {columns_offset, columns_offset, most, 0},
    {rows_first_last, rows_first, most, 0},
    {columns_first_last, columns_first, most, 0},
    {rows_second_last, rows_second, most, 0},
    {columns_second_last, columns_second, most, 0},
    {result_beats, result_beats, times, samples},
    {result_columns, limit, minus, 1},
    {step_x, out_channels, minus, back},
    {step_y, out_channels, minus, back},
    {first_channels, out_channels, plus, 0},
    {other_channels, out_channels, plus, 0},
    {step_group, step_group, minus, back},
    {other_beat, number, 0},
    {last_place, number, 0},
    {last_rows, number, 0},
    {step_place, number, 0},
    {step_rows, number, 0},
    {counted_channels, number, 0},
    {words, number, 0},
    {result_places, number, 0},
    {scales_row, scales_offset, right, kBeatLog2},
    {biases_row, biases_offset, right, kBeatLog2},
};

// Of a joined layer: a place is an operand.
constexpr Step kJoinedSteps[] = {
    {limit, number, 1 << 13},
    {result_beats, out_height, times, out_width},
    {second_channels, out_channels, minus, in_channels},
    {t0, in_channels, ceil, kBeatLog2},
    {last_x, out_width, minus, 1},
    {last_y, out_height, minus, 1},
    {last_group, samples, minus, 1},
    {limit, limit, left, 3},
    {last_pixel, result_beats, minus, 1},
    {t1, second_channels, ceil, kBeatLog2},
    {t2, in_channels, times, result_beats},
    {t3, second_channels, times, result_beats},
    {last_beat, t0, minus, 1},
    {other_beat, t1, minus, 1},
    {t4, t0, plus, t1},
    {t5, out_channels, times, last_pixel},
    {t2, stride, minus, t2},
    {t3, stride, minus, t3},
    {t0, last_beat, left, kBeatLog2},
    {t1, other_beat, left, kBeatLog2},
    {result_beats, result_beats, times, t4},
    {step_place, in_channels, minus, t0},
    {second_step, second_channels, minus, t1},
    {back, in_channels, plus, t1},
    {t5, stride, minus, t5},
    {result_beats, result_beats, times, samples},
    {first_step_sample, step_place, plus, t2},
    {second_step_sample, second_step, plus, t3},
    {step_x, out_channels, minus, back},
    {step_y, out_channels, minus, back},
    {step_group, t5, minus, back},
    {first_channels, in_channels, plus, 0},
    {other_channels, out_channels, plus, 0},
    {last_place, number, 1},
    {last_rows, number, 0},
    {step_rows, number, 0},
    {counted_channels, number, 0},
    {words, number, 0},
    {result_places, number, 0},
    {result_columns, limit, minus, 1},
    {scales_row, number, 0},
    {biases_row, number, 0},
};

// Of a flat layer, which is one pixel with all its words.
constexpr Step kPairsSteps[] = {
    {limit, number, 1 << 13},
    {t0, out_words, ceil, kBeatLog2},
    {last_x, number, 0},
    {last_y, number, 0},
    {limit, limit, left, 3},
    {last_beat, t0, minus, 1},
    {result_beats, t0, times, samples},
    {other_beat, number, 0},
    {last_place, number, 0},
    {last_rows, number, 0},
    {back, last_beat, left, kBeatLog2},
    {step_place, number, 0},
    {step_rows, number, 0},
    {counted_channels, number, 0},
    {words, number, 0},
    {step_x, out_words, minus, back},
    {step_y, out_words, minus, back},
    {step_group, stride, minus, back},
    {first_channels, out_words, plus, 0},
    {other_channels, out_words, plus, 0},
    {result_places, number, 0},
    {result_columns, limit, minus, 1},
    {scales_row, number, 0},
    {biases_row, number, 0},
};

// All steps in one memory, with as many idle ones between them as their latency asks for.
constexpr int kPlanSteps = 320;

struct Program {
    uint16_t begin, end;
};

struct PlanTable {
    uint32_t codes[kPlanSteps];
    Program programs[kReads];
    int used;
};

constexpr bool reads_number(uint32_t code, uint32_t name) {
    const Op op = op_of(code);
    return op != number && (a_of(code) == name || (!literal_of(code) && b_of(code) == name));
}

constexpr void append(PlanTable &table, Reads reads, const Step *steps, int count) {
    const int begin = table.used;
    for (int i = 0; i < count; i++) {
        int earliest = table.used;
        for (int before = table.used - 1; before >= begin; before--) {
            const bool late = before + kStepLatency <= earliest;
            if (!late && reads_number(steps[i].code, to_of(table.codes[before])))
                earliest = before + kStepLatency;
        }
        while (table.used < earliest) table.codes[table.used++] = Step().code;
        table.codes[table.used++] = steps[i].code;
    }
    table.programs[static_cast<int>(reads)] = Program{static_cast<uint16_t>(begin),
                                                      static_cast<uint16_t>(table.used)};
}

constexpr PlanTable plan_table() {
    PlanTable table = {};
    append(table, Reads::blocks, kBlocksSteps, sizeof kBlocksSteps / sizeof *kBlocksSteps);
    append(table, Reads::windows, kWindowsSteps, sizeof kWindowsSteps / sizeof *kWindowsSteps);
    append(table, Reads::joined, kJoinedSteps, sizeof kJoinedSteps / sizeof *kJoinedSteps);
    append(table, Reads::pairs, kPairsSteps, sizeof kPairsSteps / sizeof *kPairsSteps);
    return table;
}

static_assert(kPlanSteps <= 1 << 9, "a step's number must fit 9 bits");

constexpr PlanTable kPlanTable = plan_table();

}  // namespace steps

struct PlanState {
    uint16_t step;
};

inline PlanState next_plan(const PlanState &s) {
#pragma HLS INLINE
    return PlanState{static_cast<uint16_t>((s.step + 1) & 511)};
}

inline void plan_steps(Reads reads, int32_t numbers[kNumbers]) {
    using namespace steps;
    const Program program = kPlanTable.programs[static_cast<int>(reads)];
    PlanState state = {program.begin};
    CIRCNN_LOOP("plan");
plan:
    while (state.step != program.end) {
#pragma HLS PIPELINE II = 1
#pragma HLS DEPENDENCE variable = numbers inter RAW distance = 6 true
        static_assert(kStepLatency == 6, "the pragma states the latency");
        CIRCNN_TRIP();
        const uint32_t code = kPlanTable.codes[state.step];
        const Op op = op_of(code);
        if (op != number) {
            CIRCNN_READS(numbers, a_of(code), kNumberRam);
            if (!literal_of(code)) {
                CIRCNN_READS(numbers, b_of(code), kNumberRam);
            }
        }
        const int32_t a = numbers[a_of(code)];
        const int32_t b = literal_of(code) ? literal(code) : numbers[b_of(code)];
        CIRCNN_WRITES(numbers, to_of(code), kNumberRam);
        numbers[to_of(code)] = planned_result(op, a, b);
        state = next_plan(state);
    }
}

// -- the jobs -----------------------------------------------------------------------------------

inline void read_job(Reads reads, const int32_t numbers[kNumbers], bool bytes, ReadJob &j) {
    j.reads = reads;
    if (reads == Reads::blocks)
        j.blocks = blocks_job(numbers, bytes);
    else if (reads == Reads::windows)
        j.windows = windows_job(numbers);
    else if (reads == Reads::joined)
        j.joined = joined_job(numbers);
    else
        j.pairs = pairs_job(numbers);
}

// Of no layer: the units have nothing to do, but the first layer is planned.
inline void plan_nothing(Plan &plan) {
    plan.spectral = false;
    plan.read.reads = Reads::nothing;
    plan.forward.present = false;
    plan.split.present = false;
    plan.inverse.present = false;
    plan.lanes.spectral = false;
    plan.results.beats = 0;
    plan.vector.totals = 0;
    plan.ending.beats = 0;
}

// What a job of another way of reading had stays as it was: nobody takes it.
inline void plan_layer(const LayerTable layers, uint8_t index, const Batch &batch,
                       int32_t numbers[kNumbers], Plan &plan) {
copy:
    for (uint8_t i = 0; i != kLayerNumbers; i = next_number(i)) {
#pragma HLS PIPELINE II = 1
        numbers[i] = layer_number(layers, index, i);
    }
    numbers[steps::samples] = batch.samples;
    numbers[steps::stride] = batch.stride;
    const Reads reads = reads_of(numbers[steps::opcode]);
    plan_steps(reads, numbers);
    plan.spectral = reads == Reads::blocks;
    read_job(reads, numbers, batch.bytes, plan.read);
    plan.results = result_job(plan.spectral, numbers);
    plan.lanes = lanes_job(plan.spectral, numbers);
    vector_job(plan.spectral, numbers, plan.vector);
    epilogue_job(numbers, plan.ending);
    plan.forward = forward_job(plan.spectral, numbers);
    plan.split = split_job(plan.spectral, numbers);
    plan.inverse = inverse_job(plan.spectral, numbers);
    if (plan.spectral) {
        plan.lines = lines_job(numbers);
        plan.outputs = outputs_job(numbers);
    }
}

#endif
