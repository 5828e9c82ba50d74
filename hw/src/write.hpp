// Moves results into the activation memory.
#ifndef CIRCNN_WRITE_HPP
#define CIRCNN_WRITE_HPP

#include "epilogue.hpp"
#include "memory.hpp"

inline void write_layer(const Layer &layer, const Batch &batch, ResultStream &in,
                        ActivationBank *memory, Count &count) {
    const circnn_descriptor &d = layer.d;
    const bool matrix = d.opcode == CIRCNN_OP_MATRIX;
    uint32_t left = matrix ? sum_beats(layer, batch.samples) : vector_beats(layer, batch.samples);
    ResultCursor c = {0, 0, 0, 0, 0, 0};
    FlatCursor flat = {0, 0, 0};
write:
    for (uint32_t trip = 0; trip < kMaxTrips; trip++) {
#pragma HLS PIPELINE II = 1
        if (left == 0) break;
        count.trips++;
        const ResultBeat result = in.read();
        int32_t sample, word;
        if (matrix) {
            const ResultPlace p = result_place(layer, batch, c);
            sample = p.sample;
            word = (c.y * d.out_width + p.column) * d.out_channels + p.channel;
            advance(layer, c);
        } else {
            sample = flat.sample;
            word = flat.pixel * flat_channels(layer) + flat.channel;
            advance(layer, flat);
        }
        write_words(memory, sample * batch.stride + d.output_address + word, result.w,
                    result.count);
        left--;
    }
}

#endif
