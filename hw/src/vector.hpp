// The layers that have no spectra: what the words of a window make together, by the rule of their
// kind; a single pixel passes as it is.
#ifndef CIRCNN_VECTOR_HPP
#define CIRCNN_VECTOR_HPP

#include "kinds.hpp"
#include "write.hpp"

struct VectorJob {
    uint32_t totals;  // results to send, in beats of eight; none for a spectral layer
    Combination combination;
};

inline VectorJob vector_job(const Layer &layer, uint32_t beats) {
    VectorJob j;
    j.totals = traits_of(layer).spectral ? 0 : beats;
    j.combination = Combination{layer.d.opcode, static_cast<uint8_t>(layer.d.first_align),
                                static_cast<uint8_t>(layer.d.second_align)};
    return j;
}

inline void vector_layer(const VectorJob job, OperandStream &in, TotalStream &out, Count &count) {
    CountdownState s = {job.totals};
    int32_t totals[kBanks];
#pragma HLS ARRAY_PARTITION variable = totals complete
    uint16_t pixels = 0;
    uint32_t trips = 0;
    for (int i = 0; i < kBanks; i++) {
#pragma HLS UNROLL
        totals[i] = 0;
    }
    CIRCNN_LOOP("vector");
vector:
    for (uint32_t trip = 0; trip < kMaxTrips; trip++) {
#pragma HLS PIPELINE II = 1
        if (s.left == 0) break;
        CIRCNN_TRIP();
        trips++;
        const OperandBeat beat = in.read();
        pixels = static_cast<uint16_t>(beat.first ? 1 : pixels + 1);
        OperandBeat upper = beat;  // the second eight words of one operand
        for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
            upper.w[i] = beat.v[i];
        }
        TotalBeat total;
        for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
            totals[i] = combined(job.combination, beat, i, totals[i]);
            totals[i + kBeat] = combined_alone(job.combination, upper, i, totals[i + kBeat]);
        }
        for (int i = 0; i < kBanks; i++) {
#pragma HLS UNROLL
            total.w[i] = totals[i];
        }
        total.pixels = pixels;
        total.wide = beat.wide;
        if (beat.last) out.write(total);
        s = next_countdown(s, beat.last ? (beat.wide ? 2 : 1) : 0);
    }
    count.trips = trips;
    count.saturations = 0;
}

#endif
