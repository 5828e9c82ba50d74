// Everything that is no matrix: the largest value and the sum of a window, the sum of two
// tensors; a single pixel passes as it is.
#ifndef CIRCNN_VECTOR_HPP
#define CIRCNN_VECTOR_HPP

#include "decode.hpp"

// Windows of all samples, eight channels each, or words of all samples, eight each.
inline uint32_t vector_beats(const Layer &layer, int32_t samples) {
    const circnn_descriptor &d = layer.d;
    const int32_t beats = d.opcode == CIRCNN_OP_ADD
                              ? ceil_div(layer.out_words, kBeat)
                              : d.out_height * d.out_width * ceil_div(d.out_channels, kBeat);
    return static_cast<uint32_t>(beats) * static_cast<uint32_t>(samples);
}

inline int32_t vector_element(const circnn_descriptor &d, const OperandBeat &beat, int i,
                              int32_t total) {
    switch (d.opcode) {
    case CIRCNN_OP_ADD:
        return beat.w[i] * (1 << d.first_align) + beat.v[i] * (1 << d.second_align);
    case CIRCNN_OP_MAX_POOL:
        return beat.first || beat.w[i] > total ? beat.w[i] : total;
    default:
        return beat.first ? beat.w[i] : total + beat.w[i];
    }
}

inline void vector_layer(const Layer &layer, const Batch &batch, OperandStream &in,
                         TotalStream &out, Count &count) {
    if (layer.d.opcode == CIRCNN_OP_MATRIX) return;
    uint32_t left = vector_beats(layer, batch.samples);
    TotalBeat total = {};
vector:
    for (uint32_t trip = 0; trip < kMaxTrips; trip++) {
#pragma HLS PIPELINE II = 1
        if (left == 0) break;
        count.trips++;
        const OperandBeat beat = in.read();
        for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
            total.w[i] = vector_element(layer.d, beat, i, total.w[i]);
        }
        total.pixels = static_cast<uint16_t>(beat.first ? 1 : total.pixels + 1);
        if (beat.last) {
            out.write(total);
            left--;
        }
    }
}

#endif
