// Validates a program before it is used, and works out how each layer runs.  Afterwards every field
// is in its range and every address in its memory, so that no unit can access anything outside its
// memories or run without end.
#ifndef CIRCNN_DECODE_HPP
#define CIRCNN_DECODE_HPP

#include "kinds.hpp"
#include "packet.hpp"

static_assert(CIRCNN_HEADER_FIELDS <= CIRCNN_PROGRAM_HEADER_WORDS, "the header must fit its words");

// The numbers of a program's header.
inline void header_of(const int32_t numbers[kNumbers], circnn_header &h) {
    uint32_t words[CIRCNN_HEADER_FIELDS];
    for (int i = 0; i < CIRCNN_HEADER_FIELDS; i++) {
#pragma HLS UNROLL
        words[i] = to_uint32(numbers[steps::program + i]);
    }
    circnn_header_of(words, &h);
}

namespace steps {

// A layer's part of a section is aligned and lies within the program's.
#define CIRCNN_STEPS_SECTION(offset, section)                                                     \
    {t0, offset, mask, kBeat - 1}, {t1, zero, minus, t0}, {require, t1, CIRCNN_STATUS_BAD_FIELD}, \
        {t0, offset, plus, section_words}, {t1, section, minus, t0}, {                            \
        require, t1, CIRCNN_STATUS_BAD_FIELD                                                      \
    }

static_assert(kBeat <= 1 << kNumberBits, "a mask of words must be a literal");
static_assert(kMaxStride == 1 << 10, "a stride's limit must be a power of two");

// The checks of every layer, whose fields are known to lie in their ranges: the contract's check.h.
constexpr Step kLayerSteps[] = {
    {zero, number, 0},
    {one, number, 1},
    {direct, stream, mask, CIRCNN_STREAM_INPUT},
    {streamed, stream, right, 1},
    // operands and result lie in the activation memory, and apart
    {t0, in_height, times, in_width},
    {in_words, t0, times, in_channels},
    {t0, out_height, times, out_width},
    {out_words, t0, times, out_channels},
    {in_end, input_address, plus, in_words},
    {out_end, output_address, plus, out_words},
    {t0, program_activation_words, minus, in_end},
    {require, t0, CIRCNN_STATUS_BAD_ADDRESS},
    {t0, program_activation_words, minus, out_end},
    {require, t0, CIRCNN_STATUS_BAD_ADDRESS},
    {t0, input_address, minus, out_end},
    {t1, output_address, minus, in_end},
    {t2, t0, most, t1},
    {require, t2, CIRCNN_STATUS_BAD_ADDRESS},
    {t0, stride_height, ceil, 10},
    {t1, one, minus, t0},
    {require, t1, CIRCNN_STATUS_BAD_FIELD},
    {t0, stride_width, ceil, 10},
    {t1, one, minus, t0},
    {require, t1, CIRCNN_STATUS_BAD_FIELD},
    CIRCNN_STEPS_RULES,
    CIRCNN_STEPS_SECOND_WORDS,
    {second_end, second_address, plus, second_words},
    {t0, program_activation_words, minus, second_end},
    only(kTwoOperands, {require, t0, CIRCNN_STATUS_BAD_ADDRESS}),
    {t0, second_address, minus, out_end},
    {t1, output_address, minus, second_end},
    {t2, t0, most, t1},
    only(kTwoOperands, {require, t2, CIRCNN_STATUS_BAD_ADDRESS}),
    {section_words, zero, plus, 0},
    CIRCNN_STEPS_WORDS_OF_WEIGHTS,
    CIRCNN_STEPS_SECTION(weights_offset, program_weights_words),
    {section_words, zero, plus, 0},
    CIRCNN_STEPS_WORDS_OF_SCALES,
    CIRCNN_STEPS_SECTION(scales_offset, program_scales_words),
    {section_words, zero, plus, 0},
    CIRCNN_STEPS_WORDS_OF_BIASES,
    CIRCNN_STEPS_SECTION(biases_offset, program_biases_words),
};

#undef CIRCNN_STEPS_SECTION

// The checks of a program's header: its sections add up to its length, in beats, and its input and
// output lie in the activation memory.
constexpr int kActivationShift = kActivationWords % (1 << 8) == 0 ? 8 : 0;

static_assert(kActivationWords >> kActivationShift < 1 << (2 * kNumberBits) &&
                  kChannelWords < 1 << (2 * kNumberBits) && kMaxLayers < 1 << (2 * kNumberBits),
              "the engine's sizes must be literals");

constexpr Step kProgramSteps[] = {
    {zero, number, 0},
    {t0, number, kMaxLayers},
    {t1, t0, minus, program_layers},
    {require, t1, CIRCNN_STATUS_TOO_LARGE},
    {t0, number, kActivationWords >> kActivationShift},
    {t0, t0, left, kActivationShift},
    {t1, t0, minus, program_activation_words},
    {require, t1, CIRCNN_STATUS_TOO_LARGE},
    {t0, number, kChannelWords},
    {t1, t0, minus, program_scales_words},
    {require, t1, CIRCNN_STATUS_TOO_LARGE},
    {t1, t0, minus, program_biases_words},
    {require, t1, CIRCNN_STATUS_TOO_LARGE},
    {t0, program_instruction_words, mask, kBeatHalves - 1},
    {t1, zero, minus, t0},
    {require, t1, CIRCNN_STATUS_BAD_LENGTH},
    {t0, program_instruction_words, plus, CIRCNN_PROGRAM_HEADER_WORDS},
    {t0, t0, right, 1},
    {t1, program_weights_words, ceil, 2},
    {t0, t0, plus, t1},
    {t1, program_scales_words, ceil, 2},
    {t0, t0, plus, t1},
    {t1, program_biases_words, ceil, 1},
    {t0, t0, plus, t1},
    // a length has no sign
    {t1, program_bytes, right, 3},
    {t2, number, (1 << 14) - 1},
    {t2, t2, left, 15},
    {t3, number, 1},
    {t3, t3, left, 15},
    {t3, t3, minus, 1},
    {t2, t2, plus, t3},
    {t1, t1, mask, t2},
    {t2, t0, minus, t1},
    {t3, t1, minus, t0},
    {t0, t2, least, t3},
    {require, t0, CIRCNN_STATUS_BAD_LENGTH},
    {t0, program_input_address, plus, program_input_words},
    {t1, program_activation_words, minus, t0},
    {require, t1, CIRCNN_STATUS_BAD_ADDRESS},
    {t0, program_output_address, plus, program_output_words},
    {t1, program_activation_words, minus, t0},
    {require, t1, CIRCNN_STATUS_BAD_ADDRESS},
};

constexpr int kProgramChecks = sizeof kProgramSteps / sizeof *kProgramSteps;
constexpr int kLayerEnd = kProgramChecks + sizeof kLayerSteps / sizeof *kLayerSteps;
constexpr int kMatrixEnd = kLayerEnd + sizeof kMatrixSteps / sizeof *kMatrixSteps;

struct CheckTable {
    Step steps[kMatrixEnd];
};

constexpr CheckTable check_table() {
    CheckTable table = {};
    for (int i = 0; i < kProgramChecks; i++) table.steps[i] = kProgramSteps[i];
    for (int i = kProgramChecks; i < kLayerEnd; i++)
        table.steps[i] = kLayerSteps[i - kProgramChecks];
    for (int i = kLayerEnd; i < kMatrixEnd; i++) table.steps[i] = kMatrixSteps[i - kLayerEnd];
    return table;
}

static_assert(kMatrixEnd < 1 << 9, "a step's number must fit 9 bits");

inline uint16_t next_check(uint16_t step) { return static_cast<uint16_t>((step + 1) & 511); }

constexpr CheckTable kCheckTable = check_table();

}  // namespace steps

// Takes the steps that check a program's header, or a layer of an opcode; returns the status of the
// first requirement that fails.  All products are made by one multiplier of 31 x 31 bits, since
// nothing here is in a pipelined loop.
inline uint8_t take_checks(bool layer, uint8_t opcode, int32_t numbers[kNumbers]) {
#pragma HLS INLINE off
    using namespace steps;
    const bool spectral = has(kSpectral, opcode);
    const uint16_t end = static_cast<uint16_t>(!layer     ? kProgramChecks
                                               : spectral ? kMatrixEnd
                                                          : kLayerEnd);
checks:
    for (uint16_t i = layer ? kProgramChecks : 0; i != end; i = next_check(i)) {
        const uint32_t code = kCheckTable.steps[i].code;
        if ((kCheckTable.steps[i].opcodes >> opcode & 1) == 0) continue;
        const int32_t a = numbers[a_of(code)];
        const int32_t b = literal_of(code) ? literal(code) : numbers[b_of(code)];
        if (op_of(code) != require)
            numbers[to_of(code)] = checked_result(op_of(code), a, b);
        else if (a < 0)
            return to_of(code);
    }
    return CIRCNN_STATUS_OK;
}

// Checks a header, whose numbers and structure are the same; returns a status.
inline uint8_t check_header(const circnn_header &h, bool legal, uint32_t bytes,
                            int32_t numbers[kNumbers]) {
    const int status = circnn_check_format(&h, bytes);
    if (status != CIRCNN_STATUS_OK) return static_cast<uint8_t>(status);
    if (h.configuration != CIRCNN_CONFIG_DIGEST) return CIRCNN_STATUS_BAD_CONFIGURATION;
    if (!legal) return CIRCNN_STATUS_BAD_FIELD;
    return take_checks(false, 0, numbers);
}

// Checks a layer and works out how it runs; returns a status.
inline uint8_t decode_layer(uint8_t opcode, int32_t numbers[kNumbers]) {
    const uint8_t status = take_checks(true, opcode, numbers);
    if (status != CIRCNN_STATUS_OK || !has(kSpectral, opcode)) return status;
    const Quotient pace = quotient(numbers[steps::trips], numbers[steps::beats]);
    const Quotient strides = quotient(numbers[steps::pad_top], numbers[steps::stride_height]);
    numbers[steps::pace] = clamp(pace.value, 1, kMaxPace);
    numbers[steps::first_phase] = strides.rest;
    return status;
}

// Whether a place holds a whole tensor once so many layers have run: the last that wrote there wrote
// exactly it.  Place and tensors are known to lie in the activation memory.
inline bool holds_tensor(const int32_t numbers[kNumbers], const LayerTable layers, uint8_t count,
                         int32_t address, int32_t words) {
#pragma HLS INLINE off
    const int32_t begin = address & kLayerNumberMask, end = begin + (words & kLayerNumberMask);
    // an input that the first layer takes straight from the packet is in no memory for others
    const bool loaded = count == 0 || !from_stream(layers, 0);
    bool whole = loaded && begin == numbers[steps::program_input_address] &&
                 (words & kLayerNumberMask) == numbers[steps::program_input_words];
written:
    for (uint8_t i = 0; i != count; i = next_layer(i)) {
        const int32_t first = layer_number(layers, i, steps::output_address) & kLayerNumberMask;
        const int32_t last = first + (layer_number(layers, i, steps::out_words) & kLayerNumberMask);
        if (first < end && begin < last) whole = first == begin && last == end;
    }
    return whole;
}

#endif
