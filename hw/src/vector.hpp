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

inline void vector_job(bool spectral, const int32_t numbers[kNumbers], VectorJob &j) {
    j.totals = spectral ? 0 : to_uint32(numbers[steps::result_beats]);
    j.combination = combination_of(numbers[steps::opcode]);
    j.combination.first_align = to_uint8(numbers[steps::first_align]);
    j.combination.second_align = to_uint8(numbers[steps::second_align]);
}

inline int32_t aligned(Word word, uint8_t align) {
#pragma HLS INLINE
    return static_cast<int32_t>(static_cast<uint32_t>(static_cast<int32_t>(word)) << (align & 15));
}

// A word of a beat, with the second operand's.
inline int32_t operand(const Combination &c, const OperandBeat &beat, int i) {
#pragma HLS INLINE
    const int32_t first = aligned(beat.w[i], beat.second ? c.second_align : c.first_align);
    const int32_t second = aligned(beat.v[i], c.second_align);
    return first + (c.adds ? second : 0);
}

// The total after one more pixel; the first one begins it.
inline int32_t with_pixel(const Combination &c, bool first, int32_t total, int32_t word) {
#pragma HLS INLINE
    const int32_t larger = word > total ? word : total;
    return first ? word : c.maximum ? larger : total + word;
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
        TotalBeat total;
        for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
            totals[i] = with_pixel(job.combination, beat.first, totals[i],
                                   operand(job.combination, beat, i));
            totals[i + kBeat] = with_pixel(job.combination, beat.first, totals[i + kBeat],
                                           beat.v[i]);
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
