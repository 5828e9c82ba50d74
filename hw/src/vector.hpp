// The layers that have no spectra: what the words of a window make together, by the rule of their
// kind; a single pixel passes as it is, and so do the words of a pair.
#ifndef CIRCNN_VECTOR_HPP
#define CIRCNN_VECTOR_HPP

#include "kinds.hpp"
#include "write.hpp"

struct VectorJob {
    uint32_t totals;  // results to send, in beats of eight; none for a spectral layer
    bool maximum;
    bool adds;  // each beat has words of two operands
};

inline void vector_job(bool spectral, const int32_t numbers[kNumbers], VectorJob &j) {
    j.totals = spectral ? 0 : to_uint32(numbers[steps::result_beats]);
    const Combination c = combination_of(numbers[steps::opcode]);
    j.maximum = c.maximum;
    j.adds = c.adds;
}

// The total after one more pixel; the first one begins it.  One adder makes all: a maximum leaves
// out the smaller word.
inline Total with_pixel(bool maximum, bool first, Total total, Word word) {
#pragma HLS INLINE
    const bool larger = word > static_cast<Word>(total);
    const bool drops = first | (maximum & larger), takes = first | !maximum | larger;
    const int32_t kept = drops ? 0 : static_cast<int32_t>(total), more = takes ? word : 0;
    return static_cast<Total>(in_bits<kTotalBits>(kept + more));
}

struct VectorState {
    uint32_t left;    // totals, in beats of eight
    uint16_t pixels;  // of the window so far, less one
};

inline VectorState first_vector(const VectorJob &j) { return VectorState{j.totals, 0}; }

inline VectorState next_vector(const VectorState &s, bool first, bool last, bool wide) {
#pragma HLS INLINE
    VectorState n;
    n.left = s.left - static_cast<uint32_t>(!last ? 0 : wide ? 2 : 1);
    n.pixels = static_cast<uint16_t>(first ? 0 : s.pixels + 1);
    return n;
}

inline void vector_layer(const VectorJob job, OperandStream &in, TotalStream &out,
                         UpperStream &upper, Count &count) {
    VectorState s = first_vector(job);
    Total totals[kBanks];
#pragma HLS ARRAY_PARTITION variable = totals complete
    for (int i = 0; i < kBanks; i++) {
#pragma HLS UNROLL
        totals[i] = 0;
    }
    count.trips = count.saturations = 0;
    CIRCNN_LOOP("vector");
vector:
    while (s.left != 0) {
#pragma HLS PIPELINE II = 1
        CIRCNN_TRIP();
        CIRCNN_COUNT(count.trips++);
        const OperandBeat beat = in.read();
        s = next_vector(s, beat.first, beat.last, beat.wide);
        for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
            totals[i] = with_pixel(job.maximum, beat.first, totals[i], beat.w[i]);
            totals[i + kBeat] = with_pixel(job.maximum, beat.first, totals[i + kBeat], beat.v[i]);
        }
        TotalBeat low;
        UpperBeat high;
        for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
            low.w[i] = totals[i];
            high.w[i] = totals[i + kBeat];
        }
        low.end.pixels = s.pixels;
        low.end.second = beat.second;
        low.end.wide = beat.wide;
        if (beat.last) out.write(low);
        if (beat.last && (beat.wide || job.adds)) upper.write(high);
    }
}

#endif
