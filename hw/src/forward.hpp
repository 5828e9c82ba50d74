// The forward transform: blocks in, rows of packed half spectra out.
//
// A batch of 64 points (128 for k = 256) is worked on in passes of 16 points a trip: stages 0 to 2
// in the first pass, one stage a pass after it, the split last; for k <= 8 all in one pass.  The
// passes have Pease's constant geometry: points j and j + P/2 go to 2j and 2j + 1, so that after
// all stages a block's slots lie in bit-reversed order, which is the order of the spectra and of
// the weights in the engine.  While a batch is computed the next one is loaded and the last one
// sent on; a pass has at least four trips, which is what a butterfly may take.
#ifndef CIRCNN_FORWARD_HPP
#define CIRCNN_FORWARD_HPP

#include "types.hpp"

inline int32_t reverse_bits(int32_t value, int bits) {
    int32_t v = value;  // of at most 8 bits
    v = ((v & 0x55) << 1) | ((v >> 1) & 0x55);
    v = ((v & 0x33) << 2) | ((v >> 2) & 0x33);
    v = ((v & 0x0F) << 4) | ((v >> 4) & 0x0F);
    return v >> (8 - bits);
}

// Twiddle of a butterfly of stage s, in steps of the table's circle, from the sums and
// differences (r0 is the highest of s bits) that led there.
inline int32_t twiddle_of(int32_t path, int stage) {
    const int32_t j = stage == 0 ? 0 : reverse_bits(path & ((1 << stage) - 1), stage);
    return j * (kMaxPoints >> stage);
}

// Three stages at once on points that lie an eighth of the block apart; in Pease's order.
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

// The stages of blocks of at most four points, each within its own points.
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

// Which two slots of sixteen the split and the merge take together: in bit-reversed order bin m
// and its mirror image N - m lie mirrored in their octave.  The first of each pair is even.
struct Pair {
    int32_t even, odd;
};

inline Pair pair_of(int32_t index, int32_t points) {
    const int32_t p2 = points < 16 ? points : 16;
    const int32_t block = index / (p2 / 2) * p2, i = index % (p2 / 2);
    // octaves of the first row: {0, 1}, {2, 3}, {4, 7}, {6, 5}, {8, 15}, {10, 13}, ...
    if (i == 0) return Pair{block, block + 1};
    if (i == 1) return Pair{block + 2, block + 3};
    if (i < 4) return Pair{block + 2 * i, block + 11 - 2 * i};
    return Pair{block + 2 * i, block + 23 - 2 * i};
}

// The same for a row of sixteen that is not a block's first: its lower half goes with the upper
// half of the row that mirrors it.
inline int32_t mirror_row(int32_t row) {
    int32_t octave = 1;
octave:
    for (int step = 0; step < 3; step++) {
#pragma HLS UNROLL
        if (2 * octave <= row) octave *= 2;
    }
    return 3 * octave - 1 - row;
}

// Absolute positions of the pair `index` (0 to 7) of a trip over blocks of `points` points.
inline Pair pair_at(int32_t trip, int32_t index, int32_t points) {
    const int32_t base = trip * kTripPoints;
    const int32_t block_rows = points > kTripPoints ? points / kTripPoints : 1;
    const int32_t row = trip % block_rows;
    if (row == 0) {
        const Pair p = pair_of(index, points);
        return Pair{base + p.even, base + p.odd};
    }
    const int32_t other = (trip - row + mirror_row(row)) * kTripPoints;
    return index % 2 == 0 ? Pair{base + index, other + 15 - index}
                          : Pair{other + 15 - index, base + index};
}

// Slot 0: two real numbers.
inline void split_zero(Point &z, int shift, uint32_t &count) {
    uint32_t limited = 0;
    const Word re = sum(z.re, z.im, shift, limited), im = difference(z.re, z.im, shift, limited);
    z.re = re;
    z.im = im;
    count += z.counted ? limited : 0u;
}

// The middle bin is its own mirror image: it is only conjugated and shifted.
inline void middle(Point &z, int shift) {
    z.re = static_cast<Word>((z.re + shift) >> shift);
    z.im = static_cast<Word>((-z.im + shift) >> shift);
}

// E = (Z[m] + conj Z[N-m]) / 2 and O = -i (Z[m] - conj Z[N-m]) / 2 never leave 16 bits.
inline void split(Point &z, Point &c, int m, int shift, uint32_t &count) {
    const Point e = {static_cast<Word>((z.re + c.re + 1) >> 1),
                     static_cast<Word>((z.im - c.im + 1) >> 1), z.counted};
    const Point o = {static_cast<Word>((z.im + c.im) >> 1),
                     static_cast<Word>((c.re - z.re) >> 1), z.counted};
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

inline void first_pass(const Layer &layer, int32_t trip, const Point from[kMaxPoints],
                       Point to[kMaxPoints], uint32_t &count) {
    const int log2_points = layer.d.block_log2 - 1;
    const int32_t blocks_log2 = layer.points_log2 - log2_points;
    const int32_t apart = (1 << layer.points_log2) / 8;
    for (int half = 0; half < 2; half++) {
#pragma HLS UNROLL
        const int32_t at = 2 * trip + half;
        Point x[8];
        for (int i = 0; i < 8; i++) {
#pragma HLS UNROLL
            const int32_t p = at + i * apart;  // point number over block number
            const int32_t block = p & ((1 << blocks_log2) - 1), n = p >> blocks_log2;
            x[i] = from[(block << log2_points) + n];
        }
        three_stages(layer, x, count);
        for (int i = 0; i < 8; i++) {
#pragma HLS UNROLL
            to[8 * at + i] = x[i];
        }
    }
}

inline void stage_pass(const Layer &layer, int32_t trip, int stage, const Point from[kMaxPoints],
                       Point to[kMaxPoints], uint32_t &count) {
    const int32_t half = 1 << (layer.points_log2 - 1);
    const int shift = (layer.d.forward_shifts >> stage) & 1;
    for (int i = 0; i < kButterflies; i++) {
#pragma HLS UNROLL
        const int32_t j = trip * kButterflies + i;
        butterfly(from[j], from[j + half], twiddle_of(j, stage), false, shift, to[2 * j],
                  to[2 * j + 1], count);
    }
}

inline void split_trip(const Layer &layer, int32_t trip, const Point *from, Point *to,
                       uint32_t &count) {
    const int32_t points = 1 << (layer.d.block_log2 - 1);
    for (int i = 0; i < kButterflies; i++) {
#pragma HLS UNROLL
        const Pair pair = points == 1
                              ? Pair{trip * kTripPoints + 2 * i, trip * kTripPoints + 2 * i + 1}
                              : pair_at(trip, i, points);
        Point even = from[pair.even], odd = from[pair.odd];
        split_pair(layer, even, odd, pair.even, count);
        to[pair.even] = even;
        to[pair.odd] = odd;
    }
}

// Blocks of at most eight samples, or of one, which is its own spectrum.
inline void small_pass(const Layer &layer, int32_t trip, const Point from[kMaxPoints],
                       Point to[kMaxPoints], uint32_t &count) {
    const int log2_points = layer.d.block_log2 - 1;
    const int32_t base = trip * kTripPoints;
    Point x[kTripPoints];
    for (int i = 0; i < kTripPoints; i++) {
#pragma HLS UNROLL
        x[i] = from[base + i];
    }
    if (log2_points > 0) {
        for (int group = 0; group < kTripPoints; group += 4) {
#pragma HLS UNROLL
            small_stages(layer, x + group, log2_points, count);
        }
    }
    if (log2_points >= 0) split_trip(layer, 0, x, x, count);
    for (int i = 0; i < kTripPoints; i++) {
#pragma HLS UNROLL
        to[base + i] = x[i];
    }
}

inline void forward_trip(const Layer &layer, int pass, int32_t trip, const Point from[kMaxPoints],
                         Point to[kMaxPoints], uint32_t &count) {
    if (layer.d.block_log2 <= 3)
        small_pass(layer, trip, from, to, count);
    else if (pass == layer.passes - 1)
        split_trip(layer, trip, from, to, count);
    else if (pass == 0)
        first_pass(layer, trip, from, to, count);
    else
        stage_pass(layer, trip, pass + 2, from, to, count);
}

// -- the unit -----------------------------------------------------------------------------------

struct Passes {
    int32_t pass, trip;
    bool busy;
};

// Step through passes of P/16 trips each.
inline void advance(const Layer &layer, Passes &p) {
    if (++p.trip < (1 << layer.points_log2) / kTripPoints) return;
    p.trip = 0;
    p.busy = ++p.pass < layer.passes;
}

inline void store_block(const BlockBeat &beat, Point loaded[kMaxPoints]) {
    for (int i = 0; i < kBanks / 2; i++) {
#pragma HLS UNROLL
        if (i < kBeat / 2 || beat.wide)
            loaded[beat.position * (kBeat / 2) + i] =
                Point{beat.w[2 * i], beat.w[2 * i + 1], beat.counted};
    }
}

inline void send_row(const Point ready[kMaxPoints], int32_t row, RowStream &out) {
    SpectraRow spectra;
    for (int i = 0; i < kRow / 2; i++) {
#pragma HLS UNROLL
        spectra.w[2 * i] = ready[row * (kRow / 2) + i].re;
        spectra.w[2 * i + 1] = ready[row * (kRow / 2) + i].im;
    }
    out.write(spectra);
}

inline void forward_transform(const Layer &layer, BlockStream &in, RowStream &out, Count &count) {
    if (layer.d.opcode != CIRCNN_OP_MATRIX) return;
    // four buffers that change their parts: one is loaded, two are worked on, one is sent
    Point buffers[4][kMaxPoints] = {};
#pragma HLS ARRAY_PARTITION variable = buffers complete dim = 0
    bool kept[3][kMaxBatchRows] = {};
    int32_t rows[3] = {0, 0, 0};  // of the batches loaded, worked on and sent
    int loaded = 0, from = 1, to = 2, ready = 3;
    bool last_loaded = false;
batches:
    for (uint32_t batch = 0; batch < kMaxTrips; batch++) {
        bool loading = !last_loaded;
        Passes passes = {0, 0, rows[1] > 0};
        int32_t sent = 0;
        rows[0] = 0;
        for (int i = 0; i < kMaxBatchRows; i++) {
#pragma HLS UNROLL
            kept[0][i] = false;
        }
        for (int i = 0; i < kMaxPoints; i++) {
#pragma HLS UNROLL
            buffers[loaded][i].counted = false;
        }
    forward:
        for (uint32_t trip = 0; trip < kMaxTrips; trip++) {
#pragma HLS PIPELINE II = 1
            if (!loading && !passes.busy && sent == rows[2]) break;
            count.trips++;
            if (loading) {
                const BlockBeat beat = in.read();
                store_block(beat, buffers[loaded]);
                const int32_t row = (beat.position + (beat.wide ? 1 : 0)) / kRowBeats;
                kept[0][row] = beat.kept;
                loading = !beat.batch_last;
                last_loaded = beat.layer_last;
                rows[0] = row + 1;
            }
            if (passes.busy) {
                const bool last_pass = passes.pass == layer.passes - 1;
                forward_trip(layer, passes.pass, passes.trip, buffers[from], buffers[to],
                             count.saturations);
                advance(layer, passes);
                if (passes.trip == 0 && !last_pass) {
                    const int other = from;  // what was written is read in the next pass
                    from = to;
                    to = other;
                }
            }
            if (sent < rows[2]) {
                if (kept[2][sent]) send_row(buffers[ready], sent, out);
                sent++;
            }
        }
        // loaded -> from -> to -> ready
        const int free = ready;
        ready = to;
        to = from;
        from = loaded;
        loaded = free;
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
