// The inverse transform: sums of products in, real values out.
//
// The mirror image of the forward transform: sums are shifted to 16 bits as they are loaded, the
// first pass merges the half spectra and does stages 0 and 1, each pass after it one stage.  The
// points come in bit-reversed order; 2j and 2j + 1 go to j and j + P/2, which brings them into
// natural order, block number under point number.
#ifndef CIRCNN_INVERSE_HPP
#define CIRCNN_INVERSE_HPP

#include "forward.hpp"

inline void merge_zero(Point &x, int shift) {
    const int32_t re = (x.re + x.im + 1) >> 1, im = (x.re - x.im) >> 1;
    x.re = static_cast<Word>((re + shift) >> shift);
    x.im = static_cast<Word>((im + shift) >> shift);
}

inline void merge(Point &x, Point &c, int m, int shift, uint32_t &count) {
    const Point e = {static_cast<Word>((x.re + c.re + 1) >> 1),
                     static_cast<Word>((x.im - c.im + 1) >> 1), x.counted};
    const Point difference = {static_cast<Word>((x.re - c.re) >> 1),
                              static_cast<Word>((x.im + c.im) >> 1), x.counted};
    const Point o = rotate(difference, m, true, count);
    const Point t = {static_cast<Word>(-o.im), o.re, x.counted};  // i O
    Point low;
    butterfly(e, t, 0, false, shift, x, low, count);
    c.re = low.re;
    c.im = static_cast<Word>(-low.im);
}

inline void merge_pair(const Layer &layer, Point &even, Point &odd, int32_t slot, uint32_t &count) {
    const int log2 = layer.d.block_log2;
    const int32_t points = 1 << (log2 - 1);
    const int shift = layer.d.inverse_shifts & 1;
    const int32_t r = slot & (points - 1);
    if (r == 0) {
        merge_zero(even, shift);
        if (points == 1)
            merge_zero(odd, shift);
        else
            middle(odd, shift);
    } else {
        const int32_t m = reverse_bits(r, log2 - 1);
        merge(even, odd, m * (kMaxPoints / points), shift, count);
    }
}

// Stages 0 and 1 on four neighbours; only stage 0 for blocks of two points.
inline void two_stages(const Layer &layer, Point x[4], uint32_t &count) {
    const int first = (layer.d.inverse_shifts >> 1) & 1, second = (layer.d.inverse_shifts >> 2) & 1;
    Point y[4];
    butterfly(x[0], x[1], 0, true, first, y[0], y[1], count);
    butterfly(x[2], x[3], 0, true, first, y[2], y[3], count);
    if (layer.d.block_log2 == 2) {
        for (int i = 0; i < 4; i++) {
#pragma HLS UNROLL
            x[i] = y[i];
        }
        return;
    }
    butterfly(y[0], y[2], 0, true, second, x[0], x[2], count);
    butterfly(y[1], y[3], kMaxBlock / 4, true, second, x[1], x[3], count);
}

// Positions of a trip's sixteen points: half a row and half of its mirror image.
inline int32_t position_at(const Layer &layer, int32_t trip, int32_t index) {
    const int32_t points = layer.d.block_log2 == 0 ? 1 : 1 << (layer.d.block_log2 - 1);
    const int32_t block_rows = points > kTripPoints ? points / kTripPoints : 1;
    const int32_t row = trip % block_rows;
    if (row == 0 || index < kTripPoints / 2) return trip * kTripPoints + index;
    return (trip - row + mirror_row(row)) * kTripPoints + index;
}

inline void merge_pass(const Layer &layer, int32_t trip, const Point from[kMaxPoints],
                       Point to[kMaxPoints], uint32_t &count) {
    const int log2 = layer.d.block_log2;
    const int32_t points = log2 == 0 ? 1 : 1 << (log2 - 1);
    Point x[kTripPoints];
    for (int i = 0; i < kTripPoints; i++) {
#pragma HLS UNROLL
        x[i] = from[position_at(layer, trip, i)];
    }
    const bool mirrored = points > kTripPoints && trip % (points / kTripPoints) != 0;
    if (log2 > 0) {
        for (int i = 0; i < kButterflies; i++) {
#pragma HLS UNROLL
            // within the sixteen, half rows go together as i and 15 - i
            Pair pair = points == 1 ? Pair{2 * i, 2 * i + 1} : pair_of(i, points);
            if (mirrored) pair = i % 2 == 0 ? Pair{i, 15 - i} : Pair{15 - i, i};
            merge_pair(layer, x[pair.even], x[pair.odd],
                       position_at(layer, trip, pair.even), count);
        }
    }
    if (log2 > 1) {
        for (int group = 0; group < kTripPoints; group += 4) {
#pragma HLS UNROLL
            two_stages(layer, x + group, count);
        }
    }
    const int stages = log2 > 2 ? 2 : log2 > 1 ? 1 : 0;
    for (int i = 0; i < kTripPoints; i++) {
#pragma HLS UNROLL
        const int32_t p = position_at(layer, trip, i);
        to[(p >> stages) | ((p & ((1 << stages) - 1)) << (layer.points_log2 - stages))] = x[i];
    }
}

inline void inverse_stage(const Layer &layer, int32_t trip, int stage, const Point from[kMaxPoints],
                          Point to[kMaxPoints], uint32_t &count) {
    const int32_t half = 1 << (layer.points_log2 - 1);
    const int shift = (layer.d.inverse_shifts >> (stage + 1)) & 1;
    for (int i = 0; i < kButterflies; i++) {
#pragma HLS UNROLL
        const int32_t q = trip * kButterflies + i;
        const int32_t j = (2 * q) >> (layer.points_log2 - stage);
        butterfly(from[2 * q], from[2 * q + 1], j * (kMaxPoints >> stage), true, shift, to[q],
                  to[q + half], count);
    }
}

inline void inverse_trip(const Layer &layer, int pass, int32_t trip, const Point from[kMaxPoints],
                         Point to[kMaxPoints], uint32_t &count) {
    if (pass == 0)
        merge_pass(layer, trip, from, to, count);
    else
        inverse_stage(layer, trip, pass + 1, from, to, count);
}

// -- the unit -----------------------------------------------------------------------------------

inline void store_sums(const Layer &layer, const SumBeat &beat, int32_t at,
                       Point loaded[kMaxPoints], uint32_t &count) {
    Word w[kBeat];
    for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
        uint32_t limited = 0;
        w[i] = saturate64(round_shift64(beat.w[i], layer.d.accumulate_shift), limited);
        count += i < beat.counted ? limited : 0u;
    }
    for (int i = 0; i < kBeat / 2; i++) {
#pragma HLS UNROLL
        loaded[at * (kBeat / 2) + i] = Point{w[2 * i], w[2 * i + 1], 2 * i + 1 < beat.counted};
    }
}

inline void send_values(const Layer &layer, const Point ready[kMaxPoints], int32_t at,
                        ValueStream &out) {
    const int log2_points = layer.d.block_log2 > 0 ? layer.d.block_log2 - 1 : 0;
    const int32_t blocks_log2 = layer.points_log2 - log2_points;
    ValueBeat beat;
    for (int i = 0; i < kBeat / 2; i++) {
#pragma HLS UNROLL
        const int32_t p = at * (kBeat / 2) + i;
        const int32_t block = p >> log2_points, n = p & ((1 << log2_points) - 1);
        const Point point = ready[(n << blocks_log2) + block];
        beat.w[2 * i] = point.re;
        beat.w[2 * i + 1] = point.im;
    }
    out.write(beat);
}

// Beats that the product sends for all samples of the batch.
inline uint32_t sum_beats(const Layer &layer, int32_t samples) {
    const int32_t outputs = layer.d.out_height * layer.strip * layer.row_groups * layer.chunks;
    return static_cast<uint32_t>(sample_groups(layer, samples)) *
           static_cast<uint32_t>(outputs * kRowBeats);
}

// Beats of the next batch: the last is the shortest possible, since nothing hides its latency.
inline int32_t next_batch(uint32_t left, int32_t batch_beats, int32_t shortest) {
    const uint32_t before = left > static_cast<uint32_t>(shortest)
                                ? left - static_cast<uint32_t>(shortest)
                                : left;
    return before < static_cast<uint32_t>(batch_beats) ? static_cast<int32_t>(before)
                                                       : batch_beats;
}

inline void inverse_transform(const Layer &layer, const Batch &batch, SumStream &in,
                              ValueStream &out, Count &count) {
    if (layer.d.opcode != CIRCNN_OP_MATRIX) return;
    Point buffers[4][kMaxPoints] = {};
#pragma HLS ARRAY_PARTITION variable = buffers complete dim = 0
    const int32_t batch_beats = (1 << layer.points_log2) / (kBeat / 2);
    uint32_t left = sum_beats(layer, batch.samples);
    int32_t beats[3] = {0, 0, 0};  // of the batches loaded, worked on and sent
    int loaded = 0, from = 1, to = 2, ready = 3;
batches:
    for (uint32_t number = 0; number < kMaxTrips; number++) {
        const int32_t wanted = next_batch(left, batch_beats, layer.chunks * kRowBeats);
        Passes passes = {0, 0, beats[1] > 0};
        int32_t sent = 0;
        beats[0] = 0;
        for (int i = 0; i < kMaxPoints; i++) {
#pragma HLS UNROLL
            buffers[loaded][i].counted = false;
        }
    inverse:
        for (uint32_t trip = 0; trip < kMaxTrips; trip++) {
#pragma HLS PIPELINE II = 1
            if (beats[0] == wanted && !passes.busy && sent == beats[2]) break;
            count.trips++;
            if (beats[0] < wanted) {
                store_sums(layer, in.read(), beats[0], buffers[loaded], count.saturations);
                beats[0]++;
            }
            if (passes.busy) {
                const bool last_pass = passes.pass == layer.passes - 1;
                inverse_trip(layer, passes.pass, passes.trip, buffers[from], buffers[to],
                             count.saturations);
                advance(layer, passes);
                if (passes.trip == 0 && !last_pass) {
                    const int other = from;
                    from = to;
                    to = other;
                }
            }
            if (sent < beats[2]) {
                send_values(layer, buffers[ready], sent, out);
                sent++;
            }
        }
        const int free = ready;
        ready = to;
        to = from;
        from = loaded;
        loaded = free;
        left -= static_cast<uint32_t>(beats[0]);
        beats[2] = beats[1];
        beats[1] = beats[0];
        if (left == 0 && beats[1] == 0 && beats[2] == 0) break;
    }
}

#endif
