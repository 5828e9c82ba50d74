// Loads programs and weights: from the packet into the engine's memories.
//
// Every loop takes a beat a trip.  Its counters are a structure of numbers that one function steps,
// and every bank of a memory has one write in a trip, at an address that all banks share.
#ifndef CIRCNN_LOAD_HPP
#define CIRCNN_LOAD_HPP

#include <stddef.h>

#include "checksum.hpp"
#include "decode.hpp"
#include "epilogue.hpp"
#include "memory.hpp"
#include "packet.hpp"

constexpr int kBeatHalves = 2;  // 32-bit words of a beat of the stream
constexpr int kBeatWords = 4;  // 16-bit words

static_assert(CIRCNN_PROGRAM_HEADER_WORDS % kBeatHalves == 0, "the header must fill its beats");
static_assert(CIRCNN_PROGRAM_RECORD_WORDS % kBeatHalves == 0, "a record must fill its beats");
static_assert(kRow / kBeatWords <= 1 << 8, "a position in a row must fit 8 bits");
static_assert(kWeightRows <= 1 << 16, "a row of weights must fit 16 bits");
static_assert(kChannelRows <= 1 << 16, "a row of channels must fit 16 bits");

// What is loaded is read by other loops alone, long after it has landed.
constexpr Ram kHeaderRam = {"the header", CIRCNN_PROGRAM_HEADER_WORDS, 1, 1, 1};
constexpr Ram kFieldsRam = {"the fields", CIRCNN_DESCRIPTOR_FIELDS, 1, 1, 1};

// The payload of a packet, with its checksum so far and the first error found in it.
struct Payload {
    PacketReader packet;
    uint32_t crc;
    int32_t status;
    int32_t detail;
};

inline void complain(Payload &payload, int32_t status, int32_t detail) {
    if (payload.status != CIRCNN_STATUS_OK) return;  // the first error counts
    payload.status = status;
    payload.detail = detail;
}

inline uint64_t payload_beat(Payload &payload, AxiStream &in) {
#pragma HLS INLINE
    const uint64_t beat = packet_beat(payload.packet, in);
    payload.crc = crc_beat(payload.crc, beat);
    return beat;
}

inline int32_t signed_word(uint32_t word) { return static_cast<int32_t>(word); }

// -- weights ------------------------------------------------------------------------------------

// The packet has the rows of the weights memory one after the other, and of each row the share that
// all places have in common (pynq_circnn/program/arrangement.py).  The engine repeats it: a beat goes
// to all banks whose place in the share it is.
struct LoadWeightsJob {
    uint32_t beats;
    uint16_t row;
    uint8_t last;  // position of a share's last beat, which is also a mask
};

struct LoadWeightsState {
    uint32_t left;  // beats
    uint16_t row;
    uint8_t position;  // of the beat in its share
};

inline LoadWeightsJob weights_job(const Layer &layer) {
    const int32_t beats_log2 = layer.d.share_log2 - 2;  // of a share, which is eight words or more
    LoadWeightsJob job;
    job.beats = static_cast<uint32_t>(layer.weights_rows) << beats_log2;
    job.row = static_cast<uint16_t>(layer.weights_row);
    job.last = static_cast<uint8_t>((1 << beats_log2) - 1);
    return job;
}

inline LoadWeightsState first_load_weights(const LoadWeightsJob &job) {
    return LoadWeightsState{job.beats, job.row, 0};
}

inline LoadWeightsState next_load_weights(const LoadWeightsJob &job,
                                          const LoadWeightsState &state) {
#pragma HLS INLINE
    const bool full = state.position == job.last;
    LoadWeightsState next;
    next.left = state.left - 1;
    next.row = static_cast<uint16_t>(full ? state.row + 1 : state.row);
    next.position = static_cast<uint8_t>(full ? 0 : state.position + 1);
    return next;
}

// One write to each bank at most: the word of a beat that it takes is fixed.
inline void store_weights(const LoadWeightsJob &job, const LoadWeightsState &state,
                          const Word words[kBeatWords], Word weights[kWeightRows][kRow]) {
#pragma HLS INLINE
    for (int bank = 0; bank < kRow; bank++) {
#pragma HLS UNROLL
        if (((bank / kBeatWords) & job.last) == state.position) {
            CIRCNN_WRITES(&weights[0][bank], state.row, kWeights);
            weights[state.row][bank] = words[bank % kBeatWords];
        }
    }
}

inline void load_weights(const Layer &layer, Payload &payload, AxiStream &in,
                         Word weights[kWeightRows][kRow], Count &count) {
    const LoadWeightsJob job = weights_job(layer);
    LoadWeightsState state = first_load_weights(job);
    bool legal = true;
    CIRCNN_REGION();
    CIRCNN_LOOP("load_weights");
weights:
    for (uint32_t trip = 0; trip < job.beats; trip++) {
#pragma HLS PIPELINE II = 1
        CIRCNN_TRIP();
        count.trips++;
        const uint64_t beat = payload_beat(payload, in);
        Word words[kBeatWords];
        for (int i = 0; i < kBeatWords; i++) {
#pragma HLS UNROLL
            words[i] = word_of(beat, i);
            legal = legal && words[i] >= -kValueMax;
        }
        store_weights(job, state, words, weights);
        state = next_load_weights(job, state);
    }
    CIRCNN_CHECK(state.left == 0, "beats are left over in ", "load_weights");
    if (!legal) complain(payload, CIRCNN_STATUS_BAD_FIELD, -1);
}

inline void skip_beats(Payload &payload, AxiStream &in, uint32_t beats) {
skip:
    for (uint32_t trip = 0; trip < beats; trip++) {
#pragma HLS PIPELINE II = 1
        payload_beat(payload, in);
    }
}

// -- scales and biases --------------------------------------------------------------------------

// A row of these memories is as wide as the epilogue and is written whole, in each trip with what it
// has so far.  `part` counts the beats of a row.
struct LoadRowsState {
    uint16_t row;
    uint8_t part;
};

inline LoadRowsState next_load_rows(uint8_t last, const LoadRowsState &state) {
#pragma HLS INLINE
    const bool full = state.part == last;
    LoadRowsState next;
    next.row = static_cast<uint16_t>(full ? state.row + 1 : state.row);
    next.part = static_cast<uint8_t>(full ? 0 : state.part + 1);
    return next;
}

inline void load_scales(int32_t words, Payload &payload, AxiStream &in, Channels &channels) {
    const int32_t beats = (words + kBeatWords - 1) / kBeatWords;
    LoadRowsState state = {0, 0};
    Word row[kBeat];
#pragma HLS ARRAY_PARTITION variable = row complete
    bool legal = true;
    CIRCNN_REGION();
    CIRCNN_LOOP("load_scales");
scales:
    for (int32_t trip = 0; trip < beats; trip++) {
#pragma HLS PIPELINE II = 1
        CIRCNN_TRIP();
        const uint64_t beat = payload_beat(payload, in);
        CIRCNN_WRITES(channels.scales, state.row, kScales);
        for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
            const Word value = word_of(beat, i % kBeatWords);
            row[i] = state.part == i / kBeatWords ? value : state.part == 0 ? Word(0) : row[i];
            channels.scales[state.row][i] = row[i];
            legal = legal && value >= -kValueMax;
        }
        state = next_load_rows(kBeat / kBeatWords - 1, state);
    }
    if (!legal) complain(payload, CIRCNN_STATUS_BAD_FIELD, -1);
}

inline void load_biases(int32_t words, Payload &payload, AxiStream &in, Channels &channels) {
    const int32_t beats = (words + kBeatHalves - 1) / kBeatHalves;
    LoadRowsState state = {0, 0};
    int32_t row[kBeat];
#pragma HLS ARRAY_PARTITION variable = row complete
    bool legal = true;
    CIRCNN_REGION();
    CIRCNN_LOOP("load_biases");
biases:
    for (int32_t trip = 0; trip < beats; trip++) {
#pragma HLS PIPELINE II = 1
        CIRCNN_TRIP();
        const uint64_t beat = payload_beat(payload, in);
        CIRCNN_WRITES(channels.biases, state.row, kBiases);
        for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
            const int32_t value = signed_word(half_of(beat, i % kBeatHalves));
            row[i] = state.part == i / kBeatHalves ? value : state.part == 0 ? 0 : row[i];
            channels.biases[state.row][i] = row[i];
            legal = legal && value >= -CIRCNN_BIAS_MAX && value <= CIRCNN_BIAS_MAX;
        }
        state = next_load_rows(kBeat / kBeatHalves - 1, state);
    }
    if (!legal) complain(payload, CIRCNN_STATUS_BAD_FIELD, -1);
}

// -- a program ----------------------------------------------------------------------------------

// The header; returns whether every word of it is legal.
inline bool load_header(Payload &payload, AxiStream &in, circnn_header &h) {
    // the checksum's own field counts as zero: it is the lower half of the third beat
    static_assert(offsetof(circnn_header, checksum) == 16, "the checksum is the fifth word");
    uint32_t words[CIRCNN_PROGRAM_HEADER_WORDS];
    uint64_t beat = 0;
    bool legal = true;
    CIRCNN_REGION();
    CIRCNN_LOOP("load_header");
header:
    for (int i = 0; i < CIRCNN_PROGRAM_HEADER_WORDS; i++) {
#pragma HLS PIPELINE II = 1
        CIRCNN_TRIP();
        if (i % kBeatHalves == 0) {
            beat = packet_beat(payload.packet, in);
            const uint64_t summed = i == 4 ? beat & 0xFFFFFFFF00000000u : beat;
            payload.crc = crc_beat(payload.crc, summed);
        }
        const uint32_t word = half_of(beat, i % kBeatHalves);
        legal = legal && circnn_header_word_ok(word, i) != 0;
        CIRCNN_WRITES(words, i, kHeaderRam);
        words[i] = word;
    }
    circnn_header_of(words, &h);
    return legal;
}

// A record, or the payload of an opcode: a word a trip into the fields of all opcodes, so that its
// own are among them.  Returns whether all words are legal.
inline bool load_fields(Payload &payload, AxiStream &in, bool record, int32_t opcode, int32_t words,
                        uint32_t fields[CIRCNN_DESCRIPTOR_FIELDS]) {
    uint64_t beat = 0;
    bool legal = true;
    CIRCNN_REGION();
    CIRCNN_LOOP("load_fields");
fields:
    for (int32_t i = 0; i < words; i++) {
#pragma HLS PIPELINE II = 1
        CIRCNN_TRIP();
        if (i % kBeatHalves == 0) beat = payload_beat(payload, in);
        const uint32_t word = half_of(beat, i % kBeatHalves);
        const int32_t field = circnn_field_of(record, opcode, i);
        legal = legal && circnn_field_ok(field, word) != 0;
        if (field != CIRCNN_NO_FIELD) {
            CIRCNN_WRITES(fields, field, kFieldsRam);
            fields[field] = word;
        }
    }
    return legal;
}

// An instruction, of which at most `left` words are there; `left` becomes what follows it.
inline int32_t load_instruction(Payload &payload, AxiStream &in, int32_t &left,
                                circnn_descriptor &d) {
    uint32_t fields[CIRCNN_DESCRIPTOR_FIELDS];
clear:
    for (int i = 0; i < CIRCNN_DESCRIPTOR_FIELDS; i++) fields[i] = 0;
    if (left < CIRCNN_PROGRAM_RECORD_WORDS) return CIRCNN_STATUS_BAD_LENGTH;
    left -= CIRCNN_PROGRAM_RECORD_WORDS;
    if (!load_fields(payload, in, true, 0, CIRCNN_PROGRAM_RECORD_WORDS, fields))
        return CIRCNN_STATUS_BAD_FIELD;
    const int32_t opcode = signed_word(fields[0]), words = circnn_payload_of(opcode, fields[1]);
    if (words < 0) return CIRCNN_STATUS_BAD_FIELD;
    if (left < words) return CIRCNN_STATUS_BAD_LENGTH;
    left -= words;
    if (!load_fields(payload, in, false, opcode, words, fields)) return CIRCNN_STATUS_BAD_FIELD;
    circnn_descriptor_of(fields, &d);
    return CIRCNN_STATUS_OK;
}

// Check that streamed weights fit after the resident ones, and assign them their rows.
inline void place_streamed(Layer &layer, int32_t resident_rows, Payload &payload, int32_t index) {
    if (!layer.streamed) return;
    layer.weights_row = resident_rows;
    if (resident_rows + layer.weights_rows > kWeightRows)
        complain(payload, CIRCNN_STATUS_TOO_LARGE, index);
}

inline void load_sections(const circnn_header &h, const Layer layers[kMaxLayers], Payload &payload,
                          AxiStream &in, Word weights[kWeightRows][kRow], Channels &channels,
                          Count &count) {
section:
    for (int32_t i = 0; i < h.layers; i++) {
        const Layer &layer = layers[i];
        if (!traits_of(layer).spectral) continue;
        if (layer.streamed)
            skip_beats(payload, in, weights_job(layer).beats);
        else
            load_weights(layer, payload, in, weights, count);
    }
    if (payload.status != CIRCNN_STATUS_OK) return;
    load_scales(h.scales_words, payload, in, channels);
    load_biases(h.biases_words, payload, in, channels);
}

// All instructions, decoded into layers.
inline void load_instructions(const circnn_header &h, Payload &payload, AxiStream &in,
                              Layer layers[kMaxLayers]) {
    int32_t left = h.instruction_words, resident_rows = 0, weights_end = 0;
instructions:
    for (int32_t i = 0; i < h.layers; i++) {
        int32_t status = load_instruction(payload, in, left, layers[i].d);
        if (payload.packet.truncated) complain(payload, CIRCNN_STATUS_TRUNCATED, -1);
        if (status == CIRCNN_STATUS_OK)
            status = decode_layer(h, i, layers[i], resident_rows, weights_end);
        if (status == CIRCNN_STATUS_OK && !reads_tensors(h, layers, i))
            status = CIRCNN_STATUS_BAD_ADDRESS;
        complain(payload, status, i);
        if (payload.status != CIRCNN_STATUS_OK) return;
    }
    if (left != 0) complain(payload, CIRCNN_STATUS_BAD_LENGTH, -1);
    // the section has the weights in the order of the layers, so that one pass can load them
    if (weights_end != h.weights_words) complain(payload, CIRCNN_STATUS_BAD_FIELD, -1);
    if (!holds_tensor(h, layers, h.layers, h.output_address, h.output_words))
        complain(payload, CIRCNN_STATUS_BAD_ADDRESS, -1);
streamed:
    for (int32_t i = 0; i < h.layers; i++) place_streamed(layers[i], resident_rows, payload, i);
}

// Afterwards `payload.status` is ok if the program is whole and all of it is loaded.
inline void load_program(uint32_t bytes, Payload &payload, AxiStream &in, circnn_header &h,
                         Layer layers[kMaxLayers], Word weights[kWeightRows][kRow],
                         Channels &channels, Count &count) {
    payload.crc = kCrcBegin;
    const bool legal = load_header(payload, in, h);
    if (payload.packet.truncated) {
        complain(payload, CIRCNN_STATUS_TRUNCATED, -1);
        return;
    }
    complain(payload, check_header(h, legal, bytes), -1);
    if (payload.status != CIRCNN_STATUS_OK) return;
    const uint32_t checksum = h.checksum;
    load_instructions(h, payload, in, layers);
    if (payload.status != CIRCNN_STATUS_OK) return;
    load_sections(h, layers, payload, in, weights, channels, count);
    if (payload.packet.truncated) {
        payload.status = CIRCNN_STATUS_TRUNCATED;
        return;
    }
    if (payload.status == CIRCNN_STATUS_OK && ~payload.crc != checksum)
        complain(payload, CIRCNN_STATUS_BAD_CHECKSUM, -1);
}

#endif
