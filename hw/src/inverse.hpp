// The inverse transform: words of spectra in, values out, four points a trip.
//
// A batch is 128 points, 32 rows of four slots, and what happens to a row happens a fixed number of
// trips after it came: the whole unit is one pipeline, whose control is the number of the trip.
//   - A row is stored.
//   - When the row that mirrors it has come too, the lower half of the one is merged with the upper
//     half of the other, and each half stored where it belongs.
//   - When all halves are there in time, rows leave the second memory: the even ones of a batch, then
//     the odd ones.
//   - They pass the stages, the neighbours first, distances 1 to 64, with a commutator before each
//     stage from the third on and behind the last.  All block sizes take all stages: those beyond
//     a block leave its points as they are, so that the order never depends on k.
//   - They come out in natural order, block after block.
//
// A place in the batch is p6 ... p0.  Its bits stand in the trip's number, the highest first, and in
// the lane's: p2 p6 p5 p4 p3 and p1 p0 where rows leave the second memory.  A stage combines p0, p1
// or what the commutator before it has brought into the lane: p2 for p1, p3 for p2 and so on, and in
// the end p1 for p6: p6 p5 p4 p3 p2 and p1 p0.
//
// After the last row come rows of zeros, whose transform is zeros: they are never limited.
#ifndef CIRCNN_INVERSE_HPP
#define CIRCNN_INVERSE_HPP

#include "merge.hpp"
#include "silicon.hpp"
#include "types.hpp"

// -- what a layer asks for, and the state -------------------------------------------------------

// Trips of the commutators, and of those in front of each stage.
constexpr uint8_t kDelays = 16 + 1 + 2 + 4 + 8 + 16;
constexpr uint8_t kDelay[kStages] = {0, 0, 16, 17, 19, 23, 31};

constexpr uint8_t kRowMask = 2 * kGroups - 1, kTripsMask = 127;

// When a layer's first row of sums is merged, leaves the second memory and leaves the unit: the rows
// that these have in the unit's first trip, and the trips that the unit's end is after them.
struct InverseTimes {
    uint8_t first_merged, first_gone, merged_until, until;
};

// In a block of R rows, row R/2 waits for row R - 1, and its upper half is merged in the trip of that
// one; it leaves R/4 trips after the block's first row.  A batch's row 30 leaves in its 16th trip.
constexpr InverseTimes inverse_times(int block_log2) {
    const int rows = block_log2 > 3 ? 1 << (block_log2 - 3) : 1;
    const int merged = CIRCNN_LATENCY_LOADED + (rows - 1) / 2;
    const int gone = merged + CIRCNN_LATENCY_READY + kGroups / 2 - 1 + rows / 4;
    return InverseTimes{static_cast<uint8_t>(-merged & kRowMask),
                        static_cast<uint8_t>(-gone & kRowMask),
                        static_cast<uint8_t>(gone - merged + kDelays),
                        static_cast<uint8_t>(gone + kDelays)};
}

struct InverseTimesTable {
    InverseTimes of[CIRCNN_LIMIT_BLOCK_LOG2 + 1];
};

constexpr InverseTimesTable make_inverse_times() {
    InverseTimesTable t = {};
    for (int log2 = 0; log2 <= CIRCNN_LIMIT_BLOCK_LOG2; log2++) t.of[log2] = inverse_times(log2);
    return t;
}

constexpr InverseTimesTable kInverseTimes = make_inverse_times();

struct InverseJob {
    bool present;  // whether the layer has a transform at all
    uint8_t shifts;  // bit 0: the merge halves, bit s + 1: stage s does
    uint8_t active;  // bit s: stage s lies within a block
    InverseTimes times;
    Mirror mirror;
};

inline InverseJob inverse_job(bool spectral, const int32_t numbers[kNumbers]) {
    const int log2 = numbers[steps::block_log2] & 15;
    InverseJob job;
    job.present = spectral;
    job.shifts = static_cast<uint8_t>(numbers[steps::inverse_shifts]);
    job.active = static_cast<uint8_t>(log2 > 0 ? (1 << (log2 - 1)) - 1 : 0);
    job.mirror = mirror_of(log2);
    job.times = kInverseTimes.of[log2];
    return job;
}

struct InverseState {
    uint8_t came, merged, gone;  // rows of two batches: that comes, is merged, leaves the memories
    uint8_t until;  // trips until the first values leave
    bool ended;  // the layer's last sums have come
    uint8_t left;  // then: trips until their values leave
};

inline InverseState first_inverse(const InverseJob &job) {
    InverseState s;
    s.came = 0;
    s.merged = job.times.first_merged;
    s.gone = job.times.first_gone;
    s.until = s.left = job.times.until;
    s.ended = false;
    return s;
}

inline InverseState next_inverse(const InverseState &s, bool last) {
#pragma HLS INLINE
    InverseState n;
    n.came = static_cast<uint8_t>((s.came + 1) & kRowMask);
    n.merged = static_cast<uint8_t>((s.merged + 1) & kRowMask);
    n.gone = static_cast<uint8_t>((s.gone + 1) & kRowMask);
    n.until = static_cast<uint8_t>((s.until & kTripsMask) - (s.until == 0 ? 0 : 1));
    n.ended = s.ended || last;
    n.left = static_cast<uint8_t>((s.left & kTripsMask) - (s.ended ? 1 : 0));
    return n;
}

// Whether what is merged, or what is at a stage, are points of the layer: until its first ones come,
// a stage takes what is there.
inline bool merges(const InverseJob &job, const InverseState &s) {
    return (s.until & kTripsMask) <= (job.times.merged_until & kTripsMask);
}

template <int Stage>
inline bool reached(const InverseState &s) {
    return (s.until & kTripsMask) <= kDelays - kDelay[Stage];
}

// The trip of the batch whose points are at a stage.
template <int Stage>
inline uint8_t trip_of(const InverseState &s) {
    return static_cast<uint8_t>((s.gone + kGroups - kDelay[Stage]) & (kGroups - 1));
}

inline uint8_t counted_if(bool counts, uint8_t count) {
    return counts ? count : static_cast<uint8_t>(0);
}

// -- memories -----------------------------------------------------------------------------------

// Two batches, a bank for each lane.
constexpr Ram kSlotsRam = {"slots", 2 * kGroups, 1, 1, CIRCNN_LATENCY_LOADED};
constexpr Ram kMergedRam = {"merged", 2 * kGroups, 1, 1, CIRCNN_LATENCY_READY};

// -- stages -------------------------------------------------------------------------------------

// Of a stage at distance 2^Stage: the conjugates of W^(128 j / 2^Stage) of the circle of 256, with j
// the pair's place below the distance.
template <int Stage>
constexpr Factors<Stage> make_inverse_factors() {
    Factors<Stage> f = {};
    for (int j = 0; j < 1 << Stage; j++) set_factor(f, j, j << (7 - Stage), true);
    return f;
}

// The same for even places alone.
template <int Stage>
constexpr Factors<Stage - 1> make_even_factors() {
    Factors<Stage - 1> f = {};
    for (int j = 0; j < 1 << (Stage - 1); j++) set_factor(f, j, j << (8 - Stage), true);
    return f;
}

template <int Stage>
struct InverseFactors {
    static constexpr Factors<Stage> all = make_inverse_factors<Stage>();
    static constexpr Factors<Stage - 1> even = make_even_factors<Stage>();
};

template <int Stage>
constexpr Factors<Stage> InverseFactors<Stage>::all;
template <int Stage>
constexpr Factors<Stage - 1> InverseFactors<Stage>::even;

inline bool bit_of(uint8_t bits, int bit) { return ((bits >> bit) & 1) != 0; }

// From the third stage on: the lanes' low bit is p0, the trip's highest p1, its lowest are p2 and so
// on.  A stage that is not active has a factor of 1.
template <int Stage>
inline int place_below(uint8_t trip) {
    return (trip & ((1 << (Stage - 2)) - 1)) << 1 | ((trip >> 4) & 1);
}

template <int Stage>
inline uint8_t inverse_stage(const InverseJob &job, uint8_t trip, Point x[kGroup]) {
#pragma HLS INLINE
    const bool active = bit_of(job.active, Stage), halve = bit_of(job.shifts, Stage + 1);
    const int place = place_below<Stage>(trip);
    const int even = active ? place : 0, odd = active ? place << 1 | 1 : 0;
    uint8_t turned_even, turned_odd;
    const Point a = x[0], b = x[1];
    const Point t = rotated(x[2], factor_at(InverseFactors<Stage>::even, even), turned_even);
    const Point u = rotated(x[3], factor_at(InverseFactors<Stage>::all, odd), turned_odd);
    const uint8_t added_even = combine(a, t, active, halve, x[0], x[2]);
    const uint8_t added_odd = combine(b, u, active, halve, x[1], x[3]);
    return static_cast<uint8_t>((turned_even + turned_odd) + (added_even + added_odd));
}

// At distance 4 the even place's factor is 1 or i.
template <>
inline uint8_t inverse_stage<2>(const InverseJob &job, uint8_t trip, Point x[kGroup]) {
#pragma HLS INLINE
    const bool active = bit_of(job.active, 2), halve = bit_of(job.shifts, 3);
    const int place = place_below<2>(trip);
    uint8_t turned;
    const Point a = x[0], b = x[1];
    const Point t = choose(active && place != 0, quarter_turn<true>(x[2]), x[2]);
    const Point u = rotated(x[3], factor_at(InverseFactors<2>::all, active ? place << 1 | 1 : 0),
                            turned);
    const uint8_t added_even = combine(a, t, active, halve, x[0], x[2]);
    const uint8_t added_odd = combine(b, u, active, halve, x[1], x[3]);
    return static_cast<uint8_t>(turned + (added_even + added_odd));
}

// Distances 1 and 2, over the two bits of the lane: 1 is the only factor of the one, and of the other
// where p0 is 0, i where it is 1.
inline uint8_t first_stage(const InverseJob &job, Point x[kGroup]) {
#pragma HLS INLINE
    const bool active = bit_of(job.active, 0), halve = bit_of(job.shifts, 1);
    const Point a = x[0], b = x[2];
    const uint8_t one = combine(a, x[1], active, halve, x[0], x[1]);
    const uint8_t two = combine(b, x[3], active, halve, x[2], x[3]);
    return static_cast<uint8_t>(one + two);
}

inline uint8_t second_stage(const InverseJob &job, Point x[kGroup]) {
#pragma HLS INLINE
    const bool active = bit_of(job.active, 1), halve = bit_of(job.shifts, 2);
    const Point a = x[0], b = x[1];
    const Point t = choose(active, quarter_turn<true>(x[3]), x[3]);
    const uint8_t one = combine(a, x[2], active, halve, x[0], x[2]);
    const uint8_t two = combine(b, t, active, halve, x[1], x[3]);
    return static_cast<uint8_t>(one + two);
}

// A commutator of points that all count.
template <int Depth>
inline void exchange(Commutator<Depth, Complex> &c, bool crossed, Point x[kGroup]) {
#pragma HLS INLINE
    Complex y[kGroup];
#pragma HLS ARRAY_PARTITION variable = y complete
    for (int i = 0; i < kGroup; i++) {
#pragma HLS UNROLL
        y[i] = Complex{x[i].re, x[i].im};
    }
    commute(c, crossed, y);
    for (int i = 0; i < kGroup; i++) {
#pragma HLS UNROLL
        x[i] = Point{y[i].re, y[i].im, true};
    }
}

// The delays, by the distance of the stage that they lead to.
struct InverseDelays {
    Commutator<16, Complex> to_4;
    Commutator<1, Complex> to_8;
    Commutator<2, Complex> to_16;
    Commutator<4, Complex> to_32;
    Commutator<8, Complex> to_64;
    Commutator<16, Complex> to_values;
};

// -- the unit -----------------------------------------------------------------------------------

inline SumBeat no_sums() {
    SumBeat beat;
    for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
        beat.w[i] = 0;
    }
    beat.last = false;
    return beat;
}

inline void inverse_transform(const InverseJob job, SumStream &in, ValueStream &out, Count &count) {
    if (!job.present) return;
    Complex slots[kGroup][2 * kGroups];
    Complex merged[kGroup][2 * kGroups];
#pragma HLS ARRAY_PARTITION variable = slots complete dim = 1
#pragma HLS ARRAY_PARTITION variable = merged complete dim = 1
#pragma HLS BIND_STORAGE variable = slots type = ram_s2p impl = lutram
#pragma HLS BIND_STORAGE variable = merged type = ram_s2p impl = lutram
    // until the first row arrives, a stage takes what is there, and nobody takes what it makes
    CIRCNN_ANY_CONTENT(slots);
    CIRCNN_ANY_CONTENT(merged);
    InverseDelays delays;
    any_content(delays.to_4);
    any_content(delays.to_8);
    any_content(delays.to_16);
    any_content(delays.to_32);
    any_content(delays.to_64);
    any_content(delays.to_values);
    InverseState state = first_inverse(job);
    uint32_t trips = 0, saturations = 0;
    CIRCNN_LOOP("inverse");
inverse:
    for (uint32_t turn = 0; turn < kMaxTrips; turn++) {
#pragma HLS PIPELINE II = 1
#pragma HLS DEPENDENCE variable = slots inter RAW distance = 6 true
#pragma HLS DEPENDENCE variable = merged inter RAW distance = 12 true
        static_assert(CIRCNN_LATENCY_LOADED == 6 && CIRCNN_LATENCY_READY == 12,
                      "the pragmas state the contract's latencies");
        if (state.left == 0) break;
        CIRCNN_TRIP();
        trips++;
        // the last memory first: a trip reads what a later part of it writes
        const int from = even_first(state.gone);
        Point x[kGroup];
#pragma HLS ARRAY_PARTITION variable = x complete
        for (int i = 0; i < kGroup; i++) {
#pragma HLS UNROLL
            if (reached<0>(state)) {
                CIRCNN_READS(merged[i], from, kMergedRam);
            }
            x[i] = Point{merged[i][from].re, merged[i][from].im, true};
        }
        const bool merging = merges(job, state);
        const MirrorRows rows = mirror_rows(state.merged, job.mirror);
        Complex y[kGroup];
#pragma HLS ARRAY_PARTITION variable = y complete
        for (int i = 0; i < kGroup; i++) {
#pragma HLS UNROLL
            const int row = i < kGroup / 2 ? rows.low : rows.high;
            if (merging) {
                CIRCNN_READS(slots[i], row, kSlotsRam);
            }
            y[i] = slots[i][row];
        }
        const uint8_t limited_merge = merge_rows(job.mirror, rows, bit_of(job.shifts, 0), y);
        for (int i = 0; i < kGroup; i++) {
#pragma HLS UNROLL
            const int row = i < kGroup / 2 ? rows.low : rows.high;
            if (merging) {
                CIRCNN_WRITES(merged[i], row, kMergedRam);
                merged[i][row] = y[i];
            }
        }
        const SumBeat beat = state.ended ? no_sums() : in.read();
        for (int i = 0; i < kGroup; i++) {
#pragma HLS UNROLL
            CIRCNN_WRITES(slots[i], state.came, kSlotsRam);
            slots[i][state.came] = Complex{beat.w[2 * i], beat.w[2 * i + 1]};
        }
        // the stages
        const uint8_t limited_0 = first_stage(job, x);
        const uint8_t limited_1 = second_stage(job, x);
        exchange(delays.to_4, bit_of(trip_of<1>(state), 4), x);
        const uint8_t limited_2 = inverse_stage<2>(job, trip_of<2>(state), x);
        exchange(delays.to_8, bit_of(trip_of<2>(state), 0), x);
        const uint8_t limited_3 = inverse_stage<3>(job, trip_of<3>(state), x);
        exchange(delays.to_16, bit_of(trip_of<3>(state), 1), x);
        const uint8_t limited_4 = inverse_stage<4>(job, trip_of<4>(state), x);
        exchange(delays.to_32, bit_of(trip_of<4>(state), 2), x);
        const uint8_t limited_5 = inverse_stage<5>(job, trip_of<5>(state), x);
        exchange(delays.to_64, bit_of(trip_of<5>(state), 3), x);
        const uint8_t limited_6 = inverse_stage<6>(job, trip_of<6>(state), x);
        exchange(delays.to_values, bit_of(trip_of<6>(state), 4), x);
        if (state.until == 0) {
            ValueBeat values;
            for (int i = 0; i < kGroup; i++) {
#pragma HLS UNROLL
                values.w[2 * i] = x[i].re;
                values.w[2 * i + 1] = x[i].im;
            }
            out.write(values);
        }
        const int early = counted_if(merging, limited_merge) +
                          counted_if(reached<0>(state), limited_0) +
                          counted_if(reached<1>(state), limited_1) +
                          counted_if(reached<2>(state), limited_2);
        const int late = counted_if(reached<3>(state), limited_3) +
                         counted_if(reached<4>(state), limited_4) +
                         counted_if(reached<5>(state), limited_5) +
                         counted_if(reached<6>(state), limited_6);
        saturations += static_cast<uint32_t>((early & 63) + (late & 63));
        state = next_inverse(state, beat.last);
    }
    count.trips = trips;
    count.saturations = saturations;
}

#endif
