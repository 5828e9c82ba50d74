// The layers that have no spectra: what the words of a window make together, by the rule of their
// kind; a single pixel passes as it is.
#ifndef CIRCNN_VECTOR_HPP
#define CIRCNN_VECTOR_HPP

#include "kinds.hpp"
#include "results.hpp"

inline void vector_layer(const Layer &layer, const Batch &batch, OperandStream &in,
                         TotalStream &out, Count &count) {
    if (traits_of(layer).spectral) return;
    uint32_t left = result_beats(layer, batch.samples);
    TotalBeat total = {};
vector:
    for (uint32_t trip = 0; trip < kMaxTrips; trip++) {
#pragma HLS PIPELINE II = 1
        if (left == 0) break;
        count.trips++;
        const OperandBeat beat = in.read();
        for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
            total.w[i] = combined(layer.d, beat, i, total.w[i]);
        }
        total.pixels = static_cast<uint16_t>(beat.first ? 1 : total.pixels + 1);
        if (beat.last) {
            out.write(total);
            left--;
        }
    }
}

#endif
