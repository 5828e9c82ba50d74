// The inverse transform: sums of products in, real values out.
//
// The mirror image of the forward transform, with one loop of the same kind: sums are shifted to 16
// bits as they are loaded, the first pass merges the half spectra and does stages 0 and 1, each
// pass after it one stage.  The points come in bit-reversed order; 2j and 2j + 1 go to j and
// j + P/2, which brings them into natural order, block number under point number.
//
// There is one set of eight butterflies.  The merge uses it, and stages 0 and 1, whose twiddles are
// 1 and i alone, are adders behind it.  Because of them the first pass's points take longer to
// land, and have a memory of their own.
#ifndef CIRCNN_INVERSE_HPP
#define CIRCNN_INVERSE_HPP

#include "results.hpp"
#include "transform.hpp"

// The first pass: stages 0 and 1 take three cycles more, and its points are read again sooner.
constexpr int kMergeLatency = CIRCNN_LATENCY_TRANSFORM + 3;
constexpr int kMergeHalfDistance = 5, kMergeWholeDistance = 2;

constexpr int kInverseLead = 4;  // see next_progress

// -- what a layer asks for, and the state -------------------------------------------------------

struct InverseJob {
    bool present;  // whether the layer has a transform at all
    bool whole;  // k = 256: a batch has no halves
    bool plain;  // k = 1: a point is two blocks, and stays as it is
    uint8_t adders;  // stages behind the butterflies in the first pass: 0 to 2
    uint8_t points_log2;  // of a block
    uint8_t shifts;  // bit 0: the merge halves, bit s + 1: stage s does
    uint8_t accumulate_shift;
    Passes passes;
    Split split;
    uint32_t batches;
    uint8_t first_final,
        last_final;  // last beat of the first batch and of the last; others are full
};

// The last batch is computed and sent when nothing else is left to do, so it is as short as
// possible, one row of sums: but not where it would have to wait for the batch before it for longer
// than its sending saves.
inline InverseJob inverse_job(const Layer &layer) {
    const int log2 = layer.d.block_log2;
    InverseJob job;
    job.present = traits_of(layer).spectral != 0;
    job.whole = log2 == CIRCNN_LIMIT_BLOCK_LOG2;
    job.plain = log2 == 0;
    job.adders = static_cast<uint8_t>(log2 > 2 ? 2 : log2 == 2 ? 1 : 0);
    job.points_log2 = static_cast<uint8_t>(log2 > 0 ? log2 - 1 : 0);
    job.shifts = static_cast<uint8_t>(layer.d.inverse_shifts);
    job.accumulate_shift = static_cast<uint8_t>(layer.d.accumulate_shift);
    const uint8_t idle = job.whole ? idle_trips(CIRCNN_LATENCY_TRANSFORM, kWholeDistance)
                                   : idle_trips(CIRCNN_LATENCY_TRANSFORM, kHalfDistance);
    const uint8_t first_idle = job.whole ? idle_trips(kMergeLatency, kMergeWholeDistance)
                                         : idle_trips(kMergeLatency, kMergeHalfDistance);
    job.passes = Passes{static_cast<uint8_t>(layer.passes - 1),
                        static_cast<uint8_t>(kPassTrips - 1 + first_idle),
                        static_cast<uint8_t>(kPassTrips - 1 + idle)};
    job.split = split_of(log2);
    const uint32_t beats = layer.beats;
    const uint32_t shortest = static_cast<uint32_t>(layer.chunks * kRowBeats);
    const uint32_t arrives = static_cast<uint32_t>(layer.chunks * most(layer.terms, kRowBeats));
    const uint32_t computing = static_cast<uint32_t>(batch_trips(job.passes));
    const bool short_last = computing + shortest <= arrives + kBatchBeats;
    const uint32_t wanted = short_last ? shortest : kBatchBeats;
    const uint32_t last = beats < wanted ? beats : wanted;
    const uint32_t before = beats - last;
    const uint32_t rest = before % kBatchBeats;
    job.batches = 1 + before / kBatchBeats + (rest > 0 ? 1 : 0);
    const uint32_t first = before == 0 ? last : rest > 0 ? rest : kBatchBeats;
    job.last_final = static_cast<uint8_t>(last - 1);
    job.first_final = static_cast<uint8_t>(first - 1);
    return job;
}

struct InverseState {
    Progress progress;
    uint32_t batches;  // to be loaded
    uint8_t stored, final;  // beat of the batch that is loaded next, and its last
    uint8_t loaded_0, loaded_1;  // last beats of the loaded batches
    uint8_t sent, ready_0, ready_1;
    bool finished;
};

inline InverseState first_inverse(const InverseJob &job) {
    return InverseState{first_progress(), job.batches, 0, job.first_final, 0, 0, 0, 0, 0, false};
}

inline bool loads(const InverseState &s) { return s.progress.rooms != 0 && s.batches != 0; }

inline bool sends(const InverseState &s) { return s.progress.results != 0; }

inline InverseState next_inverse(const InverseJob &job, const InverseState &s) {
#pragma HLS INLINE
    const Progress &p = s.progress;
    const bool loading = loads(s), sending = sends(s);
    const bool loaded = loading && s.stored == s.final;
    const bool sent = sending && s.sent == (p.send_half ? s.ready_1 : s.ready_0);
    InverseState n;
    n.progress = next_progress(job.passes, p, kInverseLead, loaded, sent);
    n.batches = loaded ? s.batches - 1 : s.batches;
    n.stored = static_cast<uint8_t>(!loading ? s.stored : loaded ? 0 : s.stored + 1);
    n.final = !loaded          ? s.final
              : s.batches == 2 ? job.last_final
                               : static_cast<uint8_t>(kBatchBeats - 1);
    n.loaded_0 = loaded && !p.load_half ? s.final : s.loaded_0;
    n.loaded_1 = loaded && p.load_half ? s.final : s.loaded_1;
    // it stays with the batch when its half of the loaded points is filled again
    const bool taken = last_points(p) && p.pass == 0;
    n.ready_0 = taken && !p.compute_half ? s.loaded_0 : s.ready_0;
    n.ready_1 = taken && p.compute_half ? s.loaded_1 : s.ready_1;
    n.sent = static_cast<uint8_t>(!sending ? s.sent : sent ? 0 : s.sent + 1);
    const bool all_loaded = s.batches == 0 || (loaded && s.batches == 1);
    n.finished = all_loaded && all_sent(n.progress);
    return n;
}

// -- memories -----------------------------------------------------------------------------------

// Points after the merge, and points between later passes, which use the two halves in turn.
constexpr Ram kMergedRam = {"merged", kPointRows, 1, 1, kMergeLatency};
constexpr Ram kInverseRam = {"inverse work", 2 * kPointRows, 1, 1, CIRCNN_LATENCY_TRANSFORM};

// Shifts eight sums to words and stores them: four points, side by side in a plain row.
inline uint8_t store_sums(const InverseJob &job, const SumBeat &beat, int at, bool half,
                          Point loaded[kPointBanks][2 * kPointRows]) {
#pragma HLS INLINE
    Word w[kBeat];
#pragma HLS ARRAY_PARTITION variable = w complete
    uint8_t counts[kBeat];
#pragma HLS ARRAY_PARTITION variable = counts complete
    for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
        bool limited;
        w[i] = limit(round_shift(beat.w[i], job.accumulate_shift), limited);
        counts[i] = static_cast<uint8_t>(i < beat.counted && limited);
    }
    const int first = (at & (kBatchBeats - 1)) * (kBeat / 2);
    const int row = (half ? kPointRows : 0) | first / kPointBanks;
    for (int b = 0; b < kPointBanks; b++) {
#pragma HLS UNROLL
        const int i = b % (kBeat / 2);
        if (first % kPointBanks == b - i) {
            CIRCNN_WRITES(loaded[b], row, kLoadedRam);
            loaded[b][row] = Point{w[2 * i], w[2 * i + 1], 2 * i + 1 < beat.counted};
        }
    }
    return total(counts);
}

// The lower half of one row and the upper half of another.  Points that were not loaded in this
// batch are not counted.
inline void read_loaded(bool half, const MirrorRows &rows, int final, bool used,
                        const Point loaded[kPointBanks][2 * kPointRows], Point x[kTripPoints]) {
#pragma HLS INLINE
    for (int b = 0; b < kPointBanks; b++) {
#pragma HLS UNROLL
        const int row = b < kPointBanks / 2 ? rows.low : rows.high;
        const int from = (half ? kPointRows : 0) | row;
        if (used) {
            CIRCNN_READS(loaded[b], from, kLoadedRam);
        }
        x[b] = loaded[b][from];
        const bool loaded_now = row * (kPointBanks * 2 / kBeat) + b / (kBeat / 2) <= final;
        x[b].counted = loaded_now && x[b].counted;
    }
}

// The row that the trip of a later pass takes: from the merge's memory in the second pass.
inline void read_points(bool from_merge, int half, int row, int quarter, bool used,
                        const Point merged[kPointBanks][kPointRows],
                        const Point work[kPointBanks][2 * kPointRows], Point x[kTripPoints]) {
#pragma HLS INLINE
    const int from = half * kPointRows + row;
    Point raw[kPointBanks];
#pragma HLS ARRAY_PARTITION variable = raw complete
    for (int b = 0; b < kPointBanks; b++) {
#pragma HLS UNROLL
        if (used && from_merge) {
            CIRCNN_READS(merged[b], row, kMergedRam);
        }
        if (used && !from_merge) {
            CIRCNN_READS(work[b], from, kInverseRam);
        }
        const Point first = merged[b][row], later = work[b][from];
        raw[b] = choose(from_merge, first, later);
    }
    for (int i = 0; i < kTripPoints; i++) {
#pragma HLS UNROLL
        x[i] = raw[i ^ (quarter << 2)];
    }
}

// -- arithmetic ---------------------------------------------------------------------------------

// The merge's a and b: E = (X[m] + conj X[N-m]) / 2 and D = (X[m] - conj X[N-m]) / 2.  Slot 0 is two
// real numbers, whose half sum and half difference are a point.
inline Operands merge_operands(int bin, const Point &x, const Point &c) {
    const bool zero = bin == 0;
    const Point e = {static_cast<Word>((x.re + c.re + 1) >> 1),
                     static_cast<Word>((x.im - c.im + 1) >> 1), x.counted};
    const Point d = {static_cast<Word>((x.re - c.re) >> 1), static_cast<Word>((x.im + c.im) >> 1),
                     x.counted};
    const Point real = {static_cast<Word>((x.re + x.im + 1) >> 1),
                        static_cast<Word>((x.re - x.im) >> 1), x.counted};
    const Point none = {0, 0, x.counted};
    return Operands{choose(zero, real, e), choose(zero, none, d), static_cast<uint8_t>(bin)};
}

// The odd place beside a slot 0: the middle bin, or for k = 2 another slot 0.
inline Point beside_zero(bool single, bool halve, const Point &c) {
    const Word re = static_cast<Word>(single ? (c.re + c.im + 1) >> 1 : c.re);
    const Word im = static_cast<Word>(single ? (c.re - c.im) >> 1 : -c.im);
    const int up = halve ? 1 : 0;
    return Point{static_cast<Word>((re + up) >> up), static_cast<Word>((im + up) >> up), c.counted};
}

// A stage: high = a + t, low = a - t with t = b times the twiddle.  A merge: with O = t it makes
// Z[m] = E + i O and conj Z[N-m] = E - i O.  Since i O = -O.im + i O.re, the sum of E.re and O.im
// belongs to the difference, and is rounded like one.
inline void inverse_butterfly(const Point &a, const Point &b, const Twiddle &w, bool merging,
                              bool halve, Point &high, Point &low, uint8_t &count) {
#pragma HLS INLINE
    uint8_t rotated;
    const Point t = rotate(b, w, rotated);
    const Word t_re = merging ? t.im : t.re, t_im = merging ? t.re : t.im;
    const int32_t up = halve ? 1 : 0;
    const int32_t sum_up = merging ? 0 : up, difference_up = merging ? up : 0;
    bool limited[4];
#pragma HLS ARRAY_PARTITION variable = limited complete
    const Word sum_re = halve_or_limit(a.re + t_re + sum_up, halve, limited[0]);
    const Word difference_re = halve_or_limit(a.re - t_re + difference_up, halve, limited[1]);
    high.im = halve_or_limit(a.im + t_im + up, halve, limited[2]);
    low.im = halve_or_limit(a.im - t_im, halve, limited[3]);
    high.re = merging ? difference_re : sum_re;
    low.re = merging ? sum_re : difference_re;
    high.counted = low.counted = a.counted;
    const uint8_t added = how_many(limited[0], limited[1], limited[2], limited[3]);
    count = static_cast<uint8_t>(rotated + (a.counted ? added : 0));
}

// Stages 0 and 1 on groups of four neighbours: `apart` is 1 or 2.  The last of the four is turned
// by i in stage 1.
inline uint8_t back_stage(int apart, bool halve, bool used, Point x[kTripPoints]) {
#pragma HLS INLINE
    Point y[kTripPoints];
#pragma HLS ARRAY_PARTITION variable = y complete
    uint8_t counts[kButterflies];
#pragma HLS ARRAY_PARTITION variable = counts complete
    for (int i = 0; i < kButterflies; i++) {
#pragma HLS UNROLL
        const int low = i % 2, group = i / 2 * 4;
        const int first = group + (apart == 1 ? 2 * low : low), second = first + apart;
        const Point b = x[second];
        const Point times_i = {negative(b.im), b.re, b.counted};
        const Point t = choose(apart == 2 && low == 1, times_i, b);
        sum_and_difference(x[first], t, halve, y[first], y[second], counts[i]);
    }
    return take_stage(used, y, counts, x);
}

// -- a trip of a pass ---------------------------------------------------------------------------

struct InversePass {
    bool first, last;  // the first merges
    int trip;
    MirrorRows rows;
    uint8_t pairing;
    RowPair apart;
};

inline InversePass inverse_pass(const InverseJob &job, const Progress &p) {
    const int trip = p.trip & (kPassTrips - 1);
    const MirrorRows rows = mirror_rows(trip, job.split.row_mask);
    return InversePass{p.pass == 0, p.pass == job.passes.last_pass, trip,
                       rows,        pairing_of(job.split, rows),    rows_apart(trip, job.whole)};
}

// The twiddle of stage pass + 1: the highest bits of the place of the pair's first point.
inline int inverse_twiddle(const InverseJob &job, int pass, int trip, int pair) {
    const int at = job.whole ? trip << 4 | pair << 1 : (trip & 3) << 5 | pair << 2;
    return at & (0xFF80 >> (pass + 1)) & 0x7F;
}

// Where a bank's point lies among the sixteen of the first pass, and the row of the batch that it
// goes to: the stages that are done move to the highest bits of a point's place.
struct Source {
    int place, row;
};

inline Source after_two_stages(const InversePass &pass, bool whole, int bank) {
    const int row = (bank & 2) != 0 ? pass.rows.high : pass.rows.low;
    const int stages = (bank >> 2) ^ (row & 3);
    const int upper = pass.trip >> 2;
    return Source{(bank & 3) << 2 | stages, whole ? stages << 1 | upper : upper << 2 | stages};
}

inline Source after_one_stage(int trip, int bank) {
    const int stage = ((bank >> 3) ^ trip) & 1;
    const int next = ((bank >> 2) ^ (trip >> 1)) & 1;
    return Source{next << 3 | (bank & 3) << 1 | stage, (trip & 4) | stage << 1 | ((trip >> 1) & 1)};
}

inline Source after_no_stage(int trip, int bank) { return Source{bank ^ ((trip & 3) << 2), trip}; }

// -- the unit -----------------------------------------------------------------------------------

// Four points of a beat of values, in natural order: block number above point number.
inline ValueBeat four_values(const InverseJob &job, bool half, int beat,
                             const Point ready[kPointBanks][2 * kPointRows]) {
#pragma HLS INLINE
    int row[kBeat / 2], bank[kBeat / 2];
#pragma HLS ARRAY_PARTITION variable = row complete
#pragma HLS ARRAY_PARTITION variable = bank complete
    const int bits = job.whole ? 7 : 6;
    for (int i = 0; i < kBeat / 2; i++) {
#pragma HLS UNROLL
        const int p = ((beat << 2) | i) & ((1 << bits) - 1);
        const int at = ((p << (bits - job.points_log2)) | (p >> job.points_log2)) &
                       ((1 << bits) - 1);
        const int batch_row = at >> 4 | (job.whole ? 0 : (beat >> 4 & 1) << 2);
        row[i] = (half ? kPointRows : 0) | batch_row;
        bank[i] = (at & 15) ^ (quarter_of(batch_row, job.whole) << 2);
    }
    Point raw[kPointBanks];
#pragma HLS ARRAY_PARTITION variable = raw complete
    for (int b = 0; b < kPointBanks; b++) {
#pragma HLS UNROLL
        int from = row[0];
        bool wanted = bank[0] == b;
        for (int i = 1; i < kBeat / 2; i++) {
#pragma HLS UNROLL
            CIRCNN_CHECK(bank[i] != b || !wanted, "two points of a trip in one bank: ", "inverse");
            from = bank[i] == b ? row[i] : from;
            wanted = wanted || bank[i] == b;
        }
        if (wanted) {
            CIRCNN_READS(ready[b], from, kReadyRam);
        }
        raw[b] = ready[b][from];
    }
    ValueBeat values;
    for (int i = 0; i < kBeat / 2; i++) {
#pragma HLS UNROLL
        values.w[2 * i] = raw[bank[i]].re;
        values.w[2 * i + 1] = raw[bank[i]].im;
    }
    return values;
}

inline void inverse_transform(const InverseJob job, SumStream &in, ValueStream &out, Count &count) {
    if (!job.present) return;
    Point loaded[kPointBanks][2 * kPointRows];
    Point merged[kPointBanks][kPointRows];
    Point work[kPointBanks][2 * kPointRows];
    Point ready[kPointBanks][2 * kPointRows];
#pragma HLS ARRAY_PARTITION variable = loaded complete dim = 1
#pragma HLS ARRAY_PARTITION variable = merged complete dim = 1
#pragma HLS ARRAY_PARTITION variable = work complete dim = 1
#pragma HLS ARRAY_PARTITION variable = ready complete dim = 1
#pragma HLS BIND_STORAGE variable = loaded type = ram_1wnr impl = lutram
#pragma HLS BIND_STORAGE variable = circnn_twiddles_re type = rom_np impl = lutram
#pragma HLS BIND_STORAGE variable = circnn_twiddles_im type = rom_np impl = lutram
#pragma HLS BIND_STORAGE variable = merged type = ram_1wnr impl = lutram
#pragma HLS BIND_STORAGE variable = work type = ram_1wnr impl = lutram
#pragma HLS BIND_STORAGE variable = ready type = ram_1wnr impl = lutram
    // points that no beat brings are computed too, but neither counted nor used
    CIRCNN_ANY_CONTENT(loaded);
    CIRCNN_ANY_CONTENT(merged);
    CIRCNN_ANY_CONTENT(work);
    CIRCNN_ANY_CONTENT(ready);
    InverseState state = first_inverse(job);
    uint32_t trips = 0, saturations = 0;
    CIRCNN_LOOP("inverse");
inverse:
    for (uint32_t turn = 0; turn < kMaxTrips; turn++) {
#pragma HLS PIPELINE II = 1
#pragma HLS DEPENDENCE variable = loaded inter RAW distance = 6 true
#pragma HLS DEPENDENCE variable = merged inter RAW distance = 11 true
#pragma HLS DEPENDENCE variable = work inter RAW distance = 8 true
#pragma HLS DEPENDENCE variable = ready inter RAW distance = 12 true
        static_assert(CIRCNN_LATENCY_LOADED == 6 && CIRCNN_LATENCY_TRANSFORM == 8 &&
                          CIRCNN_LATENCY_READY == 12 && kMergeLatency == 11,
                      "the pragmas state the contract's latencies");
        if (state.finished) break;
        CIRCNN_TRIP();
        trips++;
        const Progress &p = state.progress;
        // sends, computes and loads in this order: each reads what a later part of a trip writes
        if (sends(state)) out.write(four_values(job, p.send_half, state.sent, ready));
        uint8_t limited_loading = 0, limited_merge = 0, limited_0 = 0, limited_1 = 0;
        if (computes(p)) {
            const InversePass pass = inverse_pass(job, p);
            const int to = p.pass & 1, final = p.compute_half ? state.loaded_1 : state.loaded_0;
            const bool halve = ((job.shifts >> (pass.first ? 0 : (p.pass + 2) & 7)) & 1) != 0;
            Point x[kTripPoints], row[kTripPoints];
#pragma HLS ARRAY_PARTITION variable = x complete
#pragma HLS ARRAY_PARTITION variable = row complete
            read_loaded(p.compute_half, pass.rows, final, pass.first, loaded, x);
            read_points(p.pass == 1, 1 - to, pass.trip, quarter_of(pass.trip, job.whole),
                        !pass.first, merged, work, row);
            Point high[kButterflies], low[kButterflies], even[kButterflies], odd[kButterflies];
            uint8_t counts[kButterflies];
#pragma HLS ARRAY_PARTITION variable = high complete
#pragma HLS ARRAY_PARTITION variable = low complete
#pragma HLS ARRAY_PARTITION variable = even complete
#pragma HLS ARRAY_PARTITION variable = odd complete
#pragma HLS ARRAY_PARTITION variable = counts complete
            for (int i = 0; i < kButterflies; i++) {
#pragma HLS UNROLL
                const int bin = bin_of(job.split, pass.rows, i);
                const Operands merge = merge_operands(bin, even_of(x, pass.pairing, i),
                                                      odd_of(x, pass.pairing, i));
                const Operands stage = {row[2 * i], row[2 * i + 1],
                                        static_cast<uint8_t>(
                                            inverse_twiddle(job, p.pass, pass.trip, i))};
                const Operands o = choose(pass.first, merge, stage);
                inverse_butterfly(o.a, o.b, twiddle_at(o.twiddle, true), pass.first, halve, high[i],
                                  low[i], counts[i]);
                // only the first row of a block has a slot 0, and beside it the middle bin
                const Point beside = beside_zero(job.split.single, halve, x[2 * i + 1]);
                even[i] = high[i];
                const Point conjugate = {low[i].re, negative(low[i].im), low[i].counted};
                odd[i] = choose(bin == 0, beside, conjugate);
            }
            Point points[kTripPoints];
#pragma HLS ARRAY_PARTITION variable = points complete
            for (int i = 0; i < kTripPoints; i++) {
#pragma HLS UNROLL
                points[i] = choose(job.plain, x[i], placed(even, odd, pass.pairing, i));
            }
            const bool one = pass.first && job.adders > 0, two = pass.first && job.adders > 1;
            limited_merge = job.plain ? static_cast<uint8_t>(0) : total(counts);
            limited_0 = back_stage(1, (job.shifts & 2) != 0, one, points);
            limited_1 = back_stage(2, (job.shifts & 4) != 0, two, points);
            const int upper = job.whole ? pass.trip >> 2 : (pass.trip >> 1) & 1;
            for (int b = 0; b < kPointBanks; b++) {
#pragma HLS UNROLL
                // sums go to one half of the banks, differences to the other
                const bool sums = b >> 3 == (pass.trip & 1);
                const int i = (b & 7) ^ (upper << 2);
                const Point staged = choose(sums, high[i], low[i]);
                const int staged_row = sums ? pass.apart.low : pass.apart.high;
                const Source both = after_two_stages(pass, job.whole, b);
                const Source one_only = after_one_stage(pass.trip, b);
                const Source none = after_no_stage(pass.trip, b);
                const Point merged_now = points[both.place];
                if (pass.first && !pass.last) {
                    CIRCNN_WRITES(merged[b], both.row, kMergedRam);
                    merged[b][both.row] = merged_now;
                }
                if (!pass.first && !pass.last) {
                    CIRCNN_WRITES(work[b], to * kPointRows + staged_row, kInverseRam);
                    work[b][to * kPointRows + staged_row] = staged;
                }
                if (pass.last) {
                    const Point small = choose(job.adders == 1, points[one_only.place],
                                               points[none.place]);
                    const Point ended = choose(pass.first,
                                               choose(job.adders == 2, merged_now, small), staged);
                    const int ended_row = (p.compute_half ? kPointRows : 0) |
                                          (!pass.first       ? staged_row
                                           : job.adders == 2 ? both.row
                                           : job.adders == 1 ? one_only.row
                                                             : none.row);
                    CIRCNN_WRITES(ready[b], ended_row, kReadyRam);
                    ready[b][ended_row] = ended;
                }
            }
        }
        if (loads(state)) {
            const SumBeat beat = in.read();
            limited_loading = store_sums(job, beat, state.stored, p.load_half, loaded);
        }
        saturations += static_cast<uint8_t>((limited_loading + limited_merge) +
                                            (limited_0 + limited_1));
        state = next_inverse(job, state);
    }
    count.trips = trips;
    count.saturations = saturations;
}

#endif
