// Loads programs and weights: from the packet into the engine's memories.
//
// One loop takes all beats of a payload, so that the checksum exists once.  A job says where they go.
// Every bank of a memory has one write in a trip, at an address that all banks share.
#ifndef CIRCNN_LOAD_HPP
#define CIRCNN_LOAD_HPP

#include <stddef.h>

#include "checksum.hpp"
#include "decode.hpp"
#include "epilogue.hpp"
#include "memory.hpp"
#include "packet.hpp"

static_assert(CIRCNN_PROGRAM_HEADER_WORDS % kBeatHalves == 0, "the header must fill its beats");
static_assert(CIRCNN_PROGRAM_RECORD_WORDS % kBeatHalves == 0, "a record must fill its beats");
static_assert(kRow / kBeatWords <= 1 << 8, "a position in a row must fit 8 bits");
static_assert(kWeightRows <= 1 << 16, "a row of weights must fit 16 bits");
static_assert(kChannelRows <= 1 << 16, "a row of channels must fit 16 bits");

// What is loaded is read by other loops alone, long after it has landed.
constexpr Ram kLoadedNumbers = {"numbers", kNumbers, 1, 1, 1};

// The payload of a packet, with its checksum so far and the first error found in it.
struct Payload {
    PacketReader packet;
    uint32_t crc;
    uint8_t status;
    int8_t detail;  // the layer at fault, or -1
};

inline void complain(Payload &payload, uint8_t status, int32_t detail) {
    if (payload.status != CIRCNN_STATUS_OK) return;  // the first error counts
    payload.status = status;
    payload.detail = static_cast<int8_t>(detail);
}

// -- beats --------------------------------------------------------------------------------------

// Where words go: one of 32 bits a trip to the numbers of a program or a layer; or a beat a trip.
enum class Loads : uint8_t { numbers, weights, scales, biases, nothing };

struct LoadJob {
    Loads loads;
    uint32_t trips;  // a number of 18 bits
    bool header;  // the numbers are a program's, not a layer's
    uint8_t opcode;  // whose payload the numbers are; of none they are in the order of the fields
    uint16_t row;
    uint8_t last;  // of the beats of a row, which is also a mask
};

struct LoadState {
    uint16_t row;
    uint8_t part;  // of a row, in beats
};

inline LoadState next_load(uint8_t last, const LoadState &state) {
#pragma HLS INLINE
    const bool full = state.part == last;
    LoadState next;
    next.row = static_cast<uint16_t>(full ? state.row + 1 : state.row);
    next.part = static_cast<uint8_t>(full ? 0 : state.part + 1);
    return next;
}

// Ranges of 32-bit words: a word less `min` is `span` at most, signed or not.  First those of a layer's
// fields, then of a program's, last that of a word without a field, which is zero.
struct WordRange {
    uint32_t min, span;
};

constexpr int kRanges = 64;

struct WordRanges {
    WordRange of[kRanges];
};

static_assert(CIRCNN_DESCRIPTOR_FIELDS + CIRCNN_HEADER_FIELDS < kRanges, "all ranges must fit");

constexpr WordRange word_range(const circnn_range &range) {
    return WordRange{static_cast<uint32_t>(range.min),
                     static_cast<uint32_t>(range.max - range.min)};
}

constexpr WordRanges word_ranges() {
    WordRanges ranges = {};
    for (int i = 0; i < CIRCNN_DESCRIPTOR_FIELDS; i++)
        ranges.of[i] = word_range(circnn_descriptor_ranges[i]);
    for (int i = 0; i < CIRCNN_HEADER_FIELDS; i++)
        ranges.of[CIRCNN_DESCRIPTOR_FIELDS + i] = word_range(circnn_header_ranges[i]);
    return ranges;
}

constexpr WordRanges kWordRanges = word_ranges();

// The field of a word, or one beyond all of them.
inline uint8_t field_of(const LoadJob &job, uint8_t word) {
#pragma HLS INLINE
    if (job.header) {
        const bool any = word < CIRCNN_HEADER_FIELDS;
        return static_cast<uint8_t>(any ? CIRCNN_DESCRIPTOR_FIELDS + word : kRanges - 1);
    }
    const uint8_t field = circnn_payload_fields[job.opcode & (CIRCNN_OPCODES - 1)][word];
    return job.opcode == 0 ? word : static_cast<uint8_t>(field & (kRanges - 1));
}

static_assert((CIRCNN_NO_FIELD & (kRanges - 1)) == kRanges - 1, "no field must be the last one");
static_assert((CIRCNN_OPCODES & (CIRCNN_OPCODES - 1)) == 0,
              "opcodes must be counted by a power of 2");
static_assert(steps::nowhere == kRanges - 1, "a word without a field must go nowhere");

inline bool word_ok(uint8_t field, uint32_t word) {
#pragma HLS INLINE
    const WordRange range = kWordRanges.of[field];
    return word - range.min <= range.span;
}

inline bool bias_ok(int32_t bias) { return bias >= -CIRCNN_BIAS_MAX && bias <= CIRCNN_BIAS_MAX; }

// Whether the words of a beat are legal.
inline bool beat_ok(Loads loads, uint64_t beat) {
#pragma HLS INLINE
    bool words = true, halves = true;
    for (int i = 0; i < kBeatWords; i++) {
#pragma HLS UNROLL
        words = words && word_of(beat, i) >= -kValueMax;
    }
    for (int i = 0; i < kBeatHalves; i++) {
#pragma HLS UNROLL
        halves = halves && bias_ok(signed_half(beat, i));
    }
    return loads == Loads::nothing || (loads == Loads::biases ? halves : words);
}

// A beat of weights, of which the packet has the rows one after the other, and of each row the share
// that all places have in common (pynq_circnn/program/arrangement.py).  The engine repeats it: a beat
// goes to all banks whose place in the share it is.
inline void store_weights(const LoadJob &job, const LoadState &state, uint64_t beat,
                          Word weights[kWeightRows][kRow]) {
#pragma HLS INLINE
    for (int bank = 0; bank < kRow; bank++) {
#pragma HLS UNROLL
        if (job.loads == Loads::weights && ((bank / kBeatWords) & job.last) == state.part) {
            CIRCNN_WRITES(&weights[0][bank], state.row, kWeights);
            weights[state.row][bank] = word_of(beat, bank % kBeatWords);
        }
    }
}

inline void store_channels(const LoadJob &job, const LoadState &state, uint64_t beat,
                           Channels &channels) {
#pragma HLS INLINE
    for (int part = 0; part < kBeat / kBeatWords; part++) {
#pragma HLS UNROLL
        if (job.loads == Loads::scales && state.part == part) {
            CIRCNN_WRITES(&channels.scales[part], state.row, kScales);
            for (int i = 0; i < kBeatWords; i++) {
#pragma HLS UNROLL
                channels.scales[part][state.row][i] = word_of(beat, i);
            }
        }
    }
    for (int part = 0; part < kBeat / kBeatHalves; part++) {
#pragma HLS UNROLL
        if (job.loads == Loads::biases && state.part == part) {
            CIRCNN_WRITES(&channels.biases[part], state.row, kBiases);
            for (int i = 0; i < kBeatHalves; i++) {
#pragma HLS UNROLL
                channels.biases[part][state.row][i] = signed_half(beat, i);
            }
        }
    }
}

// Takes a part of a payload; returns whether all its words are legal.
inline bool load_beats(const LoadJob &job, Payload &payload, AxiStream &in,
                       int32_t numbers[kNumbers], Word weights[kWeightRows][kRow],
                       Channels &channels) {
    // the checksum's own field counts as zero: it is the lower half of the third beat
    static_assert(offsetof(circnn_header, checksum) == 16, "the checksum is the fifth word");
    LoadState state = {job.row, 0};
    uint32_t held = 0;  // the upper half of a beat
    bool legal = true;
    CIRCNN_REGION();
    CIRCNN_LOOP("beats");
beats:
    for (uint32_t trip = 0; trip != job.trips; trip = (trip + 1) & kLayerNumberMask) {
#pragma HLS PIPELINE II = 1
        CIRCNN_TRIP();
        uint64_t beat = 0;
        const bool single = job.loads == Loads::numbers, second = single && (trip & 1) != 0;
        const uint8_t word = static_cast<uint8_t>(trip & 31);
        if (!second) {
            beat = packet_beat(payload.packet, in);
            const bool own = job.header && word == 4;
            payload.crc = crc_beat(payload.crc, own ? beat & 0xFFFFFFFF00000000u : beat);
        }
        const uint32_t half = second ? held : half_of(beat, 0);
        held = half_of(beat, 1);
        const uint8_t field = single ? field_of(job, word) : to_uint8(kRanges - 1);
        legal = legal && (single ? word_ok(field, half) : beat_ok(job.loads, beat));
        if (single) {
            const uint8_t name = job.header ? static_cast<uint8_t>(steps::program + word) : field;
            CIRCNN_WRITES(numbers, name, kLoadedNumbers);
            numbers[name] = static_cast<int32_t>(half);
        }
        store_weights(job, state, beat, weights);
        store_channels(job, state, beat, channels);
        state = next_load(job.last, state);
    }
    return legal;
}

inline LoadJob numbers_job(bool header, uint8_t opcode, uint8_t words) {
    return LoadJob{Loads::numbers, words, header, opcode, 0, 0};
}

inline LoadJob channels_job(bool scales, int32_t words) {
    const int32_t most_words = words & 0xFFFF, beat_words = scales ? kBeatWords : kBeatHalves;
    const int32_t beats = (most_words + beat_words - 1) >> (scales ? 2 : 1);
    return LoadJob{scales ? Loads::scales : Loads::biases,
                   to_uint32(beats),
                   false,
                   0,
                   0,
                   to_uint8(scales ? kBeat / kBeatWords - 1 : kBeat / kBeatHalves - 1)};
}

static_assert(kChannelWords <= 0xFFFF, "words of channels must fit 16 bits");
static_assert(kMaxLayers < 0xFF - 2, "a layer's number must fit 8 bits");

inline LoadJob weights_job(const LayerTable layers, int32_t layer, bool skips) {
    // of a share, which is eight words or more
    const int32_t beats = 1 << ((layer_number(layers, layer, steps::share_log2) & 7) - 2);
    return LoadJob{skips ? Loads::nothing : Loads::weights,
                   to_uint32(layer_number(layers, layer, steps::weights_beats) & kLayerNumberMask),
                   false,
                   0,
                   to_uint16(layer_number(layers, layer, steps::weights_row)),
                   to_uint8(beats - 1)};
}

// -- a program ----------------------------------------------------------------------------------

constexpr int32_t kInstructionMask = (1 << 21) - 1;  // of the words of all instructions

// An instruction.  The number of words of all instructions becomes that of those after it.
inline uint8_t load_instruction(Payload &payload, AxiStream &in, int32_t numbers[kNumbers],
                                Word weights[kWeightRows][kRow], Channels &channels) {
clear:
    for (uint8_t i = 0; i != kLayerNumbers; i = next_number(i)) numbers[i] = 0;
    uint8_t opcode = 0, words = CIRCNN_PROGRAM_RECORD_WORDS;  // first the record, then the payload
parts:
    for (bool record = true;; record = false) {
        const int32_t left = numbers[steps::program_instruction_words] & kInstructionMask;
        if (left < words) return CIRCNN_STATUS_BAD_LENGTH;
        numbers[steps::program_instruction_words] = left - words;
        const LoadJob job = numbers_job(false, opcode, words);
        if (!load_beats(job, payload, in, numbers, weights, channels))
            return CIRCNN_STATUS_BAD_FIELD;
        if (!record) return CIRCNN_STATUS_OK;
        opcode = static_cast<uint8_t>(numbers[steps::opcode] & (CIRCNN_OPCODES - 1));
        words = to_uint8(circnn_payload_words[opcode]);
        if (words == 0 || numbers[steps::payload_words] != words) return CIRCNN_STATUS_BAD_FIELD;
    }
}

// Keep the numbers of a layer.
inline void keep_layer(const int32_t numbers[kNumbers], uint8_t layer, LayerTable layers) {
keep:
    for (uint8_t i = 0; i != kLayerNumbers; i = next_number(i)) {
        CIRCNN_CHECK((numbers[i] & ~kLayerNumberMask) == 0, "a number is too large for ", "layers");
        layers[layer][i] = static_cast<LayerNumber>(numbers[i]);
    }
}

// All instructions, decoded into layers.
inline void load_instructions(const circnn_header &h, Payload &payload, AxiStream &in,
                              int32_t numbers[kNumbers], LayerTable layers,
                              Word weights[kWeightRows][kRow], Channels &channels) {
    const uint8_t count = to_uint8(h.layers & 127);
    numbers[steps::resident_rows] = 0;
    numbers[steps::weights_end] = 0;
instructions:
    for (uint8_t i = 0; i != count; i = next_layer(i)) {
        uint8_t status = load_instruction(payload, in, numbers, weights, channels);
        if (payload.packet.truncated) complain(payload, CIRCNN_STATUS_TRUNCATED, -1);
        numbers[steps::index] = i;
        const uint8_t opcode = static_cast<uint8_t>(numbers[steps::opcode] & (CIRCNN_OPCODES - 1));
        if (status == CIRCNN_STATUS_OK) status = decode_layer(opcode, numbers);
        // the operands must be there
        const bool two = has(kTwoOperands, opcode);
    operands:
        for (bool second = false; status == CIRCNN_STATUS_OK; second = true) {
            const int32_t address = numbers[second ? steps::second_address : steps::input_address];
            const int32_t words = numbers[second ? steps::second_words : steps::in_words];
            if (!holds_tensor(numbers, layers, i, address, words))
                status = CIRCNN_STATUS_BAD_ADDRESS;
            if (second || !two) break;
        }
        complain(payload, status, i);
        if (payload.status != CIRCNN_STATUS_OK) return;
        keep_layer(numbers, i, layers);
    }
    if (numbers[steps::program_instruction_words] != 0)
        complain(payload, CIRCNN_STATUS_BAD_LENGTH, -1);
    // the section has the weights in the order of the layers, so that one pass can load them
    if (numbers[steps::weights_end] != h.weights_words)
        complain(payload, CIRCNN_STATUS_BAD_FIELD, -1);
    if (!holds_tensor(numbers, layers, count, h.output_address, h.output_words))
        complain(payload, CIRCNN_STATUS_BAD_ADDRESS, -1);
    // streamed weights come after the resident ones
    const int32_t resident_rows = numbers[steps::resident_rows];
streamed:
    for (uint8_t i = 0; i != count; i = next_layer(i)) {
        if (!streams_weights(layers, i)) continue;
        const int32_t rows = layer_number(layers, i, steps::weights_rows);
        layers[i][steps::weights_row] = static_cast<LayerNumber>(resident_rows);
        if ((resident_rows & kLayerNumberMask) + (rows & kLayerNumberMask) > kWeightRows)
            complain(payload, CIRCNN_STATUS_TOO_LARGE, i);
    }
}

// The sections in their order: weights of one layer after the other, scales, biases.
inline void load_sections(const circnn_header &h, const LayerTable layers, Payload &payload,
                          AxiStream &in, int32_t numbers[kNumbers], Word weights[kWeightRows][kRow],
                          Channels &channels) {
    const uint8_t count = to_uint8(h.layers & 127);
    bool scales = false, biases = false;
sections:
    for (uint8_t i = 0; !biases; i = next_layer(i)) {
        biases = scales;
        scales = i == count;
        const bool other = scales || biases;
        if (other && payload.status != CIRCNN_STATUS_OK) return;
        if (!other && !is_spectral(layers, i)) continue;
        const LoadJob job = other ? channels_job(scales, scales ? h.scales_words : h.biases_words)
                                  : weights_job(layers, i, streams_weights(layers, i));
        if (!load_beats(job, payload, in, numbers, weights, channels))
            complain(payload, CIRCNN_STATUS_BAD_FIELD, -1);
    }
}

// Afterwards `payload.status` is ok if the program is whole and all of it is loaded.
inline void load_program(uint32_t bytes, Payload &payload, AxiStream &in, circnn_header &h,
                         int32_t numbers[kNumbers], LayerTable layers,
                         Word weights[kWeightRows][kRow], Channels &channels) {
    payload.crc = kCrcBegin;
    const LoadJob job = numbers_job(true, 0, CIRCNN_PROGRAM_HEADER_WORDS);
    const bool legal = load_beats(job, payload, in, numbers, weights, channels);
    if (payload.packet.truncated) {
        complain(payload, CIRCNN_STATUS_TRUNCATED, -1);
        return;
    }
    header_of(numbers, h);
    complain(payload, check_header(h, legal, bytes, numbers), -1);
    if (payload.status != CIRCNN_STATUS_OK) return;
    const uint32_t checksum = h.checksum;
    load_instructions(h, payload, in, numbers, layers, weights, channels);
    if (payload.status != CIRCNN_STATUS_OK) return;
    load_sections(h, layers, payload, in, numbers, weights, channels);
    if (payload.packet.truncated) {
        payload.status = CIRCNN_STATUS_TRUNCATED;
        return;
    }
    if (payload.status == CIRCNN_STATUS_OK && ~payload.crc != checksum)
        complain(payload, CIRCNN_STATUS_BAD_CHECKSUM, -1);
}

#endif
