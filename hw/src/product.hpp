// The multiply-accumulate lanes, with the memories of weights and spectra.
//
// In every trip the lanes take one row of weights and one of spectra and add the products to their
// accumulators (output-stationary: the sum of one output is finished before the next is begun).
// The sums move to a holding register, from which they leave eight a trip, so that one output
// takes at least kRow / 8 trips.  What happens in a trip, a command says (outputs.hpp).
#ifndef CIRCNN_PRODUCT_HPP
#define CIRCNN_PRODUCT_HPP

#include "memory.hpp"
#include "outputs.hpp"
#include "results.hpp"

constexpr Ram kSpectra = {"spectra", kSpectraRows, 1, 1, CIRCNN_LATENCY_SPECTRA};

// Three sums of real products, each in the accumulator of one DSP slice: the complex product is put
// together once an output.  Two real products need only the first two.
struct LaneSums {
    Sum re, im, both;
};

struct LanesJob {
    uint8_t block_log2;
    uint16_t side_mask;   // bits of a word's position that count the blocks of a place
    bool spectral;
};

inline LanesJob lanes_job(bool spectral, const int32_t numbers[kNumbers]) {
    LanesJob j;
    j.spectral = spectral;
    j.block_log2 = to_uint8(numbers[steps::block_log2]);
    j.side_mask = to_uint16(numbers[steps::side_mask]);
    return j;
}

// Lanes that hold two real products: slot 0 of each block, and every one for k = 1.
inline bool real_lane(int lane, uint8_t block_log2, bool first_chunk) {
    const int32_t slots = block_log2 == 0 ? 1 : 1 << (block_log2 - 1);
    return first_chunk && (lane & (slots - 1)) == 0;
}

// One more term; a trip without one adds a product of zeros.
inline LaneSums lane(Word w_re, Word w_im, Word x_re, Word x_im, bool clear, const LaneSums &sums) {
#pragma HLS INLINE
    const int64_t both = static_cast<int64_t>(w_re + w_im) * (x_re + x_im);
    LaneSums next;
    next.re = (clear ? static_cast<Sum>(0) : sums.re) + w_re * x_re;
    next.im = (clear ? static_cast<Sum>(0) : sums.im) + w_im * x_im;
    next.both = (clear ? static_cast<Sum>(0) : sums.both) + both;
    return next;
}

// Spread block `block` of each place over all blocks of the place: every bit of a word's position
// that counts blocks is replaced, in a network of two-way switches.
inline void spread(const LanesJob &job, uint16_t block, const Word from[kRow], Word to[kRow]) {
#pragma HLS INLINE
    const uint32_t chosen = (static_cast<uint32_t>(block) << job.block_log2) & job.side_mask;
    Word now[kRow];
    for (int i = 0; i < kRow; i++) {
#pragma HLS UNROLL
        now[i] = from[i];
    }
    for (int level = 0; 1 << level < kRow; level++) {
#pragma HLS UNROLL
        const int bit = 1 << level;
        Word next[kRow];
        const bool replaced = (job.side_mask & bit) != 0, one = (chosen & bit) != 0;
        for (int i = 0; i < kRow; i++) {
#pragma HLS UNROLL
            const Word other = now[i ^ bit];
            next[i] = replaced && one != ((i & bit) != 0) ? other : now[i];
        }
        for (int i = 0; i < kRow; i++) {
#pragma HLS UNROLL
            now[i] = next[i];
        }
    }
    for (int i = 0; i < kRow; i++) {
#pragma HLS UNROLL
        to[i] = now[i];
    }
}

// Four lanes' sums, of whole outputs, as eight words.
inline void put_together(const LaneSums lanes[kBeat / 2], const bool real[kBeat / 2],
                         Sum words[kBeat]) {
#pragma HLS INLINE
    for (int i = 0; i < kBeat / 2; i++) {
#pragma HLS UNROLL
        const LaneSums &s = lanes[i];
        words[2 * i] = s.re - (real[i] ? static_cast<Sum>(0) : s.im);
        words[2 * i + 1] = real[i] ? s.im : static_cast<Sum>(s.both - s.re - s.im);
    }
}

struct SendState {
    uint8_t sent;  // beats of the sums that are held; kRowBeats: none is held
};

inline SendState next_send(const SendState &s, bool keep) {
#pragma HLS INLINE
    return SendState{static_cast<uint8_t>(keep ? 0 : s.sent == kRowBeats ? s.sent : s.sent + 1)};
}

inline void product(const LanesJob job, const Word weights[kWeightRows][kRow],
                    Word spectra[kSpectraRows][kRow], LaneCommandStream &commands, RowStream &in,
                    CountedStream &counted, SumStream &out, Count &count) {
    count.trips = count.saturations = 0;
    if (!job.spectral) return;
#pragma HLS DEPENDENCE variable = spectra inter RAW distance = CIRCNN_LATENCY_SPECTRA true
    LaneSums sums[kLanes], held[kLanes];
    bool real[kLanes];  // of the sums that are held
#pragma HLS ARRAY_PARTITION variable = sums complete
#pragma HLS ARRAY_PARTITION variable = held complete
#pragma HLS ARRAY_PARTITION variable = real complete
    SendState s = {kRowBeats};
    uint32_t trips = 0;
    for (int i = 0; i < kLanes; i++) {
#pragma HLS UNROLL
        sums[i] = held[i] = LaneSums{0, 0, 0};
        real[i] = false;
    }
    CIRCNN_LOOP("product");
product:
    for (uint32_t trip = 0; trip < kMaxTrips; trip++) {
#pragma HLS PIPELINE II = 1
        CIRCNN_TRIP();
        trips++;
        const LaneCommand c = commands.read();
        // send sums
        if (s.sent != kRowBeats) {
            SumBeat beat;
            beat.counted = counted.read();
            LaneSums chosen[kBeat / 2];
            bool chosen_real[kBeat / 2];
            for (int i = 0; i < kBeat / 2; i++) {
#pragma HLS UNROLL
                chosen[i] = held[s.sent * (kBeat / 2) + i];
                chosen_real[i] = real[s.sent * (kBeat / 2) + i];
            }
            put_together(chosen, chosen_real, beat.w);
            out.write(beat);
        }
        s = next_send(s, c.keep);
        // multiply and accumulate
        Word row[kRow], x[kRow];
        if (c.multiply) {
            CIRCNN_READS(spectra, c.spectra_row, kSpectra);
            CIRCNN_READS(weights, c.weights_row, kWeights);
        }
        for (int i = 0; i < kRow; i++) {
#pragma HLS UNROLL
            row[i] = c.multiply ? spectra[c.spectra_row][i] : static_cast<Word>(0);
        }
        spread(job, c.side, row, x);
    lanes:
        for (int i = 0; i < kLanes; i++) {
#pragma HLS UNROLL
            const Word w_re = c.multiply ? weights[c.weights_row][2 * i] : static_cast<Word>(0);
            const Word w_im = c.multiply ? weights[c.weights_row][2 * i + 1] : static_cast<Word>(0);
            sums[i] = lane(w_re, w_im, x[2 * i], x[2 * i + 1], c.clear, sums[i]);
            if (c.keep) {
                held[i] = sums[i];
                real[i] = real_lane(i, job.block_log2, c.first_chunk);
            }
        }
        // accept a row
        if (c.accept) {
            const SpectraRow fresh = in.read();
            CIRCNN_WRITES(spectra, c.write_row, kSpectra);
            for (int i = 0; i < kRow; i++) {
#pragma HLS UNROLL
                spectra[c.write_row][i] = fresh.w[i];
            }
        }
        if (c.ends) break;
    }
    count.trips = trips;
}

#endif
