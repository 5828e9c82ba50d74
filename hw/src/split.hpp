// The split: points of the forward transform in, rows of packed half spectra out.
//
// All in one rhythm: every trip takes four points, splits two pairs of points that came earlier
// (mirror.hpp), and sends four that were split earlier still.  A batch is split as soon as a row of
// four slots and the row that mirrors it have come and landed, row after row, and a row is sent as
// soon as all of it has been split.  Both memories hold two batches.
#ifndef CIRCNN_SPLIT_HPP
#define CIRCNN_SPLIT_HPP

#include "forward.hpp"
#include "mirror.hpp"
#include "silicon.hpp"

// Two batches, a bank for each lane.  The marks of a row stand with its points: whether it is counted
// in lane 0, whether it is kept in lane 1.
constexpr int kPlaces = 2 * kGroups;
constexpr Ram kCameRam = {"came", kPlaces, 1, 1, CIRCNN_LATENCY_LOADED};
constexpr Ram kSplitRam = {"split", kPlaces, 1, 1, CIRCNN_LATENCY_READY};

// Trips from the points of a batch to its first row: row 1 comes after all even rows.
constexpr int kCameWait = kGroups / 2 - 1 + CIRCNN_LATENCY_LOADED;

// -- what a layer asks for, and the state -------------------------------------------------------

struct SplitJob {
    bool present;  // whether the layer has a transform at all
    bool halve;
    Mirror mirror;
    uint8_t ready_wait;  // trips from a row's split to its sending
};

inline SplitJob split_job(bool spectral, const int32_t numbers[kNumbers]) {
    const int log2 = numbers[steps::block_log2] & 15;
    SplitJob job;
    job.present = spectral;
    job.mirror = mirror_of(log2);
    job.halve = log2 > 0 && ((numbers[steps::forward_shifts] >> (log2 - 1)) & 1) != 0;
    job.ready_wait = static_cast<uint8_t>(CIRCNN_LATENCY_READY + job.mirror.row_mask / 2);
    return job;
}

struct SplitState {
    uint8_t came;  // place of the points that come in this trip, in two batches
    uint8_t split, sent;  // row that is split, that is sent
    uint8_t wait;  // trips until a row is sent
    bool ended;  // all points have come
    uint8_t left;  // then: trips until the last row has been sent
    bool finished;
};

inline SplitState first_split(const SplitJob &job) {
    const uint8_t all = static_cast<uint8_t>(kCameWait + job.ready_wait);
    return SplitState{0,
                      static_cast<uint8_t>(kPlaces - kCameWait),
                      static_cast<uint8_t>((kPlaces - all) & (kPlaces - 1)),
                      all,
                      false,
                      all,
                      false};
}

inline bool splits(const SplitJob &job, const SplitState &s) {
    return s.wait <= job.ready_wait && s.left > job.ready_wait;
}

inline bool sends(const SplitState &s) { return s.wait == 0; }

inline SplitState next_split(const SplitState &s, bool last) {
#pragma HLS INLINE
    SplitState n;
    n.came = static_cast<uint8_t>((s.came + 1) & (kPlaces - 1));
    n.split = static_cast<uint8_t>((s.split + 1) & (kPlaces - 1));
    n.sent = static_cast<uint8_t>((s.sent + 1) & (kPlaces - 1));
    n.wait = static_cast<uint8_t>(s.wait == 0 ? 0 : s.wait - 1);
    n.ended = s.ended || last;
    n.left = static_cast<uint8_t>(s.ended ? s.left - 1 : s.left);
    n.finished = s.ended && s.left == 1;
    return n;
}

// -- memories -----------------------------------------------------------------------------------

inline void write_came(int came, const PointBeat &points, Point memory[kGroup][kPlaces]) {
#pragma HLS INLINE
    const int row = even_first(came);
    for (int i = 0; i < kGroup; i++) {
#pragma HLS UNROLL
        CIRCNN_WRITES(memory[i], row, kCameRam);
        memory[i][row] = Point{points.w[2 * i], points.w[2 * i + 1],
                               i % 2 == 0 ? points.counted : points.kept};
    }
}

// The lower half of one row and the upper half of another; returns whether the first is kept.
inline bool read_came(int half, const MirrorRows &rows, bool used,
                      const Point memory[kGroup][kPlaces], Point x[kGroup]) {
#pragma HLS INLINE
    Point raw[kGroup];
#pragma HLS ARRAY_PARTITION variable = raw complete
    for (int i = 0; i < kGroup; i++) {
#pragma HLS UNROLL
        const int row = half | (i < kGroup / 2 ? rows.low : rows.high);
        if (used) {
            CIRCNN_READS(memory[i], row, kCameRam);
        }
        raw[i] = memory[i][row];
    }
    for (int i = 0; i < kGroup; i++) {
#pragma HLS UNROLL
        x[i] = Point{raw[i].re, raw[i].im, raw[0].counted};
    }
    return raw[1].counted;
}

inline void write_ready(int half, const MirrorRows &rows, bool kept, const Point x[kGroup],
                        Point memory[kGroup][kPlaces]) {
#pragma HLS INLINE
    for (int i = 0; i < kGroup; i++) {
#pragma HLS UNROLL
        const int row = half | (i < kGroup / 2 ? rows.low : rows.high);
        CIRCNN_WRITES(memory[i], row, kSplitRam);
        memory[i][row] = Point{x[i].re, x[i].im, kept};
    }
}

// Returns whether the row is kept.
inline bool read_ready(int row, bool used, const Point memory[kGroup][kPlaces], SpectraBeat &beat) {
#pragma HLS INLINE
    Point raw[kGroup];
#pragma HLS ARRAY_PARTITION variable = raw complete
    for (int i = 0; i < kGroup; i++) {
#pragma HLS UNROLL
        if (used) {
            CIRCNN_READS(memory[i], row, kSplitRam);
        }
        raw[i] = memory[i][row];
        beat.w[2 * i] = raw[i].re;
        beat.w[2 * i + 1] = raw[i].im;
    }
    return raw[1].counted;
}

// -- arithmetic ---------------------------------------------------------------------------------

// The factors of both pairs by the number of the row in its block, 1 for slot 0.  The second half of
// the other pair's is of blocks that have a slot 0 in every second place.
constexpr Factors<5> make_split_first() {
    Factors<5> f = {};
    for (int row = 0; row < kGroups; row++) set_factor(f, row, mirror_bin(row, 0), false);
    return f;
}

constexpr Factors<6> make_split_second() {
    Factors<6> f = {};
    for (int row = 0; row < kGroups; row++) {
        set_factor(f, row, mirror_bin(row, 1), false);
        set_factor(f, kGroups + row, 0, false);
    }
    return f;
}

constexpr Factors<5> kSplitFirst = make_split_first();
constexpr Factors<6> kSplitSecond = make_split_second();

// A pair's two slots z and c, the even one first: E = (Z[m] + conj Z[N-m]) / 2 and
// O = -i (Z[m] - conj Z[N-m]) / 2 never leave 16 bits, t = O times the twiddle, and E + t and
// conj(E - t) take their place.
//
// Slot 0 becomes the sum and the difference of its two numbers.  That takes half of the adders; the
// others make what lies beside it: the middle bin, conjugated and shifted, or for k = 2 another
// slot 0.  For k = 1 nothing is added, and both points come through as they are.
inline uint8_t split_pair(const SplitJob &job, const Factor &w, bool zero, Point &z, Point &c) {
#pragma HLS INLINE
    const bool single = job.mirror.single && !job.mirror.plain;
    const Word none = 0;
    const Point e = half_sum(z, c);
    const Point o = {static_cast<Word>((z.im + c.im) >> 1), static_cast<Word>((c.re - z.re) >> 1),
                     z.counted};
    const Point a = choose(zero, Point{z.re, single ? c.im : c.re, z.counted}, e);
    const Point b = choose(zero, Point{z.im, single ? c.re : none, z.counted}, o);
    const Word a_im = zero ? c.im : e.im;  // of the difference
    uint8_t turned;
    const Point t = rotated(b, w, turned);
    const bool halve = job.halve, adds = !job.mirror.plain;
    const int32_t up = halve ? 1 : 0, up_odd = halve && !single ? 1 : 0;
    const int32_t carry = adds ? 1 : 0, all = adds ? -1 : 0;
    bool limited[4];
#pragma HLS ARRAY_PARTITION variable = limited complete
    const Word sum_re = halve_or_limit(a.re + (t.re & all) + up, halve, limited[0]);
    const Word sum_im = halve_or_limit(a.im + (t.im & all) + up, halve, limited[1]);
    const Word difference_re = halve_or_limit((a.re & all) + (t.re ^ all) + carry, halve,
                                              limited[2]);
    // with the other sign, since it is conjugated
    const Word difference_im = halve_or_limit((t.im & all) + (a_im ^ all) + carry + up_odd, halve,
                                              limited[3]);
    z = Point{sum_re, zero ? difference_re : sum_im, z.counted};
    c = Point{zero ? sum_im : difference_re, difference_im, z.counted};
    return static_cast<uint8_t>(turned + how_many(limited[0], limited[1], limited[2], limited[3]));
}

// The four slots of a trip, lower half of a row and upper half of its mirror; returns the
// saturations.
inline uint8_t split_rows(const SplitJob &job, const MirrorRows &rows, Point x[kGroup]) {
#pragma HLS INLINE
    const Mirror &m = job.mirror;
    const int second = (m.twice ? kGroups : 0) | rows.in_block;
    pair_up(rows.first, x);
    const uint8_t one = split_pair(job, factor_at(kSplitFirst, rows.in_block), is_zero(m, rows, 0),
                                   x[0], x[1]);
    const uint8_t two = split_pair(job, factor_at(kSplitSecond, second), is_zero(m, rows, 1), x[2],
                                   x[3]);
    pair_up(rows.first, x);
    return static_cast<uint8_t>(one + two);
}

// -- the unit -----------------------------------------------------------------------------------

inline void split_spectra(const SplitJob job, PointStream &in, RowStream &out, Count &count) {
    if (!job.present) return;
    Point came[kGroup][kPlaces];
    Point ready[kGroup][kPlaces];
#pragma HLS ARRAY_PARTITION variable = came complete dim = 1
#pragma HLS ARRAY_PARTITION variable = ready complete dim = 1
#pragma HLS BIND_STORAGE variable = came type = ram_1wnr impl = lutram
#pragma HLS BIND_STORAGE variable = ready type = ram_1wnr impl = lutram
    // points of no beat are split too, but neither counted nor used
    CIRCNN_ANY_CONTENT(came);
    CIRCNN_ANY_CONTENT(ready);
    SplitState state = first_split(job);
    uint32_t saturations = 0;
    uint8_t limited = 0;  // in the trip before
    count.trips = 0;
    CIRCNN_LOOP("split");
split:
    for (uint32_t turn = 0; turn < kMaxTrips; turn++) {
#pragma HLS PIPELINE II = 1
#pragma HLS DEPENDENCE variable = came inter RAW distance = 6 true
#pragma HLS DEPENDENCE variable = ready inter RAW distance = 12 true
        static_assert(CIRCNN_LATENCY_LOADED == 6 && CIRCNN_LATENCY_READY == 12,
                      "the pragmas state the contract's latencies");
        if (state.finished) break;
        CIRCNN_TRIP();
        CIRCNN_COUNT(count.trips++);
        // sends, splits and takes in this order: each reads what a later part of a trip writes
        SpectraBeat beat;
        const bool kept = read_ready(state.sent, sends(state), ready, beat);
        if (sends(state) && kept) out.write(beat);
        const bool splitting = splits(job, state);
        const int half = state.split & kGroups;
        const MirrorRows rows = mirror_rows(state.split & (kGroups - 1), job.mirror);
        Point x[kGroup];
#pragma HLS ARRAY_PARTITION variable = x complete
        const bool keeps = read_came(half, rows, splitting, came, x);
        const bool counts = splitting && x[0].counted;
        const uint8_t now = split_rows(job, rows, x);
        saturations += limited;
        limited = counts ? now : static_cast<uint8_t>(0);
        if (splitting) {
            write_ready(half, rows, keeps, x, ready);
        }
        bool last = false;
        if (!state.ended) {
            const PointBeat points = in.read();
            last = points.last;
            write_came(state.came, points, came);
        }
        state = next_split(state, last);
    }
    count.saturations = saturations;  // nothing is split in the last trip
}

#endif
