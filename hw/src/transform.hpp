// The common part of both transforms: when a batch is loaded, computed and sent, and which points a
// trip combines.
//
// A batch is 128 points.  For k <= 128 it is two halves of 64 points, each transformed for itself:
// trips 0 to 3 of a pass take one, trips 4 to 7 the other.  For k = 256 it is one block.
#ifndef CIRCNN_TRANSFORM_HPP
#define CIRCNN_TRANSFORM_HPP

#include "points.hpp"

constexpr int kPassTrips = kMaxPoints / kTripPoints;
constexpr int kBatchBeats = 2 * kMaxPoints / kBeat;

// -- time ---------------------------------------------------------------------------------------

// Trips from the last write of a point to its first read by the next pass, if that follows without
// an idle trip: in half a batch, and in a whole one (k = 256).
constexpr int kHalfDistance = 6, kWholeDistance = 4;

// Idle trips after a pass whose writes take `latency` trips.
constexpr uint8_t idle_trips(int latency, int distance) {
    return static_cast<uint8_t>(latency > distance ? latency - distance : 0);
}

// When the passes of a batch end: `end` and `first_end` are the last trips of a pass, idle ones
// included.  Nothing waits after the last pass.
struct Passes {
    uint8_t last_pass, first_end, end;
};

// From a batch's first trip to its last.
inline int batch_trips(const Passes &p) {
    return p.last_pass == 0 ? kPassTrips
                            : p.first_end + 1 + (p.last_pass - 1) * (p.end + 1) + kPassTrips;
}

// Three batches at a time: one is loaded, one is computed, one is sent.  Batches use the halves of
// the memories in turn.  A batch that is complete waits for its last points to land: its mark moves
// along the bits of `landing` or `drying`, one each trip.
struct Progress {
    uint8_t rooms;  // halves of the loaded points to be filled
    uint8_t landing;  // marks of loaded batches
    uint8_t waiting;  // batches that can be computed
    bool busy;  // one is computed: trip `trip` of pass `pass`
    uint8_t pass, trip;
    uint8_t spaces;  // halves of the results that no batch has claimed
    uint16_t drying;  // marks of computed batches
    uint8_t results;  // batches that can be sent
    bool load_half, compute_half, send_half;
};

static_assert(CIRCNN_LATENCY_LOADED >= 2 && CIRCNN_LATENCY_LOADED <= 9, "marks are 8 bits");
static_assert(CIRCNN_LATENCY_READY >= 8 && CIRCNN_LATENCY_READY <= 17, "marks are 16 bits");

inline Progress first_progress() {
    return Progress{2, 0, 0, false, 0, 0, 2, 0, 0, false, false, false};
}

// Whether the trip takes points, and whether it is the last of the pass to do so.
inline bool computes(const Progress &p) { return p.busy && p.trip < kPassTrips; }

inline bool last_points(const Progress &p) { return p.busy && p.trip == kPassTrips - 1; }

// `loaded`, `sent`: whether this trip has the last of a batch's loaded points, of its results.
// `lead`: how many trips before the last result the first ones to be sent are complete, and so on.
inline Progress next_progress(const Passes &passes, const Progress &p, int lead, bool loaded,
                              bool sent) {
#pragma HLS INLINE
    const bool taken = last_points(p) && p.pass == 0;  // the loaded points have been read
    const bool done = last_points(p) && p.pass == passes.last_pass;
    const bool pass_ends = p.trip == (p.pass == 0 ? passes.first_end : passes.end);
    const bool landed = ((p.landing >> (CIRCNN_LATENCY_LOADED - 2)) & 1) != 0;
    const bool dry = ((p.drying >> (CIRCNN_LATENCY_READY - 2 - lead)) & 1) != 0;
    const bool goes_on = p.busy && !done;
    const bool starts = !goes_on && (p.waiting != 0 || landed) && (p.spaces != 0 || sent);
    Progress n;
    n.rooms = static_cast<uint8_t>((p.rooms + taken - loaded) & 3);
    n.landing = static_cast<uint8_t>(p.landing << 1 | loaded);
    n.waiting = static_cast<uint8_t>((p.waiting + landed - starts) & 3);
    n.busy = goes_on || starts;
    n.trip = static_cast<uint8_t>(!goes_on || pass_ends ? 0 : p.trip + 1);
    n.pass = static_cast<uint8_t>(!goes_on ? 0 : pass_ends ? p.pass + 1 : p.pass);
    n.spaces = static_cast<uint8_t>((p.spaces + sent - starts) & 3);
    n.drying = static_cast<uint16_t>(p.drying << 1 | done);
    n.results = static_cast<uint8_t>((p.results + dry - sent) & 3);
    n.load_half = p.load_half != loaded;
    n.compute_half = p.compute_half != done;
    n.send_half = p.send_half != sent;
    return n;
}

// Whether no batch is on its way.
inline bool all_sent(const Progress &p) { return p.rooms == 2 && p.spaces == 2; }

// -- places -------------------------------------------------------------------------------------

// The N points of a block, if all blocks have N: k/2, but at least one.
constexpr int points_of(int block_log2) { return block_log2 > 0 ? 1 << (block_log2 - 1) : 1; }

constexpr int kRowBits = 3;  // of a row's number in a batch

constexpr int32_t reverse_bits(int32_t value, int bits) {
    int32_t v = value;  // of at most 8 bits
    v = ((v & 0x55) << 1) | ((v >> 1) & 0x55);
    v = ((v & 0x33) << 2) | ((v >> 2) & 0x33);
    v = ((v & 0x0F) << 4) | ((v >> 4) & 0x0F);
    return v >> (8 - bits);
}

// Numbers of `Bits` bits in reversed order of bits, for the lanes' constants.
template <int Bits>
struct Reversed {
    uint8_t of[1 << Bits];
};

template <int Bits>
constexpr Reversed<Bits> make_reversed() {
    Reversed<Bits> r = {};
    for (int i = 0; i < 1 << Bits; i++) r.of[i] = static_cast<uint8_t>(reverse_bits(i, Bits));
    return r;
}

constexpr Reversed<2> kReversed2 = make_reversed<2>();
constexpr Reversed<3> kReversed3 = make_reversed<3>();
constexpr Reversed<4> kReversed4 = make_reversed<4>();

// Rows whose points a pass combines, or to which it brings the two results: point j and the one half
// of the points on.
struct RowPair {
    int low, high;
};

inline RowPair rows_apart(int trip, bool whole) {
    const int low = whole ? trip >> 1 : (trip & 4) | ((trip >> 1) & 1);
    return RowPair{low, low | (whole ? 4 : 2)};
}

// -- split and merge ----------------------------------------------------------------------------

// The sixteen points that the split and the merge take in a trip: half of a row and half of the row
// that mirrors it, or the first row of a block alone.  In bit-reversed order bin m and its mirror
// image N - m lie mirrored in their octave of the slots.
struct SixteenRows {
    int low, high;
    bool mirrored;
    int low_in_block, high_in_block;  // in reversed order of bits
};

inline int reversed_row(int row) {
    int reversed = 0;
    for (int i = 1; i < 8; i++) {
#pragma HLS UNROLL
        reversed = row == i ? kReversed3.of[i] : reversed;
    }
    return reversed;
}

// `mask`: rows of a block, minus one.
inline SixteenRows sixteen_rows(int trip, int mask) {
    const int row = trip & mask;
    const int octave = row >= 4 ? 3 : row >= 2 ? 1 : 0;
    return SixteenRows{trip, trip ^ octave, row != 0, reversed_row(row), reversed_row(row ^ octave)};
}

// Which two of the sixteen points are combined, the even slot first.
enum Pairing { kNeighbours, kEights, kSixteens, kMirrored, kPairings };

constexpr int even_place(int pairing, int pair) {
    return pairing != kMirrored ? 2 * pair : pair % 2 == 0 ? pair : kTripPoints - 1 - pair;
}

constexpr int odd_place(int pairing, int pair) {
    // octaves of the first row: {0, 1}, {2, 3}, {4, 7}, {6, 5}, {8, 15}, {10, 13}, ...
    const int size = pairing == kNeighbours ? 2 : pairing == kEights ? 4 : 8;
    const int i = pair % size, block = 2 * (pair - i);
    if (pairing == kMirrored) return pair % 2 == 0 ? kTripPoints - 1 - pair : pair;
    return block + (i < 2 ? 2 * i + 1 : i < 4 ? 11 - 2 * i : 23 - 2 * i);
}

struct Pairs {
    uint8_t even[kPairings][kButterflies], odd[kPairings][kButterflies];
    uint8_t pair[kPairings][kTripPoints];  // which pair a place belongs to
    bool is_odd[kPairings][kTripPoints];
};

constexpr Pairs make_pairs() {
    Pairs p = {};
    for (int pairing = 0; pairing < kPairings; pairing++) {
        for (int i = 0; i < kButterflies; i++) {
            const int even = even_place(pairing, i), odd = odd_place(pairing, i);
            p.even[pairing][i] = static_cast<uint8_t>(even);
            p.odd[pairing][i] = static_cast<uint8_t>(odd);
            p.pair[pairing][even] = p.pair[pairing][odd] = static_cast<uint8_t>(i);
            p.is_odd[pairing][odd] = true;
        }
    }
    return p;
}

constexpr Pairs kPairs = make_pairs();

inline Point even_of(const Point x[kTripPoints], int pairing, int pair) {
#pragma HLS INLINE
    return choose(pairing == kMirrored, x[kPairs.even[kMirrored][pair]], x[2 * pair]);
}

inline Point odd_of(const Point x[kTripPoints], int pairing, int pair) {
#pragma HLS INLINE
    const Point in_row = choose(pairing == kEights, x[kPairs.odd[kEights][pair]],
                                x[kPairs.odd[kSixteens][pair]]);
    const Point other = choose(pairing == kMirrored, x[kPairs.odd[kMirrored][pair]],
                               x[kPairs.odd[kNeighbours][pair]]);
    return choose(pairing == kEights || pairing == kSixteens, in_row, other);
}

// The result that belongs to a place of the sixteen.
inline Point placed(const Point even[kButterflies], const Point odd[kButterflies], int pairing,
                    int place) {
#pragma HLS INLINE
    Point x = even[0];
    for (int p = 0; p < kPairings; p++) {
#pragma HLS UNROLL
        const int pair = kPairs.pair[p][place];
        x = choose(pairing == p, kPairs.is_odd[p][place] ? odd[pair] : even[pair], x);
    }
    return x;
}

// What a layer's blocks need.
struct Split {
    uint8_t pairing;  // of a block's first row
    uint8_t row_mask;  // rows of a block, minus one
    uint8_t bin_mask;  // bits of a bin's twiddle in that row
    bool single;  // k = 2: every point is a slot 0
};

inline Split split_of(int block_log2) {
    const int points = points_of(block_log2);
    Split s;
    s.pairing = points <= 4 ? kNeighbours : points == 8 ? kEights : kSixteens;
    s.row_mask = static_cast<uint8_t>(points > kTripPoints ? points / kTripPoints - 1 : 0);
    s.bin_mask = points <= 2 ? 0 : points == 4 ? 0x20 : points == 8 ? 0x30 : 0x38;
    s.single = points == 1;
    return s;
}

inline uint8_t pairing_of(const Split &s, const SixteenRows &rows) {
    return rows.mirrored ? static_cast<uint8_t>(kMirrored) : s.pairing;
}

// The twiddle of a pair's bin: its slot in the block, in reversed order of bits.  Zero for slot 0.
inline int bin_of(const Split &s, const SixteenRows &rows, int pair) {
    const int slot = pair % 2 == 0 ? pair : kTripPoints - 1 - pair;
    const int row = pair % 2 == 0 ? rows.low_in_block : rows.high_in_block;
    const int mirrored = kReversed4.of[slot] << kRowBits | row;
    return rows.mirrored ? mirrored : kReversed4.of[2 * pair] << kRowBits & s.bin_mask;
}

// What a butterfly takes: a, and b to be multiplied by a twiddle.
struct Operands {
    Point a, b;
    uint8_t twiddle;
};

inline Operands choose(bool which, Operands yes, Operands no) {
    return Operands{choose(which, yes.a, no.a), choose(which, yes.b, no.b),
                    which ? yes.twiddle : no.twiddle};
}

// The middle bin is its own mirror image: it is only conjugated and shifted.
inline Point middle(const Point &z, int shift) {
    return Point{static_cast<Word>((z.re + shift) >> shift),
                 static_cast<Word>((-z.im + shift) >> shift), z.counted};
}

inline Word negative(Word v) { return static_cast<Word>(-v); }

// -- counts -------------------------------------------------------------------------------------

// A tree: a trip adds its saturations once to the unit's count.
inline uint8_t total(const uint8_t counts[8]) {
    const int a = counts[0] + counts[1], b = counts[2] + counts[3];
    const int c = counts[4] + counts[5], d = counts[6] + counts[7];
    return static_cast<uint8_t>((a + b) + (c + d));
}

// What a stage of adders has made of a trip's points, if it is used; returns its saturations.
inline uint8_t take_stage(bool used, const Point y[kTripPoints], const uint8_t counts[kButterflies],
                          Point x[kTripPoints]) {
#pragma HLS INLINE
    for (int i = 0; i < kTripPoints; i++) {
#pragma HLS UNROLL
        x[i] = choose(used, y[i], x[i]);
    }
    return used ? total(counts) : static_cast<uint8_t>(0);
}

#endif
