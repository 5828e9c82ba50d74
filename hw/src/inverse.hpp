// The inverse transform: words of spectra in, values out, four points a trip.
//
// A batch is 128 points, 32 rows of four slots, and what happens to a row happens a fixed number of
// trips after it came: the whole unit is one pipeline, whose control is the number of the trip.
//   - A row is stored.
//   - Half a batch later it is merged with its mirror image: the lower half of one row with the upper
//     half of the other.  For k = 256 the trip of row 16 needs row 31.
//   - When their halves are together again, rows leave the second memory: the even ones of a batch,
//     then the odd ones.
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

struct InverseJob {
    bool present;  // whether the layer has a transform at all
    uint8_t shifts;  // bit 0: the merge halves, bit s + 1: stage s does
    uint8_t active;  // bit s: stage s lies within a block
    Mirror mirror;
};

inline InverseJob inverse_job(const Layer &layer) {
    const int log2 = layer.d.block_log2;
    InverseJob job;
    job.present = traits_of(layer).spectral != 0;
    job.shifts = static_cast<uint8_t>(layer.d.inverse_shifts);
    job.active = static_cast<uint8_t>(log2 > 0 ? (1 << (log2 - 1)) - 1 : 0);
    job.mirror = mirror_of(log2);
    return job;
}

// How many trips after it came a row is merged, leaves the second memory, passes a stage, leaves.
// Of a batch of k = 256 row 31 is merged 15 trips after it would be if rows came in time, and row
// 16, whose upper half is merged last, leaves in the ninth trip.
constexpr uint8_t kMergeTrip = kGroups / 2 - 1 + CIRCNN_LATENCY_LOADED;
constexpr uint8_t kMergedTrip = kMergeTrip + kGroups - 1 + CIRCNN_LATENCY_READY - kGroups / 4;
constexpr uint8_t kStageTrip[kStages] = {
    kMergedTrip,      kMergedTrip,      kMergedTrip + 16, kMergedTrip + 17,
    kMergedTrip + 19, kMergedTrip + 23, kMergedTrip + 31,
};
constexpr uint8_t kValuesTrip = kMergedTrip + 47;

static_assert(kValuesTrip < 128, "the trips from a row to its values have seven bits");

struct InverseState {
    uint8_t row;  // of two batches: six bits
    uint8_t age;  // trips until now, up to kValuesTrip
    bool ended;  // the layer's last sums have come
    uint8_t left;  // then: trips until their values leave
};

inline InverseState first_inverse() { return InverseState{0, 0, false, kValuesTrip}; }

inline InverseState next_inverse(const InverseState &s, bool last) {
#pragma HLS INLINE
    InverseState n;
    n.row = static_cast<uint8_t>((s.row + 1) & (2 * kGroups - 1));
    n.age = static_cast<uint8_t>((s.age & 127) + (s.age == kValuesTrip ? 0 : 1));
    n.ended = s.ended || last;
    n.left = static_cast<uint8_t>((s.left & 127) - (s.ended ? 1 : 0));
    return n;
}

// The row of two batches that came `trips` ago.
inline uint8_t row_before(const InverseState &s, int trips) {
    return static_cast<uint8_t>((s.row + 4 * kGroups - trips) & (2 * kGroups - 1));
}

// The saturations of what came `trips` ago: none before the first row.
inline uint8_t counted_after(const InverseState &s, int trips, uint8_t count) {
    return static_cast<uint8_t>((s.age & 127) >= trips ? count & 15 : 0);
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
inline uint8_t neighbours(const InverseJob &job, Point x[kGroup]) {
#pragma HLS INLINE
    const bool active = bit_of(job.active, 0), halve = bit_of(job.shifts, 1);
    const Point a = x[0], b = x[2];
    const uint8_t one = combine(a, x[1], active, halve, x[0], x[1]);
    const uint8_t two = combine(b, x[3], active, halve, x[2], x[3]);
    return static_cast<uint8_t>(one + two);
}

inline uint8_t next_neighbours(const InverseJob &job, Point x[kGroup]) {
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
    Commutator<16, Complex> to_4;
    Commutator<1, Complex> to_8;
    Commutator<2, Complex> to_16;
    Commutator<4, Complex> to_32;
    Commutator<8, Complex> to_64;
    Commutator<16, Complex> to_values;
#pragma HLS ARRAY_PARTITION variable = to_4.before complete dim = 0
#pragma HLS ARRAY_PARTITION variable = to_4.behind complete dim = 0
#pragma HLS ARRAY_PARTITION variable = to_8.before complete dim = 0
#pragma HLS ARRAY_PARTITION variable = to_8.behind complete dim = 0
#pragma HLS ARRAY_PARTITION variable = to_16.before complete dim = 0
#pragma HLS ARRAY_PARTITION variable = to_16.behind complete dim = 0
#pragma HLS ARRAY_PARTITION variable = to_32.before complete dim = 0
#pragma HLS ARRAY_PARTITION variable = to_32.behind complete dim = 0
#pragma HLS ARRAY_PARTITION variable = to_64.before complete dim = 0
#pragma HLS ARRAY_PARTITION variable = to_64.behind complete dim = 0
#pragma HLS ARRAY_PARTITION variable = to_values.before complete dim = 0
#pragma HLS ARRAY_PARTITION variable = to_values.behind complete dim = 0
    any_content(to_4);
    any_content(to_8);
    any_content(to_16);
    any_content(to_32);
    any_content(to_64);
    any_content(to_values);
    InverseState state = first_inverse();
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
        const uint8_t leaving = row_before(state, kMergedTrip);
        const int from = (leaving & kGroups) | ((leaving << 1) & (kGroups - 1)) |
                         bit_of(leaving, 4);
        Point x[kGroup];
#pragma HLS ARRAY_PARTITION variable = x complete
        for (int i = 0; i < kGroup; i++) {
#pragma HLS UNROLL
            if (state.age >= kMergedTrip) {
                CIRCNN_READS(merged[i], from, kMergedRam);
            }
            x[i] = Point{merged[i][from].re, merged[i][from].im, true};
        }
        const uint8_t merging = row_before(state, kMergeTrip);
        const MirrorRows rows = mirror_rows(merging, job.mirror);
        Complex y[kGroup];
#pragma HLS ARRAY_PARTITION variable = y complete
        for (int i = 0; i < kGroup; i++) {
#pragma HLS UNROLL
            const int row = i < kGroup / 2 ? rows.low : rows.high;
            if (state.age >= kMergeTrip) {
                CIRCNN_READS(slots[i], row, kSlotsRam);
            }
            y[i] = slots[i][row];
        }
        const uint8_t limited_merge = merge_rows(job.mirror, rows, bit_of(job.shifts, 0), y);
        for (int i = 0; i < kGroup; i++) {
#pragma HLS UNROLL
            const int row = i < kGroup / 2 ? rows.low : rows.high;
            if (state.age >= kMergeTrip) {
                CIRCNN_WRITES(merged[i], row, kMergedRam);
                merged[i][row] = y[i];
            }
        }
        const SumBeat beat = state.ended ? no_sums() : in.read();
        for (int i = 0; i < kGroup; i++) {
#pragma HLS UNROLL
            CIRCNN_WRITES(slots[i], state.row, kSlotsRam);
            slots[i][state.row] = Complex{beat.w[2 * i], beat.w[2 * i + 1]};
        }
        // the stages
        const uint8_t limited_0 = neighbours(job, x);
        const uint8_t limited_1 = next_neighbours(job, x);
        exchange(to_4, bit_of(row_before(state, kStageTrip[1]), 4), x);
        const uint8_t limited_2 = inverse_stage<2>(job, row_before(state, kStageTrip[2]), x);
        exchange(to_8, bit_of(row_before(state, kStageTrip[2]), 0), x);
        const uint8_t limited_3 = inverse_stage<3>(job, row_before(state, kStageTrip[3]), x);
        exchange(to_16, bit_of(row_before(state, kStageTrip[3]), 1), x);
        const uint8_t limited_4 = inverse_stage<4>(job, row_before(state, kStageTrip[4]), x);
        exchange(to_32, bit_of(row_before(state, kStageTrip[4]), 2), x);
        const uint8_t limited_5 = inverse_stage<5>(job, row_before(state, kStageTrip[5]), x);
        exchange(to_64, bit_of(row_before(state, kStageTrip[5]), 3), x);
        const uint8_t limited_6 = inverse_stage<6>(job, row_before(state, kStageTrip[6]), x);
        exchange(to_values, bit_of(row_before(state, kStageTrip[6]), 4), x);
        if (state.age == kValuesTrip) {
            ValueBeat values;
            for (int i = 0; i < kGroup; i++) {
#pragma HLS UNROLL
                values.w[2 * i] = x[i].re;
                values.w[2 * i + 1] = x[i].im;
            }
            out.write(values);
        }
        const int first = counted_after(state, kMergeTrip, limited_merge) +
                          counted_after(state, kStageTrip[0], limited_0);
        const int second = counted_after(state, kStageTrip[1], limited_1) +
                           counted_after(state, kStageTrip[2], limited_2);
        const int third = counted_after(state, kStageTrip[3], limited_3) +
                          counted_after(state, kStageTrip[4], limited_4);
        const int fourth = counted_after(state, kStageTrip[5], limited_5) +
                           counted_after(state, kStageTrip[6], limited_6);
        saturations += static_cast<uint8_t>((first + second) + (third + fourth));
        state = next_inverse(state, beat.last);
    }
    count.trips = trips;
    count.saturations = saturations;
}

#endif
