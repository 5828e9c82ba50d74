// The forward transform: blocks in, the points of half spectra out, four a trip.
//
// A chain of seven stages (stages.hpp) that takes a batch of 128 points in the order in which they
// arrive, beat by beat: a place p6 ... p0 in the batch, of which p6 ... p2 count trips and p1, p0
// lanes.  Commutators bring p6, p5, ..., p1 to the lanes' high bit, each in front of the stage that
// combines points so far apart; the last stage combines neighbours.  Blocks have N = k/2 points,
// and stages of a distance of N or more let their points pass, so that all block sizes go the same
// way.  A block's slots leave in bit-reversed order, which is the order of the spectra and of the
// weights in the engine, first the even rows of four slots, then the odd ones.
#ifndef CIRCNN_FORWARD_HPP
#define CIRCNN_FORWARD_HPP

#include "silicon.hpp"
#include "stages.hpp"
#include "types.hpp"

constexpr int kForwardDelay = 47;  // trips from a group of points to the one that leaves then

// -- what a layer asks for, and the state -------------------------------------------------------

struct ForwardJob {
    bool present;  // whether the layer has a transform at all
    // bit i: of the stage at a distance of 64 >> i
    uint8_t active, halves;
    uint8_t turning;  // bits p6 ... p2 of a place that number points of a block, at bits 3 ... 0, 4
};

inline ForwardJob forward_job(bool spectral, const int32_t numbers[kNumbers]) {
    const int log2 = numbers[steps::block_log2] & 15, idle = kStages + 1 - (log2 > 0 ? log2 : 1);
    ForwardJob job;
    job.present = spectral;
    job.active = static_cast<uint8_t>((0x7F << idle) & 0x7F);
    job.halves = static_cast<uint8_t>((numbers[steps::forward_shifts] << idle) & 0x7F);
    // p2 is of a block if N >= 8, p6 if N >= 128
    const int inside = 0x1F >> (idle < 5 ? idle : 5);
    job.turning = static_cast<uint8_t>((inside & 1) << 4 | inside >> 1);
    return job;
}

// What has come with a beat of blocks, apart from its words.
struct BeatMarks {
    uint8_t position;
    bool wide, kept, layer_last;
};

struct ForwardState {
    uint8_t group;  // of the batch, which goes into the chain in this trip
    bool waits;  // a beat has come that is not used up
    bool upper;  // its lower half is
    bool kept;  // whether any window needs the row of spectra that the last beat belongs to
    bool ended;  // the layer's last beat is used up
    uint8_t filling;  // trips until the first points leave the chain
    bool leaving;  // the last batch is complete: what is in the chain leaves
    uint8_t left;  // trips until that has left
    bool finished;
};

// A layer begins with the group that its first beat brings: the first batch leaves groups out, and
// the last one is full.
inline ForwardState first_forward(uint8_t position) {
    const uint8_t group = static_cast<uint8_t>(position & (kGroups - 1));
    const uint8_t filling = static_cast<uint8_t>(kForwardDelay - group);
    return ForwardState{group, true, false, false, false, filling, false, kForwardDelay, false};
}

// Whether the beat at hand has this trip's points: no beat brings the blocks that a pixel does not
// have.
inline bool fits(const ForwardState &s, const BeatMarks &beat) {
    return !s.ended && ((beat.position + (s.upper ? 1 : 0)) & (kGroups - 1)) == s.group;
}

inline ForwardState next_forward(const ForwardState &s, const BeatMarks &beat) {
#pragma HLS INLINE
    const bool used = fits(s, beat), lower = used && beat.wide && !s.upper;
    ForwardState n;
    n.group = static_cast<uint8_t>((s.group + 1) & (kGroups - 1));
    n.waits = !s.ended && (!used || lower);
    n.upper = lower || (s.upper && !used);
    n.kept = used ? beat.kept : s.kept;
    n.ended = s.ended || (used && !lower && beat.layer_last);
    n.filling = static_cast<uint8_t>(s.filling == 0 ? 0 : s.filling - 1);
    n.leaving = s.leaving || (n.ended && s.group == kGroups - 1);
    n.left = static_cast<uint8_t>(s.leaving ? s.left - 1 : s.left);
    n.finished = s.leaving && s.left == 1;
    return n;
}

// -- the chain ----------------------------------------------------------------------------------

// A stage's factors by the bits above its distance of the place of a pair's first point: the lowest
// of them stands for a quarter of the circle, the next for half of that.  `left_out`: how many of
// the lowest do not number a factor.
template <int Bits>
constexpr Factors<Bits> make_forward_factors(int left_out = 0) {
    Factors<Bits> f = {};
    for (int number = 0; number < 1 << Bits; number++) {
        int m = 0;
        for (int bit = 0; bit < Bits; bit++) m |= ((number >> bit) & 1) << (6 - left_out - bit);
        set_factor(f, number, m, false);
    }
    return f;
}

constexpr Factors<2> kForward16 = make_forward_factors<2>();
constexpr Factors<3> kForward8 = make_forward_factors<3>();
constexpr Factors<4> kForward4 = make_forward_factors<4>();
constexpr Factors<5> kForward2 = make_forward_factors<5>();
constexpr Factors<5> kForward1 = make_forward_factors<5>(1);

// The delays between the stages, named by their trips.
struct ForwardDelays {
    Commutator<16> sixteen, again;
    Commutator<8> eight;
    Commutator<4> four;
    Commutator<2> two;
    Commutator<1> one;
};

// What points the delays hold at first does not matter, but that none is counted or kept.
template <int Depth>
inline void begin(Commutator<Depth> &c) {
#pragma HLS INLINE
    any_content(c);
    for (int i = 0; i < 2 * Depth; i++) {
#pragma HLS UNROLL
        c.before[i / Depth][i % Depth].counted = false;
        c.behind[i / Depth][i % Depth].counted = false;
    }
}

// The two points of a half of the lanes are of one beat and have its marks.  On the way through a
// commutator the second point has `kept` in place of `counted`.
template <int Depth>
inline void commute_marked(Commutator<Depth> &c, bool crossed, Point x[kGroup], bool kept[2]) {
#pragma HLS INLINE
    x[1].counted = kept[0];
    x[3].counted = kept[1];
    commute(c, crossed, x);
    kept[0] = x[1].counted;
    kept[1] = x[3].counted;
    x[1].counted = x[0].counted;
    x[3].counted = x[2].counted;
}

// The last stage combines neighbours: the factor of the second pair is that of the first and a
// quarter turn more.
inline uint8_t last_stage(int number, bool turned, bool active, bool halve, Point x[kGroup]) {
#pragma HLS INLINE
    const Factor w = factor_at(kForward1, number);
    uint8_t rotations[2], sums[2];
#pragma HLS ARRAY_PARTITION variable = rotations complete
#pragma HLS ARRAY_PARTITION variable = sums complete
    const Point t = rotated(x[1], w, rotations[0]);
    const Point b = choose(turned, quarter_turn<false>(x[3]), x[3]);
    const Point u = rotated(b, w, rotations[1]);
    const Point a = x[0], c = x[2];
    sums[0] = combine(a, t, active, halve, x[0], x[1]);
    sums[1] = combine(c, u, active, halve, x[2], x[3]);
    return static_cast<uint8_t>((rotations[0] + rotations[1]) + (sums[0] + sums[1]));
}

// Takes the points of group `group` of a batch and gives those that leave; returns the saturations.
inline uint8_t forward_chain(const ForwardJob &job, int group, ForwardDelays &delays,
                             Point x[kGroup], bool kept[2]) {
#pragma HLS INLINE
    // the trips of the batch whose points are behind each delay
    const int at_8 = group + 8, at_4 = group + 4, at_2 = group + 2, at_1 = group + 1;
    const int mask = job.turning & 15;
    uint8_t counts[kStages];
    bool marks[kStages];  // whether they count
#pragma HLS ARRAY_PARTITION variable = counts complete
#pragma HLS ARRAY_PARTITION variable = marks complete
    commute_marked(delays.sixteen, (group & 16) != 0, x, kept);
    marks[0] = x[0].counted;
    counts[0] = plain_stage<false>(false, (job.active & 1) != 0, (job.halves & 1) != 0, x);
    commute_marked(delays.eight, (group & 8) != 0, x, kept);
    marks[1] = x[0].counted;
    counts[1] = plain_stage<false>((at_8 & mask & 8) != 0, (job.active & 2) != 0,
                                   (job.halves & 2) != 0, x);
    commute_marked(delays.four, (group & 4) != 0, x, kept);
    marks[2] = x[0].counted;
    counts[2] = stage(factor_at(kForward16, (at_4 & mask) >> 2 & 3), (job.active & 4) != 0,
                      (job.halves & 4) != 0, x);
    commute_marked(delays.two, (group & 2) != 0, x, kept);
    marks[3] = x[0].counted;
    counts[3] = stage(factor_at(kForward8, (at_2 & mask) >> 1 & 7), (job.active & 8) != 0,
                      (job.halves & 8) != 0, x);
    commute_marked(delays.one, (group & 1) != 0, x, kept);
    marks[4] = x[0].counted;
    counts[4] = stage(factor_at(kForward4, at_1 & mask), (job.active & 16) != 0,
                      (job.halves & 16) != 0, x);
    commute_marked(delays.again, (at_1 & 16) != 0, x, kept);
    // the bits p6 ... p2 of the place
    const int number = ((at_1 & mask) << 1 | (~at_1 & job.turning & 16) >> 4);
    marks[5] = x[0].counted;
    counts[5] = stage(factor_at(kForward2, number), (job.active & 32) != 0, (job.halves & 32) != 0,
                      x);
    marks[6] = x[0].counted;
    counts[6] = last_stage(number, (job.active & 32) != 0, (job.active & 64) != 0,
                           (job.halves & 64) != 0, x);
    for (int i = 0; i < kStages; i++) {
#pragma HLS UNROLL
        counts[i] = marks[i] ? counts[i] & 15 : 0;
    }
    const int a = counts[0] + counts[1], b = counts[2] + counts[3], c = counts[4] + counts[5];
    return static_cast<uint8_t>(((a & 31) + (b & 31)) + ((c & 31) + counts[6]));
}

// -- the unit -----------------------------------------------------------------------------------

inline void forward_transform(const ForwardJob job, BlockStream &in, PointStream &out,
                              Count &count) {
    if (!job.present) return;
    ForwardDelays delays;
#pragma HLS ARRAY_PARTITION variable = delays.sixteen.before complete dim = 0
#pragma HLS ARRAY_PARTITION variable = delays.sixteen.behind complete dim = 0
#pragma HLS ARRAY_PARTITION variable = delays.eight.before complete dim = 0
#pragma HLS ARRAY_PARTITION variable = delays.eight.behind complete dim = 0
#pragma HLS ARRAY_PARTITION variable = delays.four.before complete dim = 0
#pragma HLS ARRAY_PARTITION variable = delays.four.behind complete dim = 0
#pragma HLS ARRAY_PARTITION variable = delays.two.before complete dim = 0
#pragma HLS ARRAY_PARTITION variable = delays.two.behind complete dim = 0
#pragma HLS ARRAY_PARTITION variable = delays.one.before complete dim = 0
#pragma HLS ARRAY_PARTITION variable = delays.one.behind complete dim = 0
#pragma HLS ARRAY_PARTITION variable = delays.again.before complete dim = 0
#pragma HLS ARRAY_PARTITION variable = delays.again.behind complete dim = 0
    begin(delays.sixteen);
    begin(delays.eight);
    begin(delays.four);
    begin(delays.two);
    begin(delays.one);
    begin(delays.again);
    BlockBeat beat = in.read();
    ForwardState state = first_forward(beat.position);
    uint32_t saturations = 0;
    uint8_t limited = 0;  // in the trip before
    count.trips = 0;
    CIRCNN_LOOP("forward");
forward:
    for (uint32_t turn = 0; turn < kMaxTrips; turn++) {
#pragma HLS PIPELINE II = 1
        if (state.finished) break;
        CIRCNN_TRIP();
        CIRCNN_COUNT(count.trips++);
        if (!state.waits && !state.ended) beat = in.read();
        const BeatMarks marks = {beat.position, beat.wide, beat.kept, beat.layer_last};
        const ForwardState next = next_forward(state, marks);
        const bool counted = fits(state, marks) && beat.counted;
        Point x[kGroup];
        bool kept[2] = {next.kept, next.kept};
#pragma HLS ARRAY_PARTITION variable = x complete
#pragma HLS ARRAY_PARTITION variable = kept complete
        for (int i = 0; i < kGroup; i++) {
#pragma HLS UNROLL
            const Point lower = {beat.w[2 * i], beat.w[2 * i + 1], counted};
            const Point upper = {beat.w[kBeat + 2 * i], beat.w[kBeat + 2 * i + 1], counted};
            x[i] = choose(state.upper, upper, lower);
        }
        saturations += limited;
        limited = forward_chain(job, state.group, delays, x, kept);
        PointBeat points;
        for (int i = 0; i < kGroup; i++) {
#pragma HLS UNROLL
            points.w[2 * i] = x[i].re;
            points.w[2 * i + 1] = x[i].im;
        }
        points.counted = x[0].counted;
        points.kept = kept[0];
        points.last = next.finished;
        if (state.filling == 0) out.write(points);
        state = next;
    }
    count.saturations = saturations + limited;
}

#endif
