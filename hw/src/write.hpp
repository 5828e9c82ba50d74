// Moves results into the activation memory.
#ifndef CIRCNN_WRITE_HPP
#define CIRCNN_WRITE_HPP

#include "memory.hpp"
#include "results.hpp"

inline void write_layer(const Layer &layer, const Batch &batch, ResultStream &in,
                        ActivationBank *memory, Count &count) {
    uint32_t left = result_beats(layer, batch.samples);
    ResultCursor c = {0, 0, 0, 0, 0, 0};
write:
    for (uint32_t trip = 0; trip < kMaxTrips; trip++) {
#pragma HLS PIPELINE II = 1
        if (left == 0) break;
        count.trips++;
        const ResultBeat result = in.read();
        const ResultPlace p = result_place(layer, batch, c);
        advance(layer, c);
        write_words(memory, p.sample * batch.stride + layer.d.output_address + p.word, result.w,
                    result.count);
        left--;
    }
}

#endif
