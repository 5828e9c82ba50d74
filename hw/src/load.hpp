// Loads programs and weights: from the packet into the engine's memories.
#ifndef CIRCNN_LOAD_HPP
#define CIRCNN_LOAD_HPP

#include <stddef.h>
#include <string.h>

#include "decode.hpp"
#include "epilogue.hpp"
#include "packet.hpp"
#include "transform.hpp"

// CRC-32 as in zlib, one byte a step; eight steps are one trip.
inline uint32_t crc_byte(uint32_t crc, uint32_t byte) {
    uint32_t value = (crc ^ byte) & 0xFF;
    for (int bit = 0; bit < 8; bit++) {
#pragma HLS UNROLL
        value = (value >> 1) ^ ((value & 1) != 0 ? 0xEDB88320u : 0u);
    }
    return (crc >> 8) ^ value;
}

inline uint32_t crc_beat(uint32_t crc, uint64_t beat) {
    for (int i = 0; i < 8; i++) {
#pragma HLS UNROLL
        crc = crc_byte(crc, static_cast<uint32_t>((beat >> (8 * i)) & 0xFF));
    }
    return crc;
}

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
    const uint64_t beat = packet_beat(payload.packet, in);
    payload.crc = crc_beat(payload.crc, beat);
    return beat;
}

// A header or descriptor: 32 words.
inline void load_record(Payload &payload, AxiStream &in,
                        uint32_t words[CIRCNN_PROGRAM_HEADER_WORDS]) {
record:
    for (int i = 0; i < CIRCNN_PROGRAM_HEADER_WORDS; i += 2) {
#pragma HLS PIPELINE II = 1
        const uint64_t beat = payload_beat(payload, in);
        words[i] = half_of(beat, 0);
        words[i + 1] = half_of(beat, 1);
    }
}

inline int32_t signed_word(uint32_t word) { return static_cast<int32_t>(word); }

// -- weights ------------------------------------------------------------------------------------

// Where a slot of a block goes: its row, and its position in each place's share of the row.
struct WeightPlace {
    int32_t row, position;
};

inline WeightPlace weight_place(const Layer &layer, int32_t block, int32_t term, int32_t word) {
    const int32_t log2 = layer.d.block_log2;
    const int32_t slot = log2 < 2 ? 0 : reverse_bits(word / 2, log2 - 1);
    const int32_t at = log2 == 0 ? 0 : 2 * slot;
    const int32_t group = block / layer.side, side = block % layer.side;
    WeightPlace p;
    p.row = layer.weights_row + (group * layer.chunks + at / kRow) * layer.terms + term;
    p.position = (side << log2) + at % kRow;
    return p;
}

// Stores the same word for every place, since neighbouring pixels share their weights.
inline void store_weight(const Layer &layer, Word weights[kWeightRows][kRow], int32_t row,
                         int32_t position, Word word) {
    const int32_t share = kRow / layer.places;
    for (int place = 0; place < kRowBeats; place++) {
#pragma HLS UNROLL
        if (place < layer.places) weights[row][place * share + position] = word;
    }
}

// Up to four words a trip: a whole beat if all its words go to one row.
inline void load_weights(const Layer &layer, Payload &payload, AxiStream &in,
                         Word weights[kWeightRows][kRow], Count &count) {
    const circnn_descriptor &d = layer.d;
    const int32_t k = 1 << d.block_log2;
    const int32_t at_once = k == 1 ? 1 : k == 2 || k > kRow ? 2 : 4;
    const int32_t words = (d.block_rows * layer.terms) << d.block_log2;
    const int32_t whole = padded(words, kBeat);
    int32_t block = 0, term = 0, word = 0;
    uint64_t beat = 0;
weights:
    for (int32_t i = 0; i < whole; i += at_once) {
#pragma HLS PIPELINE II = 1
        count.trips++;
        if (i % 4 == 0) beat = payload_beat(payload, in);
        bool legal = true;
        for (int j = 0; j < 4; j++) {
#pragma HLS UNROLL
            const Word value = word_of(beat, (i + j) % 4);
            const WeightPlace p = weight_place(layer, block, term, word + j);
            if (j < at_once && i + j < words) {
                store_weight(layer, weights, p.row, p.position + (k > 1 ? j % 2 : 0), value);
                legal = legal && value >= -kValueMax;
            }
        }
        if (!legal) complain(payload, CIRCNN_STATUS_BAD_FIELD, -1);
        word += at_once;
        if (word == k) {
            word = 0;
            if (++term == layer.terms) {
                term = 0;
                block++;
            }
        }
    }
}

inline void skip_words(Payload &payload, AxiStream &in, int32_t words) {
skip:
    for (int32_t i = 0; i < words; i += 4) {
#pragma HLS PIPELINE II = 1
        payload_beat(payload, in);
    }
}

// -- scales and biases --------------------------------------------------------------------------

// A row of the memories is as wide as the epilogue and is written whole.
inline void load_scales(int32_t words, Payload &payload, AxiStream &in, Channels &channels) {
    Word row[kBeat] = {};
scales:
    for (int32_t i = 0; i < words; i += 4) {
#pragma HLS PIPELINE II = 1
        const uint64_t beat = payload_beat(payload, in);
        bool legal = true;
        for (int j = 0; j < 4; j++) {
#pragma HLS UNROLL
            const Word value = word_of(beat, j);
            row[i % kBeat + j] = value;
            legal = legal && value >= -kValueMax;
        }
        for (int j = 0; j < kBeat; j++) {
#pragma HLS UNROLL
            channels.scales[i / kBeat][j] = row[j];
        }
        if (!legal) complain(payload, CIRCNN_STATUS_BAD_FIELD, -1);
    }
}

inline void load_biases(int32_t words, Payload &payload, AxiStream &in, Channels &channels) {
    int32_t row[kBeat] = {};
biases:
    for (int32_t i = 0; i < words; i += 2) {
#pragma HLS PIPELINE II = 1
        const uint64_t beat = payload_beat(payload, in);
        bool legal = true;
        for (int j = 0; j < 2; j++) {
#pragma HLS UNROLL
            const int32_t value = signed_word(half_of(beat, j));
            row[i % kBeat + j] = value;
            legal = legal && value >= -CIRCNN_BIAS_MAX && value <= CIRCNN_BIAS_MAX;
        }
        for (int j = 0; j < kBeat; j++) {
#pragma HLS UNROLL
            channels.biases[i / kBeat][j] = row[j];
        }
        if (!legal) complain(payload, CIRCNN_STATUS_BAD_FIELD, -1);
    }
}

// -- a program ----------------------------------------------------------------------------------

inline circnn_header header_of(const uint32_t words[CIRCNN_PROGRAM_HEADER_WORDS]) {
    circnn_header h;
    memcpy(&h, words, sizeof h);
    return h;
}

inline circnn_descriptor descriptor_of(const uint32_t words[CIRCNN_PROGRAM_DESCRIPTOR_WORDS]) {
    circnn_descriptor d;
    memcpy(&d, words, sizeof d);
    return d;
}

// Check that streamed weights fit after the resident ones, and assign them their rows.
inline void place_streamed(Layer &layer, int32_t resident_rows, Payload &payload, int32_t index) {
    if (!layer.streamed) return;
    layer.weights_row = resident_rows;
    const int64_t rows = static_cast<int64_t>(layer.row_groups) * layer.chunks * layer.terms;
    if (resident_rows + rows > kWeightRows) complain(payload, CIRCNN_STATUS_TOO_LARGE, index);
}

inline void load_sections(const circnn_header &h, const Layer layers[kMaxLayers], Payload &payload,
                          AxiStream &in, Word weights[kWeightRows][kRow], Channels &channels,
                          Count &count) {
    int32_t at = 0;
section:
    for (int32_t i = 0; i < h.layers; i++) {
        const Layer &layer = layers[i];
        if (!traits_of(layer).spectral) continue;
        const int32_t words = padded((layer.d.block_rows * layer.terms) << layer.d.block_log2,
                                     kBeat);
        if (layer.streamed)
            skip_words(payload, in, words);
        else
            load_weights(layer, payload, in, weights, count);
        at += words;
    }
    if (at != h.weights_words) complain(payload, CIRCNN_STATUS_BAD_FIELD, -1);
    if (payload.status != CIRCNN_STATUS_OK) return;
    load_scales(h.scales_words, payload, in, channels);
    load_biases(h.biases_words, payload, in, channels);
}

// Afterwards `payload.status` is ok if the program is whole and all of it is loaded.
inline void load_program(uint32_t bytes, Payload &payload, AxiStream &in, circnn_header &h,
                         Layer layers[kMaxLayers], Word weights[kWeightRows][kRow],
                         Channels &channels, Count &count) {
    uint32_t words[CIRCNN_PROGRAM_HEADER_WORDS];
    payload.crc = 0xFFFFFFFFu;
    // the checksum's own field counts as zero: it is the lower half of the third beat
record:
    for (int i = 0; i < CIRCNN_PROGRAM_HEADER_WORDS; i += 2) {
#pragma HLS PIPELINE II = 1
        const uint64_t beat = packet_beat(payload.packet, in);
        const uint64_t summed = i == 4 ? beat & 0xFFFFFFFF00000000u : beat;
        payload.crc = crc_beat(payload.crc, summed);
        words[i] = half_of(beat, 0);
        words[i + 1] = half_of(beat, 1);
    }
    static_assert(offsetof(circnn_header, checksum) == 16, "the checksum is the fifth word");
    h = header_of(words);
    if (payload.packet.truncated) {
        complain(payload, CIRCNN_STATUS_TRUNCATED, -1);
        return;
    }
    complain(payload, check_header(words, h, bytes), -1);
    if (payload.status != CIRCNN_STATUS_OK) return;
    const uint32_t checksum = h.checksum;

    int32_t resident_rows = 0, weights_end = 0;
descriptors:
    for (int32_t i = 0; i < h.layers; i++) {
        load_record(payload, in, words);
        layers[i].d = descriptor_of(words);
        const int32_t status = decode_layer(words, h, i, layers[i], resident_rows, weights_end);
        if (payload.packet.truncated) complain(payload, CIRCNN_STATUS_TRUNCATED, -1);
        complain(payload, status, i);
        if (status == CIRCNN_STATUS_OK && !reads_tensors(h, layers, i))
            complain(payload, CIRCNN_STATUS_BAD_ADDRESS, i);
        if (payload.status != CIRCNN_STATUS_OK) return;
    }
    if (!holds_tensor(h, layers, h.layers, h.output_address, h.output_words))
        complain(payload, CIRCNN_STATUS_BAD_ADDRESS, -1);
streamed:
    for (int32_t i = 0; i < h.layers; i++) place_streamed(layers[i], resident_rows, payload, i);
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
