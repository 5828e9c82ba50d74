// The forward transform: blocks in, rows of packed half spectra out.
//
// A batch of 64 points (128 for k = 256) is computed in passes of 16 points a trip: stages 0 to 2
// in the first pass, one stage in each later pass, the split last; for k <= 8 all in one pass.  The
// passes have Pease's constant geometry: points j and j + P/2 go to 2j and 2j + 1, so that after
// all stages a block's slots lie in bit-reversed order, which is the order of the spectra and of
// the weights in the engine.  While one batch is computed, the next is loaded and the previous one
// is sent.  A pass has at least four trips, so a butterfly may take four cycles.
#ifndef CIRCNN_FORWARD_HPP
#define CIRCNN_FORWARD_HPP

#include "transform.hpp"

// Three stages at once on points an eighth of the block apart, in Pease's order.
inline void three_stages(const Layer &layer, Point x[8], uint32_t &count) {
three_stages:
    for (int stage = 0; stage < 3; stage++) {
#pragma HLS UNROLL
        const int shift = (layer.d.forward_shifts >> stage) & 1;
        Point y[8];
        for (int q = 0; q < 4; q++) {
#pragma HLS UNROLL
            butterfly(x[q], x[q + 4], twiddle_of(q, stage), false, shift, y[2 * q], y[2 * q + 1],
                      count);
        }
        for (int i = 0; i < 8; i++) {
#pragma HLS UNROLL
            x[i] = y[i];
        }
    }
}

// All stages of blocks of at most four points; a block's points are neighbours.
inline void small_stages(const Layer &layer, Point x[4], int log2_points, uint32_t &count) {
    const int first = layer.d.forward_shifts & 1, second = (layer.d.forward_shifts >> 1) & 1;
    Point y[4];
    if (log2_points == 1) {
        butterfly(x[0], x[1], 0, false, first, y[0], y[1], count);
        butterfly(x[2], x[3], 0, false, first, y[2], y[3], count);
    } else {
        butterfly(x[0], x[2], 0, false, first, y[0], y[2], count);
        butterfly(x[1], x[3], 0, false, first, y[1], y[3], count);
        const Point a = y[0], b = y[1], c = y[2], d = y[3];
        butterfly(a, b, 0, false, second, y[0], y[1], count);
        butterfly(c, d, kMaxBlock / 4, false, second, y[2], y[3], count);
    }
    for (int i = 0; i < 4; i++) {
#pragma HLS UNROLL
        x[i] = y[i];
    }
}

// Slot 0: two real numbers.
inline void split_zero(Point &z, int shift, uint32_t &count) {
    uint32_t limited = 0;
    const Word re = sum(z.re, z.im, shift, limited), im = difference(z.re, z.im, shift, limited);
    z.re = re;
    z.im = im;
    count += z.counted ? limited : 0u;
}

// E = (Z[m] + conj Z[N-m]) / 2 and O = -i (Z[m] - conj Z[N-m]) / 2 never leave 16 bits.
inline void split(Point &z, Point &c, int m, int shift, uint32_t &count) {
    const Point e = {static_cast<Word>((z.re + c.re + 1) >> 1),
                     static_cast<Word>((z.im - c.im + 1) >> 1), z.counted};
    const Point o = {static_cast<Word>((z.im + c.im) >> 1), static_cast<Word>((c.re - z.re) >> 1),
                     z.counted};
    Point low;
    butterfly(e, o, m, false, shift, z, low, count);
    c.re = low.re;
    c.im = static_cast<Word>(-low.im);
}

inline void split_pair(const Layer &layer, Point &even, Point &odd, int32_t slot, uint32_t &count) {
    const int log2 = layer.d.block_log2;
    const int32_t points = 1 << (log2 - 1);
    const int shift = (layer.d.forward_shifts >> (log2 - 1)) & 1;
    const int32_t r = slot & (points - 1);
    if (r == 0) {
        split_zero(even, shift, count);
        if (points == 1)
            split_zero(odd, shift, count);
        else
            middle(odd, shift);
    } else {
        const int32_t m = reverse_bits(r, log2 - 1);
        split(even, odd, m * (kMaxPoints / points), shift, count);
    }
}

// -- passes: each takes sixteen points a trip ---------------------------------------------------

// The memories: loaded points in natural order, skewed; points being computed and points to be sent
// in plain rows.  `batch` selects the half of a memory that a batch uses.
struct ForwardMemory {
    Points loaded, work, ready;
    uint8_t written[2][2 * kMaxPoints / kBeat];  // which beats of a batch were loaded
};

inline void split_trip(const Layer &layer, const TripRows &rows, Point x[kTripPoints],
                       uint32_t &count) {
    const int32_t points = 1 << (layer.d.block_log2 - 1);
    for (int i = 0; i < kButterflies; i++) {
#pragma HLS UNROLL
        const Pair pair = trip_pair(rows, i, points);
        split_pair(layer, x[pair.even], x[pair.odd], trip_point(rows, pair.even), count);
    }
}

// Saturations of a point that was not loaded in this batch are not counted.
inline void drop_unwritten(const ForwardMemory &memory, int32_t batch, int32_t at, Point &x) {
    x.counted = x.counted && memory.written[batch][at / (kBeat / 2)] != 0;
}

inline void first_pass(const Layer &layer, int32_t trip, int32_t batch, ForwardMemory &memory,
                       int32_t to, uint32_t &count) {
    const int log2_points = layer.d.block_log2 - 1;
    const int32_t blocks_log2 = layer.points_log2 - log2_points;
    const int32_t apart = (1 << layer.points_log2) / 8;
    Point row[kTripPoints];
    for (int half = 0; half < 2; half++) {
#pragma HLS UNROLL
        int32_t at[8], bank[8];
        Point x[8];
        for (int i = 0; i < 8; i++) {
#pragma HLS UNROLL
            const int32_t p = 2 * trip + half + i * apart;  // point number over block number
            const int32_t block = p & ((1 << blocks_log2) - 1), n = p >> blocks_log2;
            at[i] = (block << log2_points) + n;
            bank[i] = loaded_bank(at[i]);
        }
        gather<8>(memory.loaded, batch, at, bank, x);
        for (int i = 0; i < 8; i++) {
#pragma HLS UNROLL
            drop_unwritten(memory, batch, at[i], x[i]);
        }
        three_stages(layer, x, count);
        for (int i = 0; i < 8; i++) {
#pragma HLS UNROLL
            row[8 * half + i] = x[i];
        }
    }
    write_row(memory.work, to, trip, row);
}

inline void stage_pass(const Layer &layer, int32_t trip, int stage, Points &work, int32_t from,
                       uint32_t &count) {
    const int32_t between = (1 << (layer.points_log2 - 1)) / kTripPoints;  // rows
    const int32_t low = trip / 2, first = trip % 2 * kHalfRow;
    const int shift = (layer.d.forward_shifts >> stage) & 1;
    Point row[kTripPoints];
    for (int i = 0; i < kButterflies; i++) {
#pragma HLS UNROLL
        const Point a = work.bank[first + i][point_row(from, low)];
        const Point b = work.bank[first + i][point_row(from, low + between)];
        butterfly(a, b, twiddle_of(trip * kButterflies + i, stage), false, shift, row[2 * i],
                  row[2 * i + 1], count);
    }
    write_row(work, 1 - from, trip, row);
}

inline void split_pass(const Layer &layer, int32_t trip, const Points &work, int32_t from,
                       Points &ready, int32_t to, uint32_t &count) {
    const TripRows rows = trip_rows(trip, 1 << (layer.d.block_log2 - 1));
    Point x[kTripPoints];
    read_halves(work, from, rows.low, rows.high, x);
    split_trip(layer, rows, x, count);
    write_halves(ready, to, rows.low, rows.high, x);
}

// Blocks of at most eight samples; a block of one sample is its own spectrum.
inline void small_pass(const Layer &layer, int32_t trip, int32_t batch, ForwardMemory &memory,
                       uint32_t &count) {
    const int log2_points = layer.d.block_log2 - 1;
    Point x[kTripPoints];
    read_row(memory.loaded, batch, trip, 2 * trip, x);
    for (int i = 0; i < kTripPoints; i++) {
#pragma HLS UNROLL
        drop_unwritten(memory, batch, trip * kTripPoints + i, x[i]);
    }
    if (log2_points > 0) {
        for (int group = 0; group < kTripPoints; group += 4) {
#pragma HLS UNROLL
            small_stages(layer, x + group, log2_points, count);
        }
    }
    if (log2_points >= 0) split_trip(layer, TripRows{trip, trip, false}, x, count);
    write_row(memory.ready, batch, trip, x);
}

inline void forward_trip(const Layer &layer, const Passes &p, int32_t batch, ForwardMemory &memory,
                         uint32_t &count) {
    const int32_t from = (p.pass + 1) % 2;  // the half of the work memory that pass - 1 wrote
    if (layer.d.block_log2 <= 3)
        small_pass(layer, p.trip, batch, memory, count);
    else if (p.pass == layer.passes - 1)
        split_pass(layer, p.trip, memory.work, from, memory.ready, batch, count);
    else if (p.pass == 0)
        first_pass(layer, p.trip, batch, memory, 0, count);
    else
        stage_pass(layer, p.trip, p.pass + 2, memory.work, from, count);
}

// -- the unit -----------------------------------------------------------------------------------

// Four or eight points, side by side in one row.
inline void store_block(const BlockBeat &beat, int32_t batch, ForwardMemory &memory) {
    const int32_t first = beat.position * (kBeat / 2);
    const int32_t row = first / kPointBanks, shift = first + 2 * row;
    const int32_t points = beat.wide ? kBeat : kBeat / 2;
    for (int b = 0; b < kPointBanks; b++) {
#pragma HLS UNROLL
        const int32_t i = (b - shift) & (kPointBanks - 1);
        if (i < points)
            memory.loaded.bank[b][point_row(batch, row)] =
                Point{beat.w[2 * (i % kBeat)], beat.w[2 * (i % kBeat) + 1], beat.counted};
    }
    memory.written[batch][beat.position] = 1;
    if (beat.wide) memory.written[batch][beat.position + 1] = 1;
}

inline void send_row(const Points &ready, int32_t batch, int32_t row, RowStream &out) {
    SpectraRow spectra;
    for (int i = 0; i < kRow / 2; i++) {
#pragma HLS UNROLL
        const int32_t at = row * (kRow / 2) + i;
        const Point x = ready.bank[at % kPointBanks][point_row(batch, at / kPointBanks)];
        spectra.w[2 * i] = x.re;
        spectra.w[2 * i + 1] = x.im;
    }
    out.write(spectra);
}

inline void forward_transform(const Layer &layer, BlockStream &in, RowStream &out, Count &count) {
    if (!traits_of(layer).spectral) return;
    ForwardMemory memory = {};
#pragma HLS ARRAY_PARTITION variable = memory.loaded.bank complete dim = 1
#pragma HLS ARRAY_PARTITION variable = memory.work.bank complete dim = 1
#pragma HLS ARRAY_PARTITION variable = memory.ready.bank complete dim = 1
#pragma HLS ARRAY_PARTITION variable = memory.written complete dim = 0
#pragma HLS BIND_STORAGE variable = memory.loaded.bank type = ram_1wnr impl = lutram
#pragma HLS BIND_STORAGE variable = memory.work.bank type = ram_1wnr impl = lutram
#pragma HLS BIND_STORAGE variable = memory.ready.bank type = ram_1wnr impl = lutram
#pragma HLS DEPENDENCE variable = memory.work.bank inter false
    bool kept[3][kMaxBatchRows] = {};
    int32_t rows[3] = {0, 0, 0};  // of the batches loaded, computed and sent
    bool last_loaded = false;
batches:
    for (uint32_t batch = 0; batch < kMaxTrips; batch++) {
        // halves of the memories: the computed batch uses the other one than its neighbours
        const int32_t here = static_cast<int32_t>(batch % 2), other = 1 - here;
        bool loading = !last_loaded;
        Passes passes = {0, 0, rows[1] > 0};
        int32_t sent = 0;
        rows[0] = 0;
        for (int i = 0; i < kMaxBatchRows; i++) {
#pragma HLS UNROLL
            kept[0][i] = false;
        }
        for (int i = 0; i < 2 * kMaxPoints / kBeat; i++) {
#pragma HLS UNROLL
            memory.written[here][i] = 0;
        }
    forward:
        for (uint32_t trip = 0; trip < kMaxTrips; trip++) {
#pragma HLS PIPELINE II = 1
            if (!loading && !passes.busy && sent == rows[2]) break;
            count.trips++;
            if (loading) {
                const BlockBeat beat = in.read();
                store_block(beat, here, memory);
                const int32_t row = (beat.position + (beat.wide ? 1 : 0)) / kRowBeats;
                kept[0][row] = beat.kept;
                loading = !beat.batch_last;
                last_loaded = beat.layer_last;
                rows[0] = row + 1;
            }
            if (passes.busy) {
                forward_trip(layer, passes, other, memory, count.saturations);
                advance(layer, passes);
            }
            if (sent < rows[2]) {
                if (kept[2][sent]) send_row(memory.ready, here, sent, out);
                sent++;
            }
        }
        rows[2] = rows[1];
        rows[1] = rows[0];
        for (int i = 0; i < kMaxBatchRows; i++) {
#pragma HLS UNROLL
            kept[2][i] = kept[1][i];
            kept[1][i] = kept[0][i];
        }
        if (last_loaded && rows[1] == 0 && rows[2] == 0) break;
    }
}

#endif
