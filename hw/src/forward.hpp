// The forward transform: blocks in, rows of packed half spectra out.
//
// One loop loads a batch, computes the one before and sends the one before that.  A batch is
// computed in passes of sixteen points a trip: stages 0 to 2 in the first pass, one stage in each
// later pass, the split last; for k <= 8 all in one pass.  The passes have Pease's constant
// geometry: points j and j + P/2 go to 2j and 2j + 1, so that after all stages a block's slots lie
// in bit-reversed order, which is the order of the spectra and of the weights in the engine.
//
// There is one set of eight butterflies.  Stages 0 and 1 have twiddles 1 and -i alone: adders stand
// in front of the set, which does stage 2 in the first pass, or the split of small blocks.
#ifndef CIRCNN_FORWARD_HPP
#define CIRCNN_FORWARD_HPP

#include "transform.hpp"

constexpr int kForwardLead = 1;  // see next_progress

// -- what a layer asks for, and the state -------------------------------------------------------

struct ForwardJob {
    bool present;  // whether the layer has a transform at all
    bool whole;  // k = 256: a batch has no halves
    bool small;  // k <= 8: one pass
    bool plain;  // k = 1: a point is two blocks, and stays as it is
    uint8_t adders;  // stages in front of the butterflies: 0 to 2
    uint8_t order;  // of the first pass
    uint8_t shifts;  // bit s: stage s halves
    uint8_t first_stage;  // that the butterflies do in the first pass
    Passes passes;
    Split split;
};

inline ForwardJob forward_job(const Layer &layer) {
    const int log2 = layer.d.block_log2;
    ForwardJob job;
    job.present = traits_of(layer).spectral != 0;
    job.whole = log2 == CIRCNN_LIMIT_BLOCK_LOG2;
    job.small = log2 <= 3;
    job.plain = log2 == 0;
    job.adders = static_cast<uint8_t>(log2 > 2 ? 2 : log2 == 2 ? 1 : 0);
    job.order = static_cast<uint8_t>(order_of(log2));
    job.shifts = static_cast<uint8_t>(layer.d.forward_shifts);
    job.first_stage = static_cast<uint8_t>(log2 > 3 ? 2 : log2 == 0 ? 0 : log2 - 1);
    const uint8_t idle = job.whole ? idle_trips(CIRCNN_LATENCY_TRANSFORM, kWholeDistance)
                                   : idle_trips(CIRCNN_LATENCY_TRANSFORM, kHalfDistance);
    const uint8_t end = static_cast<uint8_t>(kPassTrips - 1 + idle);
    job.passes = Passes{static_cast<uint8_t>(layer.passes - 1), end, end};
    job.split = split_of(log2);
    return job;
}

// What has come with a beat of blocks, apart from its words.
struct BeatMarks {
    uint8_t position;
    bool wide, counted, kept, batch_last, layer_last;
};

struct ForwardState {
    Progress progress;
    bool ended;  // the layer's last beat has been loaded
    bool fresh;  // the next beat is a batch's first
    uint32_t counted_0, counted_1;  // beats of the loaded points that are counted
    uint16_t loaded_kept_0, loaded_kept_1;  // rows of spectra to be sent
    uint16_t ready_kept_0, ready_kept_1;
    uint8_t sent;  // rows of the batch
    bool finished;
};

inline ForwardState first_forward() {
    return ForwardState{first_progress(), false, true, 0, 0, 0, 0, 0, 0, 0, false};
}

inline bool loads(const ForwardState &s) { return s.progress.rooms != 0 && !s.ended; }

inline bool sends(const ForwardState &s) { return s.progress.results != 0; }

inline ForwardState next_forward(const ForwardJob &job, const ForwardState &s,
                                 const BeatMarks &beat) {
#pragma HLS INLINE
    const Progress &p = s.progress;
    const bool loading = loads(s), sending = sends(s);
    const bool loaded = loading && beat.batch_last;
    const bool sent = sending && s.sent == kMaxBatchRows - 1;
    ForwardState n;
    n.progress = next_progress(job.passes, p, kForwardLead, loaded, sent);
    n.ended = s.ended || (loading && beat.layer_last);
    n.fresh = loading ? beat.batch_last : s.fresh;
    // marks of the batch that is being loaded
    const uint32_t beats = static_cast<uint32_t>(beat.wide ? 3 : 1) << (beat.position & 31);
    const uint32_t counted_now = beat.counted ? beats : 0u;
    const int row = (beat.position & 31) / kRowBeats;
    const uint16_t kept_now = static_cast<uint16_t>((beat.kept ? 1 : 0) << row);
    const bool load_0 = loading && !p.load_half, load_1 = loading && p.load_half;
    n.counted_0 = load_0 ? (s.fresh ? 0u : s.counted_0) | counted_now : s.counted_0;
    n.counted_1 = load_1 ? (s.fresh ? 0u : s.counted_1) | counted_now : s.counted_1;
    n.loaded_kept_0 = load_0 ? static_cast<uint16_t>((s.fresh ? 0 : s.loaded_kept_0) | kept_now)
                             : s.loaded_kept_0;
    n.loaded_kept_1 = load_1 ? static_cast<uint16_t>((s.fresh ? 0 : s.loaded_kept_1) | kept_now)
                             : s.loaded_kept_1;
    // they stay with the batch when its half of the loaded points is filled again
    const bool taken = last_points(p) && p.pass == 0;
    n.ready_kept_0 = taken && !p.compute_half ? s.loaded_kept_0 : s.ready_kept_0;
    n.ready_kept_1 = taken && p.compute_half ? s.loaded_kept_1 : s.ready_kept_1;
    n.sent = static_cast<uint8_t>(!sending ? s.sent : sent ? 0 : s.sent + 1);
    n.finished = n.ended && all_sent(n.progress);
    return n;
}

// -- memories -----------------------------------------------------------------------------------

// As many banks as a row of spectra has points, so that it is read at once.
constexpr int kRowPoints = kRow / 2;
constexpr int kReadyBanks = kRowPoints > kPointBanks ? kRowPoints : kPointBanks;
constexpr int kReadyGroups = kReadyBanks / kPointBanks;  // of banks; a row of points is in one
constexpr int kReadyRows = kMaxPoints / kReadyBanks;  // of a batch
constexpr int kReadyParts = kReadyBanks / kRowPoints;  // rows of spectra in a row of the banks

// Points between two passes, in plain rows; passes use the two halves in turn.
constexpr Ram kForwardRam = {"forward work", 2 * kPointRows, 2, 1, CIRCNN_LATENCY_TRANSFORM};

// Four or eight points, side by side in one row of the banks.
inline void store_block(const BlockBeat &beat, bool half,
                        Point loaded[kPointBanks][2 * kPointRows]) {
#pragma HLS INLINE
    const int first = (beat.position & (kBatchBeats - 1)) * (kBeat / 2);
    const int shift = loaded_bank(first), points = beat.wide ? kBeat : kBeat / 2;
    const int row = (half ? kPointRows : 0) | first / kPointBanks;
    for (int b = 0; b < kPointBanks; b++) {
#pragma HLS UNROLL
        const int i = b ^ shift;
        if (i < points) {
            CIRCNN_WRITES(loaded[b], row, kLoadedRam);
            loaded[b][row] = Point{beat.w[2 * (i % kBeat)], beat.w[2 * (i % kBeat) + 1], false};
        }
    }
}

// The sixteen points of a trip of the first pass, each group of eight in the order of its stages.
// Points that were not loaded in this batch are not counted.
inline void gather_loaded(const ForwardJob &job, int trip, bool half, uint32_t counted, bool used,
                          const Point loaded[kPointBanks][2 * kPointRows], Point x[kTripPoints]) {
#pragma HLS INLINE
    const int order = job.order;
    const int trip_at = of_trip(kGather.trip_at, order, trip);
    const int trip_bank = of_trip(kGather.trip_bank, order, trip);
    const int trip_row = of_trip(kGather.trip_row, order, trip) | (half ? kPointRows : 0);
    Point raw[kPointBanks];
#pragma HLS ARRAY_PARTITION variable = raw complete
    for (int b = 0; b < kPointBanks; b++) {
#pragma HLS UNROLL
        const int row = of_order(kGather.bank_row, order, b) ^ trip_row;
        if (used) {
            CIRCNN_READS(loaded[b], row, kLoadedRam);
        }
        raw[b] = loaded[b][row];
    }
    for (int lane = 0; lane < kTripPoints; lane++) {
#pragma HLS UNROLL
        x[lane] = raw[of_order(kGather.lane_bank, order, lane) ^ trip_bank];
        const int at = of_order(kGather.lane_at, order, lane) ^ trip_at;
        x[lane].counted = ((counted >> (at / (kBeat / 2))) & 1) != 0;
    }
}

// Two rows at once.
inline void read_work(int half, const RowPair &rows, bool used,
                      const Point work[kPointBanks][2 * kPointRows], Point low[kPointBanks],
                      Point high[kPointBanks]) {
#pragma HLS INLINE
    const int low_row = half * kPointRows + rows.low, high_row = half * kPointRows + rows.high;
    for (int b = 0; b < kPointBanks; b++) {
#pragma HLS UNROLL
        if (used) {
            CIRCNN_READS(work[b], low_row, kForwardRam);
            CIRCNN_READS(work[b], high_row, kForwardRam);
        }
        low[b] = work[b][low_row];
        high[b] = work[b][high_row];
    }
}

inline void write_work(int half, int row, const Point x[kPointBanks],
                       Point work[kPointBanks][2 * kPointRows]) {
#pragma HLS INLINE
    const int to = half * kPointRows + row;
    for (int b = 0; b < kPointBanks; b++) {
#pragma HLS UNROLL
        CIRCNN_WRITES(work[b], to, kForwardRam);
        work[b][to] = x[b];
    }
}

// The lower half of one row and the upper half of another.
inline void write_ready(bool half, const SixteenRows &rows, const Point x[kPointBanks],
                        Point ready[kReadyBanks][2 * kReadyRows]) {
#pragma HLS INLINE
    for (int b = 0; b < kReadyBanks; b++) {
#pragma HLS UNROLL
        const int place = b % kPointBanks, group = b / kPointBanks;
        const int row = place < kPointBanks / 2 ? rows.low : rows.high;
        const int to = (half ? kReadyRows : 0) | row / kReadyGroups;
        if (row % kReadyGroups == group) {
            CIRCNN_WRITES(ready[b], to, kReadyRam);
            ready[b][to] = x[place];
        }
    }
}

inline SpectraRow spectra_row(bool half, int row, const Point ready[kReadyBanks][2 * kReadyRows]) {
#pragma HLS INLINE
    const int from = (half ? kReadyRows : 0) | row / kReadyParts, part = row % kReadyParts;
    Point raw[kReadyBanks];
#pragma HLS ARRAY_PARTITION variable = raw complete
    for (int b = 0; b < kReadyBanks; b++) {
#pragma HLS UNROLL
        if (b / kRowPoints == part) {
            CIRCNN_READS(ready[b], from, kReadyRam);
        }
        raw[b] = ready[b][from];
    }
    SpectraRow spectra;
    for (int i = 0; i < kRowPoints; i++) {
#pragma HLS UNROLL
        const Point x = raw[part * kRowPoints + i];
        spectra.w[2 * i] = x.re;
        spectra.w[2 * i + 1] = x.im;
    }
    return spectra;
}

// -- arithmetic ---------------------------------------------------------------------------------

// A stage whose twiddles are 1 and, where `turned`, -i for every second pair: in each group of
// eight, points q and q + 4 go to 2q and 2q + 1.
inline uint8_t front_stage(bool turned, bool halve, bool used, Point x[kTripPoints]) {
#pragma HLS INLINE
    Point y[kTripPoints];
#pragma HLS ARRAY_PARTITION variable = y complete
    uint8_t counts[kButterflies];
#pragma HLS ARRAY_PARTITION variable = counts complete
    for (int i = 0; i < kButterflies; i++) {
#pragma HLS UNROLL
        const int group = i / 4 * 8, q = i % 4;
        const Point a = x[group + q], b = x[group + q + 4];
        const Point minus_i = {b.im, negative(b.re), b.counted};
        const Point t = choose(turned && q % 2 == 1, minus_i, b);
        sum_and_difference(a, t, halve, y[group + 2 * q], y[group + 2 * q + 1], counts[i]);
    }
    return take_stage(used, y, counts, x);
}

// The split's: E = (Z[m] + conj Z[N-m]) / 2 and O = -i (Z[m] - conj Z[N-m]) / 2, which never leave
// 16 bits.  Slot 0 is the sum and the difference of two real numbers; for k = 2 of both points.
inline Operands split_operands(const Split &split, int bin, const Point &z, const Point &c) {
    const bool zero = bin == 0;
    const Point e = {static_cast<Word>((z.re + c.re + 1) >> 1),
                     static_cast<Word>((z.im - c.im + 1) >> 1), z.counted};
    const Point o = {static_cast<Word>((z.im + c.im) >> 1), static_cast<Word>((c.re - z.re) >> 1),
                     z.counted};
    const Word none = 0;
    const Point re = {z.re, split.single ? c.re : none, z.counted};
    const Point im = {z.im, split.single ? c.im : none, z.counted};
    return Operands{choose(zero, re, e), choose(zero, im, o), static_cast<uint8_t>(bin)};
}

// -- a trip of a pass ---------------------------------------------------------------------------

struct ForwardPass {
    bool first, last;  // the last is the split
    uint8_t stage;
    SixteenRows rows;
    uint8_t pairing;
};

inline ForwardPass forward_pass(const ForwardJob &job, const Progress &p) {
    const SixteenRows rows = sixteen_rows(p.trip & (kPassTrips - 1), job.split.row_mask);
    return ForwardPass{p.pass == 0, p.pass == job.passes.last_pass,
                       static_cast<uint8_t>(p.pass + job.first_stage), rows,
                       pairing_of(job.split, rows)};
}

// The twiddle of a stage from 3 on: the sums and differences before it, the first of them in the
// highest bit.
inline int forward_twiddle(int pair, int trip, int stage) {
    const int before = (stage > 3 ? (trip & 1) << 3 : 0) | (stage > 4 ? (trip & 2) << 1 : 0) |
                       (stage > 5 ? (trip & 4) >> 1 : 0);
    return kReversed3.of[pair] << 4 | before;
}

// What the butterfly of a pair takes in a first pass, in a stage and in the split.
inline Operands lane_operands(const ForwardJob &job, const ForwardPass &pass, int trip, int pair,
                              const Point x[kTripPoints], const Point low[kPointBanks],
                              const Point high[kPointBanks], const Point z[kTripPoints]) {
#pragma HLS INLINE
    const int group = pair / 4 * 8, q = pair % 4;
    const bool upper = trip % 2 == 1;  // half of the rows
    const Operands first = {x[group + q], x[group + q + 4],
                            static_cast<uint8_t>(kReversed2.of[q] << 5)};
    const Operands stage = {choose(upper, low[pair + 8], low[pair]),
                            choose(upper, high[pair + 8], high[pair]),
                            static_cast<uint8_t>(forward_twiddle(pair, trip, pass.stage))};
    const Operands split = split_operands(job.split, bin_of(job.split, pass.rows, pair),
                                          even_of(z, pass.pairing, pair),
                                          odd_of(z, pass.pairing, pair));
    return choose(pass.last, split, choose(pass.first, first, stage));
}

// The spectra at a pair's two places: high, and conj(E - t).
struct EvenOdd {
    Point even, odd;
};

inline EvenOdd split_results(const ForwardJob &job, bool zero, bool halve, const Point &high,
                             const Point &low, const Point &beside) {
#pragma HLS INLINE
    const Point conjugate = {low.re, negative(low.im), low.counted};
    const Point first = {high.re, low.re, high.counted}, second = {high.im, low.im, high.counted};
    const Point other = choose(job.split.single, second, middle(beside, halve));
    return EvenOdd{choose(zero, first, high), choose(zero, other, conjugate)};
}

// -- the unit -----------------------------------------------------------------------------------

inline void forward_transform(const ForwardJob job, BlockStream &in, RowStream &out, Count &count) {
    if (!job.present) return;
    Point loaded[kPointBanks][2 * kPointRows];
    Point work[kPointBanks][2 * kPointRows];
    Point ready[kReadyBanks][2 * kReadyRows];
#pragma HLS ARRAY_PARTITION variable = loaded complete dim = 1
#pragma HLS ARRAY_PARTITION variable = work complete dim = 1
#pragma HLS ARRAY_PARTITION variable = ready complete dim = 1
#pragma HLS BIND_STORAGE variable = loaded type = ram_1wnr impl = lutram
#pragma HLS BIND_STORAGE variable = circnn_twiddles_re type = rom_np impl = lutram
#pragma HLS BIND_STORAGE variable = circnn_twiddles_im type = rom_np impl = lutram
#pragma HLS BIND_STORAGE variable = work type = ram_1wnr impl = lutram
#pragma HLS BIND_STORAGE variable = ready type = ram_1wnr impl = lutram
    // points that no beat brings are computed too, but neither counted nor used
    CIRCNN_ANY_CONTENT(loaded);
    CIRCNN_ANY_CONTENT(work);
    CIRCNN_ANY_CONTENT(ready);
    ForwardState state = first_forward();
    uint32_t trips = 0, saturations = 0;
    CIRCNN_LOOP("forward");
forward:
    for (uint32_t turn = 0; turn < kMaxTrips; turn++) {
#pragma HLS PIPELINE II = 1
#pragma HLS DEPENDENCE variable = loaded inter RAW distance = 6 true
#pragma HLS DEPENDENCE variable = work inter RAW distance = 8 true
#pragma HLS DEPENDENCE variable = ready inter RAW distance = 12 true
        static_assert(CIRCNN_LATENCY_LOADED == 6 && CIRCNN_LATENCY_TRANSFORM == 8 &&
                          CIRCNN_LATENCY_READY == 12,
                      "the pragmas state the contract's latencies");
        if (state.finished) break;
        CIRCNN_TRIP();
        trips++;
        const Progress &p = state.progress;
        // sends, computes and loads in this order: each reads what a later part of a trip writes
        if (sends(state)) {
            const SpectraRow spectra = spectra_row(p.send_half, state.sent, ready);
            const uint16_t kept = p.send_half ? state.ready_kept_1 : state.ready_kept_0;
            if (((kept >> (state.sent & 15)) & 1) != 0) out.write(spectra);
        }
        if (computes(p)) {
            const ForwardPass pass = forward_pass(job, p);
            const int trip = p.trip & (kPassTrips - 1), to = p.pass & 1;
            const bool halve = ((job.shifts >> (pass.stage & 7)) & 1) != 0;
            Point x[kTripPoints], low[kPointBanks], high[kPointBanks];
#pragma HLS ARRAY_PARTITION variable = x complete
#pragma HLS ARRAY_PARTITION variable = low complete
#pragma HLS ARRAY_PARTITION variable = high complete
            gather_loaded(job, trip, p.compute_half,
                          p.compute_half ? state.counted_1 : state.counted_0, pass.first, loaded,
                          x);
            const bool one = pass.first && job.adders > 0, two = pass.first && job.adders > 1;
            const uint8_t limited_0 = front_stage(false, (job.shifts & 1) != 0, one, x);
            const uint8_t limited_1 = front_stage(true, (job.shifts & 2) != 0, two, x);
            const RowPair apart = rows_apart(trip, job.whole);
            const RowPair rows = {pass.last ? pass.rows.low : apart.low,
                                  pass.last ? pass.rows.high : apart.high};
            read_work(1 - to, rows, !pass.first, work, low, high);
            Point z[kTripPoints], row[kPointBanks], even[kButterflies], odd[kButterflies];
            uint8_t counts[kButterflies];
#pragma HLS ARRAY_PARTITION variable = z complete
#pragma HLS ARRAY_PARTITION variable = row complete
#pragma HLS ARRAY_PARTITION variable = even complete
#pragma HLS ARRAY_PARTITION variable = odd complete
#pragma HLS ARRAY_PARTITION variable = counts complete
            for (int i = 0; i < kTripPoints; i++) {
#pragma HLS UNROLL
                z[i] = choose(job.small, x[i], i < kPointBanks / 2 ? low[i] : high[i]);
            }
            for (int i = 0; i < kButterflies; i++) {
#pragma HLS UNROLL
                const Operands o = lane_operands(job, pass, trip, i, x, low, high, z);
                butterfly(o.a, o.b, twiddle_at(o.twiddle, false), halve, row[2 * i], row[2 * i + 1],
                          counts[i]);
                // only the first row of a block has a slot 0, and beside it the middle bin
                const EvenOdd spectra = split_results(job, o.twiddle == 0, halve, row[2 * i],
                                                      row[2 * i + 1], z[2 * i + 1]);
                even[i] = spectra.even;
                odd[i] = spectra.odd;
            }
            const uint8_t limited_2 = job.plain ? static_cast<uint8_t>(0) : total(counts);
            saturations += static_cast<uint8_t>(limited_0 + limited_1 + limited_2);
            if (pass.last) {
                Point spectra[kTripPoints];
#pragma HLS ARRAY_PARTITION variable = spectra complete
                for (int i = 0; i < kTripPoints; i++) {
#pragma HLS UNROLL
                    spectra[i] = choose(job.plain, x[i], placed(even, odd, pass.pairing, i));
                }
                write_ready(p.compute_half, pass.rows, spectra, ready);
            } else {
                write_work(to, trip, row, work);
            }
        }
        BeatMarks marks = {0, false, false, false, false, false};
        if (loads(state)) {
            const BlockBeat beat = in.read();
            marks = BeatMarks{beat.position, beat.wide,       beat.counted,
                              beat.kept,     beat.batch_last, beat.layer_last};
            store_block(beat, p.load_half, loaded);
        }
        state = next_forward(job, state, marks);
    }
    count.trips = trips;
    count.saturations = saturations;
}

#endif
