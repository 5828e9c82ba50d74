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

// Four points and a mark, which is of all four in the first lane and in the second.
struct Place {
    Word re, im;
    bool mark;
};

constexpr int kPlaceRows = 2 * kSlotRows;
constexpr Ram kCameRam = {"came", kPlaceRows, 1, 1, CIRCNN_LATENCY_LOADED};
constexpr Ram kSplitRam = {"split", kPlaceRows, 1, 1, CIRCNN_LATENCY_READY};

// Trips from the points of a batch to its first row: row 1 comes after all even rows.
constexpr int kCameWait = kSlotRows / 2 - 1 + CIRCNN_LATENCY_LOADED;

// -- what a layer asks for, and the state -------------------------------------------------------

struct SplitJob {
    bool present;  // whether the layer has a transform at all
    bool halve;
    Mirror mirror;
    uint8_t first;  // place of the first points that come: those of no batch go before
    uint8_t ready_wait;  // trips from a row's split to its sending
    uint8_t wait;  // from the first points that come to the first row that is sent
};

inline SplitJob split_job(const Layer &layer, uint8_t first_group) {
    const int log2 = layer.d.block_log2;
    SplitJob job;
    job.present = traits_of(layer).spectral != 0;
    job.mirror = mirror_of(log2);
    job.halve = log2 > 0 && ((layer.d.forward_shifts >> (log2 - 1)) & 1) != 0;
    const int ready_wait = CIRCNN_LATENCY_READY + job.mirror.row_mask / 2;
    const int before = kForwardDelay - first_group;
    job.first = static_cast<uint8_t>(-before & (kPlaceRows - 1));
    job.ready_wait = static_cast<uint8_t>(ready_wait);
    job.wait = static_cast<uint8_t>(before + kCameWait + ready_wait);
    return job;
}

struct SplitState {
    uint8_t came;  // place of the points that come in this trip, in two batches
    uint8_t split, sent;  // row that is split, that is sent
    uint8_t wait;  // trips until a row is sent
    bool ended;  // all points have come
    uint8_t left;  // trips until the last row has been sent
    bool finished;
};

inline SplitState first_split(const SplitJob &job) {
    const int split = job.first - kCameWait;
    return SplitState{job.first,
                      static_cast<uint8_t>(split & (kPlaceRows - 1)),
                      static_cast<uint8_t>((split - job.ready_wait) & (kPlaceRows - 1)),
                      job.wait,
                      false,
                      static_cast<uint8_t>(kCameWait + job.ready_wait),
                      false};
}

inline bool splits(const SplitJob &job, const SplitState &s) {
    return s.wait <= job.ready_wait && s.left > job.ready_wait;
}

inline bool sends(const SplitState &s) { return s.wait == 0; }

inline SplitState next_split(const SplitState &s, bool last) {
#pragma HLS INLINE
    SplitState n;
    n.came = static_cast<uint8_t>((s.came + 1) & (kPlaceRows - 1));
    n.split = static_cast<uint8_t>((s.split + 1) & (kPlaceRows - 1));
    n.sent = static_cast<uint8_t>((s.sent + 1) & (kPlaceRows - 1));
    n.wait = static_cast<uint8_t>(s.wait == 0 ? 0 : s.wait - 1);
    n.ended = s.ended || last;
    n.left = static_cast<uint8_t>(s.ended ? s.left - 1 : s.left);
    n.finished = s.ended && s.left == 1;
    return n;
}

// -- memories -----------------------------------------------------------------------------------

// Even rows come first: a row's last bit is the highest of the trip in its batch.
inline int came_row(int came) {
    return (came & kSlotRows) | (came << 1 & (kSlotRows - 2)) | (came >> 4 & 1);
}

inline void write_came(int came, const PointBeat &points, Place memory[kGroup][kPlaceRows]) {
#pragma HLS INLINE
    const int row = came_row(came);
    for (int i = 0; i < kGroup; i++) {
#pragma HLS UNROLL
        CIRCNN_WRITES(memory[i], row, kCameRam);
        memory[i][row] = Place{points.w[2 * i], points.w[2 * i + 1],
                               i % 2 == 0 ? points.counted : points.kept};
    }
}

// The lower half of one row and the upper half of another; returns whether the first is kept.
inline bool read_came(int half, const MirrorRows &rows, bool used,
                      const Place memory[kGroup][kPlaceRows], Point x[kGroup]) {
#pragma HLS INLINE
    Place raw[kGroup];
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
        x[i] = Point{raw[i].re, raw[i].im, raw[0].mark};
    }
    return raw[1].mark;
}

inline void write_ready(int half, const MirrorRows &rows, bool kept, const Point x[kGroup],
                        Place memory[kGroup][kPlaceRows]) {
#pragma HLS INLINE
    for (int i = 0; i < kGroup; i++) {
#pragma HLS UNROLL
        const int row = half | (i < kGroup / 2 ? rows.low : rows.high);
        CIRCNN_WRITES(memory[i], row, kSplitRam);
        memory[i][row] = Place{x[i].re, x[i].im, kept};
    }
}

// Returns whether the row is kept.
inline bool read_ready(int row, bool used, const Place memory[kGroup][kPlaceRows],
                       SpectraBeat &beat) {
#pragma HLS INLINE
    Place raw[kGroup];
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
    return raw[1].mark;
}

// -- arithmetic ---------------------------------------------------------------------------------

constexpr Factors<5> make_split_factors(int pair) {
    Factors<5> f = {};
    for (int row = 0; row < kSlotRows; row++) set_factor(f, row, mirror_bin(row, pair), false);
    return f;
}

constexpr Factors<5> kSplit0 = make_split_factors(0);
constexpr Factors<5> kSplit1 = make_split_factors(1);

// A pair's two slots z and c, the even one first.  E = (Z[m] + conj Z[N-m]) / 2 and
// O = -i (Z[m] - conj Z[N-m]) / 2 never leave 16 bits.  Slot 0 is the sum and the difference of two
// real numbers, with the middle bin beside it; for k = 2 both are slots 0, and for k = 1 both stay
// as they are.
inline uint8_t split_pair(const SplitJob &job, const Factor &w, bool zero, Point &z, Point &c) {
#pragma HLS INLINE
    const bool single = job.mirror.single;
    const Word none = 0;
    const Point e = half_sum(z, c);
    const Point o = {static_cast<Word>((z.im + c.im) >> 1), static_cast<Word>((c.re - z.re) >> 1),
                     z.counted};
    const Point re = {z.re, single ? c.re : none, z.counted};
    const Point im = {z.im, single ? c.im : none, z.counted};
    uint8_t turned;
    const Point t = rotated<false>(choose(zero, im, o), w, turned);
    Point high, low;
    const uint8_t added = combine(choose(zero, re, e), t, !job.mirror.plain, job.halve, high, low);
    const Point conjugate = {low.re, static_cast<Word>(-low.im), low.counted};
    const Point first = {high.re, low.re, high.counted}, second = {high.im, low.im, high.counted};
    const Point beside = choose(single, second, middle_bin(c, job.halve));
    z = choose(zero, first, high);
    c = choose(zero, beside, conjugate);
    return static_cast<uint8_t>(turned + added);
}

// -- the unit -----------------------------------------------------------------------------------

inline void split_spectra(const SplitJob job, PointStream &in, RowStream &out, Count &count) {
    if (!job.present) return;
    Place came[kGroup][kPlaceRows];
    Place ready[kGroup][kPlaceRows];
#pragma HLS ARRAY_PARTITION variable = came complete dim = 1
#pragma HLS ARRAY_PARTITION variable = ready complete dim = 1
#pragma HLS BIND_STORAGE variable = came type = ram_1wnr impl = lutram
#pragma HLS BIND_STORAGE variable = ready type = ram_1wnr impl = lutram
    // points of no beat are split too, but neither counted nor used
    CIRCNN_ANY_CONTENT(came);
    CIRCNN_ANY_CONTENT(ready);
    SplitState state = first_split(job);
    uint32_t trips = 0, saturations = 0;
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
        trips++;
        // sends, splits and takes in this order: each reads what a later part of a trip writes
        SpectraBeat beat;
        const bool kept = read_ready(state.sent, sends(state), ready, beat);
        if (sends(state) && kept) out.write(beat);
        const bool splitting = splits(job, state);
        const int half = state.split & kSlotRows;
        const MirrorRows rows = mirror_rows(state.split & (kSlotRows - 1), job.mirror);
        Point x[kGroup];
#pragma HLS ARRAY_PARTITION variable = x complete
        const bool keeps = read_came(half, rows, splitting, came, x);
        pair_up(rows.first, x);
        uint8_t counts[kRowPairs];
#pragma HLS ARRAY_PARTITION variable = counts complete
        for (int i = 0; i < kRowPairs; i++) {
#pragma HLS UNROLL
            const bool zero = is_zero(job.mirror, rows, i);
            const Factor w = factor_at(i == 0 ? kSplit0 : kSplit1, rows.in_block, zero, false);
            counts[i] = split_pair(job, w, zero, x[2 * i], x[2 * i + 1]);
        }
        pair_up(rows.first, x);
        if (splitting) {
            saturations += static_cast<uint8_t>(counts[0] + counts[1]);
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
    count.trips = trips;
    count.saturations = saturations;
}

#endif
