// Moves results into the activation memory.
#ifndef CIRCNN_WRITE_HPP
#define CIRCNN_WRITE_HPP

#include "memory.hpp"
#include "results.hpp"

struct CountdownState {
    uint32_t left;
};

inline CountdownState next_countdown(const CountdownState &s) {
#pragma HLS INLINE
    return CountdownState{s.left - 1};
}

inline void write_layer(uint32_t beats, ResultStream &in, ActivationBank *memory, Count &count) {
    CountdownState s = {beats};
    CIRCNN_LOOP("write");
write:
    while (s.left != 0) {
#pragma HLS PIPELINE II = 1
        CIRCNN_TRIP();
        const ResultBeat result = in.read();
        write_words(memory, result.address, result.w, result.count);
        s = next_countdown(s);
    }
    count.trips = beats;
    count.saturations = 0;
}

#endif
