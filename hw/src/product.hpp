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

// Three sums of products, each in the accumulator of one DSP slice, which adds before it multiplies:
// those of x_re (w_re + w_im), w_re (x_im - x_re) and w_im (x_im + x_re).  The complex product is
// put together once an output.  Two real products are the first and the last, with one word each.
struct LaneSums {
    Sum both, up, down;
};

struct LanesJob {
    uint8_t block_log2;
    uint16_t side_mask;   // bits of a word's position that count the blocks of a place
    uint8_t shift;  // of a sum, to a word
    bool spectral;
};

inline LanesJob lanes_job(bool spectral, const int32_t numbers[kNumbers]) {
    LanesJob j;
    j.spectral = spectral;
    j.block_log2 = to_uint8(numbers[steps::block_log2]);
    j.side_mask = to_uint16(numbers[steps::side_mask]);
    j.shift = to_uint8(numbers[steps::accumulate_shift]);
    return j;
}

// Lanes that hold two real products: slot 0 of each block, and every one for k = 1.
inline bool real_lane(int lane, uint8_t block_log2, bool first_chunk) {
    const int32_t slots = block_log2 == 0 ? 1 : 1 << (block_log2 - 1);
    return first_chunk && (lane & (slots - 1)) == 0;
}

// A sum has no more terms than the memory has rows of weights.
inline Sum sum_of(int64_t v) {
    const uint64_t left = static_cast<uint64_t>(v) << (64 - kSumBits);
    const int64_t low = static_cast<int64_t>(left) >> (64 - kSumBits);
    CIRCNN_CHECK(low == v, "a sum has more bits than it should in ", "product");
    return static_cast<Sum>(low);
}

inline Sum accumulated(bool clear, Sum sum, int32_t a, Word b) {
#pragma HLS INLINE
    return sum_of((clear ? 0 : static_cast<int64_t>(sum)) + static_cast<int64_t>(a) * b);
}

// One more term; a trip without one adds a product of zeros.
inline LaneSums lane(Word w_re, Word w_im, Word x_re, Word x_im, bool real, bool clear,
                     const LaneSums &sums) {
#pragma HLS INLINE
    const Word no = 0, w_other = real ? no : w_im, x_other = real ? no : x_re;
    LaneSums next;
    next.both = accumulated(clear, sums.both, w_re + w_other, x_re);
    next.up = accumulated(clear, sums.up, x_im - x_re, w_re);
    next.down = accumulated(clear, sums.down, x_im + x_other, w_im);
    return next;
}

// Spread block `block` of each place over all blocks of the place.  The bits of a word's position
// that count blocks follow each other, and go up to the beats at least (share_log2): first the words
// that these bits choose move to where the bits are zero, from the highest on, then the others take
// theirs from there.  Below the beats, a level moves only what the levels above it left at zero.
inline void spread(const LanesJob &job, uint8_t block, const Word from[kRow], Word to[kRow]) {
#pragma HLS INLINE
    const uint32_t chosen = (static_cast<uint32_t>(block) << job.block_log2) & job.side_mask;
    for (int i = 0; i < kRow; i++) {
#pragma HLS UNROLL
        to[i] = from[i];
    }
    for (int level = 0; 1 << level < kRow; level++) {
#pragma HLS UNROLL
        const int bit = (kRow / 2) >> level, above = most(kBeat - 2 * bit, 0);  // bits of a beat
        const bool one = (chosen & bit) != 0;
        for (int i = 0; i < kRow; i++) {
#pragma HLS UNROLL
            if ((i & (bit | above)) == 0) to[i] = one ? to[i | bit] : to[i];
        }
    }
    for (int level = 0; 1 << level < kRow; level++) {
#pragma HLS UNROLL
        const int bit = 1 << level, above = most(kBeat - 2 * bit, 0);
        const bool replaced = (job.side_mask & bit) != 0;
        for (int i = 0; i < kRow; i++) {
#pragma HLS UNROLL
            if ((i & (bit | above)) == bit) to[i] = replaced ? to[i ^ bit] : to[i];
        }
    }
}

// Four lanes' sums, of whole outputs, as eight words.
inline void put_together(const LaneSums lanes[kBeat / 2], const bool real[kBeat / 2],
                         Sum words[kBeat]) {
#pragma HLS INLINE
    for (int i = 0; i < kBeat / 2; i++) {
#pragma HLS UNROLL
        const int64_t both = lanes[i].both, up = lanes[i].up, down = lanes[i].down;
        words[2 * i] = sum_of(both - (real[i] ? 0 : down));
        words[2 * i + 1] = sum_of((real[i] ? 0 : both) + (real[i] ? down : up));
    }
}

// Eight sums become words: those that count, the first ones; the others are zeros.  Returns how many
// were limited.
inline uint8_t sum_words(const Sum sums[kBeat], uint8_t counted, uint8_t shift, Word words[kBeat]) {
#pragma HLS INLINE
    const int64_t above = bits_above(shift);
    bool limits[kBeat];
#pragma HLS ARRAY_PARTITION variable = limits complete
    for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
        const bool counts = i < (counted & 15);
        bool limited;
        const Word word = shift_and_limit(sums[i], shift, above, limited);
        words[i] = counts ? word : static_cast<Word>(0);
        limits[i] = counts && limited;
    }
    return static_cast<uint8_t>(how_many(limits[0], limits[1], limits[2], limits[3]) +
                                how_many(limits[4], limits[5], limits[6], limits[7]));
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
    Word fresh[kRow - kBeat];  // what has arrived of a row of spectra
#pragma HLS ARRAY_PARTITION variable = fresh complete
#pragma HLS ARRAY_PARTITION variable = sums complete
#pragma HLS ARRAY_PARTITION variable = held complete
#pragma HLS ARRAY_PARTITION variable = real complete
    SendState s = {kRowBeats};
    uint32_t trips = 0, saturations = 0;
    for (int i = 0; i < kLanes; i++) {
#pragma HLS UNROLL
        sums[i] = held[i] = LaneSums{0, 0, 0};
        real[i] = false;
    }
    CIRCNN_LOOP("product");
product:
    for (bool ends = false; !ends; trips++) {
#pragma HLS PIPELINE II = 1
        CIRCNN_TRIP();
        const LaneCommand c = commands.read();
        ends = c.ends;
        // send sums
        if (s.sent != kRowBeats) {
            SumBeat beat;
            const uint8_t counts = counted.read();
            LaneSums chosen[kBeat / 2];
            bool chosen_real[kBeat / 2];
            for (int i = 0; i < kBeat / 2; i++) {
#pragma HLS UNROLL
                chosen[i] = held[s.sent * (kBeat / 2) + i];
                chosen_real[i] = real[s.sent * (kBeat / 2) + i];
            }
            Sum whole[kBeat];
            put_together(chosen, chosen_real, whole);
            saturations += sum_words(whole, counts, job.shift, beat.w);
            beat.last = c.ends;
            out.write(beat);
        }
        s = next_send(s, c.keep);
        // multiply and accumulate
        Word row[kRow], x[kRow];
        if (c.multiply) {
            CIRCNN_READS(spectra, c.spectra_row, kSpectra);
            CIRCNN_READS(weights, c.weights_row, kWeights);
        }
        // without use, the first rows: no place outside of the memories is read
        const uint16_t spectra_row = static_cast<uint16_t>(c.multiply ? c.spectra_row : 0);
        const uint16_t weights_row = static_cast<uint16_t>(c.multiply ? c.weights_row : 0);
        for (int i = 0; i < kRow; i++) {
#pragma HLS UNROLL
            row[i] = spectra[spectra_row][i];
        }
        spread(job, c.side, row, x);
        for (int i = 0; i < kRow; i++) {
#pragma HLS UNROLL
            x[i] = c.multiply ? x[i] : static_cast<Word>(0);
        }
    lanes:
        for (int i = 0; i < kLanes; i++) {
#pragma HLS UNROLL
            const Word w_re = weights[weights_row][2 * i], w_im = weights[weights_row][2 * i + 1];
            const bool is_real = real_lane(i, job.block_log2, c.first_chunk);
            sums[i] = lane(w_re, w_im, x[2 * i], x[2 * i + 1], is_real, c.clear, sums[i]);
            if (c.keep) {
                held[i] = sums[i];
                real[i] = is_real;
            }
        }
        // accept eight words; a row is written when its last ones are there
        if (c.accept) {
            const SpectraBeat beat = in.read();
            if (c.write_beat == kRowBeats - 1) {
                CIRCNN_WRITES(spectra, c.write_row, kSpectra);
                for (int i = 0; i < kRow; i++) {
#pragma HLS UNROLL
                    spectra[c.write_row][i] = i < kRow - kBeat ? fresh[i] : beat.w[i % kBeat];
                }
            }
            for (int i = 0; i < kRow - kBeat; i++) {
#pragma HLS UNROLL
                if (i / kBeat == c.write_beat) fresh[i] = beat.w[i % kBeat];
            }
        }
    }
    count.trips = trips;
    count.saturations = saturations;
}

#endif
