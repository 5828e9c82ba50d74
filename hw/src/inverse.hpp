// The inverse transform: sums of products in, real values out.
//
// The mirror image of the forward transform: sums are shifted to 16 bits as they are loaded, the
// first pass merges the half spectra and does stages 0 and 1, each pass after it one stage.  The
// points come in bit-reversed order; 2j and 2j + 1 go to j and j + P/2, which brings them into
// natural order, block number under point number.
#ifndef CIRCNN_INVERSE_HPP
#define CIRCNN_INVERSE_HPP

#include "results.hpp"
#include "transform.hpp"

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

// The memories: loaded points in plain rows; points being computed and points to be sent with their
// quarters skewed.
struct InverseMemory {
    Points loaded, work, ready;
};

inline void merge_pass(const Layer &layer, int32_t trip, const Points &loaded, int32_t from,
                       Points &target, int32_t to, int32_t beats, uint32_t &count) {
    const int log2 = layer.d.block_log2;
    const int32_t points = log2 == 0 ? 1 : 1 << (log2 - 1);
    const TripRows rows = trip_rows(trip, points);
    Point x[kTripPoints];
    read_halves(loaded, from, rows.low, rows.high, x);
    for (int i = 0; i < kTripPoints; i++) {
#pragma HLS UNROLL
        // saturations of a point that was not loaded in this batch are not counted
        x[i].counted = x[i].counted && trip_point(rows, i) / (kBeat / 2) < beats;
    }
    if (log2 > 0) {
        for (int i = 0; i < kButterflies; i++) {
#pragma HLS UNROLL
            const Pair pair = trip_pair(rows, i, points);
            merge_pair(layer, x[pair.even], x[pair.odd], trip_point(rows, pair.even), count);
        }
    }
    if (log2 > 1) {
        for (int group = 0; group < kTripPoints; group += 4) {
#pragma HLS UNROLL
            two_stages(layer, x + group, count);
        }
    }
    const int stages = log2 > 2 ? 2 : log2 > 1 ? 1 : 0;
    int32_t at[kTripPoints], bank[kTripPoints];
    for (int i = 0; i < kTripPoints; i++) {
#pragma HLS UNROLL
        const int32_t p = trip_point(rows, i);
        at[i] = (p >> stages) | ((p & ((1 << stages) - 1)) << (layer.points_log2 - stages));
        bank[i] = quarter_bank(at[i], layer.points_log2);
    }
    scatter(target, to, at, bank, x);
}

// Writes two half rows, each to the half of the banks that the skew of its quarter requires.
inline void inverse_stage(const Layer &layer, int32_t trip, int stage, const Points &work,
                          int32_t from, Points &target, int32_t to, uint32_t &count) {
    const int32_t between = (1 << (layer.points_log2 - 1)) / kTripPoints;  // rows
    const int shift = (layer.d.inverse_shifts >> (stage + 1)) & 1;
    Point x[kTripPoints], high[kButterflies], low[kButterflies];
    read_row(work, from, trip, quarter_bank(trip * kTripPoints, layer.points_log2), x);
    for (int i = 0; i < kButterflies; i++) {
#pragma HLS UNROLL
        const int32_t j = (trip * kTripPoints + 2 * i) >> (layer.points_log2 - stage);
        butterfly(x[2 * i], x[2 * i + 1], j * (kMaxPoints >> stage), true, shift, high[i], low[i],
                  count);
    }
    const int32_t first = quarter_bank(trip * kButterflies, layer.points_log2);
    for (int b = 0; b < kPointBanks; b++) {
#pragma HLS UNROLL
        const int32_t i = (b - first) & (kPointBanks - 1);
        const bool sums = i < kButterflies;
        target.bank[b][point_row(to, trip / 2 + (sums ? 0 : between))] =
            sums ? high[i % kButterflies] : low[i % kButterflies];
    }
}

inline void inverse_trip(const Layer &layer, const Passes &p, int32_t batch, int32_t beats,
                         InverseMemory &memory, uint32_t &count) {
    const bool last = p.pass == layer.passes - 1;
    const int32_t from = (p.pass + 1) % 2;  // the half of the work memory that pass - 1 wrote
    Points &target = last ? memory.ready : memory.work;
    const int32_t to = last ? batch : 1 - from;
    if (p.pass == 0)
        merge_pass(layer, p.trip, memory.loaded, batch, target, to, beats, count);
    else
        inverse_stage(layer, p.trip, p.pass + 1, memory.work, from, target, to, count);
}

// -- the unit -----------------------------------------------------------------------------------

inline void store_sums(const Layer &layer, const SumBeat &beat, int32_t at, int32_t batch,
                       Points &loaded, uint32_t &count) {
    Word w[kBeat];
    for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
        uint32_t limited = 0;
        w[i] = saturate64(round_shift64(beat.w[i], layer.d.accumulate_shift), limited);
        count += i < beat.counted ? limited : 0u;
    }
    const int32_t first = at * (kBeat / 2);
    for (int b = 0; b < kPointBanks; b++) {
#pragma HLS UNROLL
        const int32_t i = (b - first) & (kPointBanks - 1);
        if (i < kBeat / 2)
            loaded.bank[b][point_row(batch, first / kPointBanks)] =
                Point{w[2 * i % kBeat], w[(2 * i + 1) % kBeat], 2 * i + 1 < beat.counted};
    }
}

inline void send_values(const Layer &layer, const Points &ready, int32_t batch, int32_t beat_at,
                        ValueStream &out) {
    const int log2_points = layer.d.block_log2 > 0 ? layer.d.block_log2 - 1 : 0;
    const int32_t blocks_log2 = layer.points_log2 - log2_points;
    int32_t at[kBeat / 2], bank[kBeat / 2];
    for (int i = 0; i < kBeat / 2; i++) {
#pragma HLS UNROLL
        const int32_t p = beat_at * (kBeat / 2) + i;
        const int32_t block = p >> log2_points, n = p & ((1 << log2_points) - 1);
        at[i] = (n << blocks_log2) + block;
        bank[i] = quarter_bank(at[i], layer.points_log2);
    }
    Point x[kBeat / 2];
    gather<kBeat / 2>(ready, batch, at, bank, x);
    ValueBeat beat;
    for (int i = 0; i < kBeat / 2; i++) {
#pragma HLS UNROLL
        beat.w[2 * i] = x[i].re;
        beat.w[2 * i + 1] = x[i].im;
    }
    out.write(beat);
}

// Beats of the next batch: the last is the shortest possible, since nothing hides its latency.
inline int32_t next_batch(uint32_t left, int32_t batch_beats, int32_t shortest) {
    const uint32_t before = left > static_cast<uint32_t>(shortest)
                                ? left - static_cast<uint32_t>(shortest)
                                : left;
    return before < static_cast<uint32_t>(batch_beats) ? static_cast<int32_t>(before) : batch_beats;
}

inline void inverse_transform(const Layer &layer, const Batch &batch, SumStream &in,
                              ValueStream &out, Count &count) {
    if (!traits_of(layer).spectral) return;
    InverseMemory memory = {};
#pragma HLS ARRAY_PARTITION variable = memory.loaded.bank complete dim = 1
#pragma HLS ARRAY_PARTITION variable = memory.work.bank complete dim = 1
#pragma HLS ARRAY_PARTITION variable = memory.ready.bank complete dim = 1
#pragma HLS BIND_STORAGE variable = memory.loaded.bank type = ram_1wnr impl = lutram
#pragma HLS BIND_STORAGE variable = memory.work.bank type = ram_1wnr impl = lutram
#pragma HLS BIND_STORAGE variable = memory.ready.bank type = ram_1wnr impl = lutram
#pragma HLS DEPENDENCE variable = memory.work.bank inter false
    const int32_t batch_beats = (1 << layer.points_log2) / (kBeat / 2);
    uint32_t left = result_beats(layer, batch.samples);
    int32_t beats[3] = {0, 0, 0};  // of the batches loaded, computed and sent
batches:
    for (uint32_t number = 0; number < kMaxTrips; number++) {
        // halves of the memories: the computed batch uses the other one than its neighbours
        const int32_t here = static_cast<int32_t>(number % 2), other = 1 - here;
        const int32_t wanted = next_batch(left, batch_beats, layer.chunks * kRowBeats);
        Passes passes = {0, 0, beats[1] > 0};
        int32_t sent = 0;
        beats[0] = 0;
    inverse:
        for (uint32_t trip = 0; trip < kMaxTrips; trip++) {
#pragma HLS PIPELINE II = 1
            if (beats[0] == wanted && !passes.busy && sent == beats[2]) break;
            count.trips++;
            if (beats[0] < wanted) {
                store_sums(layer, in.read(), beats[0], here, memory.loaded, count.saturations);
                beats[0]++;
            }
            if (passes.busy) {
                inverse_trip(layer, passes, other, beats[1], memory, count.saturations);
                advance(layer, passes);
            }
            if (sent < beats[2]) {
                send_values(layer, memory.ready, here, sent, out);
                sent++;
            }
        }
        left -= static_cast<uint32_t>(beats[0]);
        beats[2] = beats[1];
        beats[1] = beats[0];
        if (left == 0 && beats[1] == 0 && beats[2] == 0) break;
    }
}

#endif
