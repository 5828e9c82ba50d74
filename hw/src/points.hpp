// Memories of complex points: sixteen banks, one point wide, so that a trip reads and writes sixteen
// points.  A batch takes eight rows of all banks.
//
// Where the sixteen points of a trip are not a row, they are skewed: which bank a point is in is an
// exclusive or of bits of its place in the batch, so that no two points of a trip share one.
#ifndef CIRCNN_POINTS_HPP
#define CIRCNN_POINTS_HPP

#include "silicon.hpp"
#include "types.hpp"

constexpr int kPointBanks = kTripPoints;
constexpr int kPointRows = kMaxPoints / kPointBanks;  // of a batch

static_assert(kPointRows == 8 && kPointBanks == 16, "rows and banks are chosen by bits");

// Loaded points of the forward transform, and a transform's results: two batches.
constexpr Ram kLoadedRam = {"loaded", 2 * kPointRows, 1, 1, CIRCNN_LATENCY_LOADED};
constexpr Ram kReadyRam = {"ready", 2 * kPointRows, 1, 1, CIRCNN_LATENCY_READY};

// -- the first pass of the forward transform ----------------------------------------------------

// Which bits of a point's place in the batch the bits of a lane, and those of a trip, stand for.
struct Order {
    uint8_t lane[4], trip[3];
};

// A lane's highest bit chooses one of two groups of eight, its others the point of the group.  The
// points of a group are an eighth of a block apart; blocks of k <= 8 lie side by side in it, the
// block's number below that of the point.  The highest bit of a trip chooses the half of the batch.
constexpr int kOrders = 7;
constexpr Order kOrder[kOrders] = {
    {{4, 5, 6, 0}, {1, 2, 3}},  // k = 256, which has no halves
    {{3, 4, 5, 0}, {1, 2, 6}},  // 128
    {{2, 3, 4, 5}, {0, 1, 6}},  // 64
    {{1, 2, 3, 4}, {5, 0, 6}},  // 32
    {{0, 1, 2, 3}, {4, 5, 6}},  // 16, and 1 and 2, whose points are taken as they lie
    {{2, 0, 1, 3}, {4, 5, 6}},  // 8
    {{1, 2, 0, 3}, {4, 5, 6}},  // 4
};

constexpr int order_of(int block_log2) {
    return block_log2 < 2 ? 4 : block_log2 == 2 ? 6 : 8 - block_log2;
}

constexpr int loaded_bank(int at) {
    return (at ^ ((at & 16) != 0 ? 3 : 0) ^ ((at & 32) != 0 ? 6 : 0) ^ ((at & 64) != 0 ? 8 : 0)) &
           (kPointBanks - 1);
}

// Where the points of the trips are: with ^ for exclusive or, lane l of trip t takes the point at
// lane_at[l] ^ trip_at[t], from bank lane_bank[l] ^ trip_bank[t] and there from row bank_row[bank] ^
// trip_row[t].  A trip's values are those of its bits, combined by ^.
struct Gather {
    uint8_t lane_at[kOrders][kTripPoints], lane_bank[kOrders][kTripPoints];
    uint8_t bank_row[kOrders][kPointBanks];
    uint8_t trip_at[kOrders][3], trip_bank[kOrders][3], trip_row[kOrders][3];
};

constexpr Gather make_gather() {
    Gather g = {};
    for (int o = 0; o < kOrders; o++) {
        for (int lane = 0; lane < kTripPoints; lane++) {
            int at = 0;
            for (int bit = 0; bit < 4; bit++) at |= ((lane >> bit) & 1) << kOrder[o].lane[bit];
            g.lane_at[o][lane] = static_cast<uint8_t>(at);
            g.lane_bank[o][lane] = static_cast<uint8_t>(loaded_bank(at));
            g.bank_row[o][loaded_bank(at)] = static_cast<uint8_t>(at / kPointBanks);
        }
        for (int bit = 0; bit < 3; bit++) {
            const int at = 1 << kOrder[o].trip[bit], bank = loaded_bank(at);
            g.trip_at[o][bit] = static_cast<uint8_t>(at);
            g.trip_bank[o][bit] = static_cast<uint8_t>(bank);
            g.trip_row[o][bit] = static_cast<uint8_t>(g.bank_row[o][bank] ^ (at / kPointBanks));
        }
    }
    return g;
}

constexpr Gather kGather = make_gather();

// Every bank has one of the sixteen points, and every point is taken once.
constexpr bool gather_is_complete() {
    for (int o = 0; o < kOrders; o++) {
        uint32_t banks = 0;
        uint64_t low = 0, high = 0;
        for (int lane = 0; lane < kTripPoints; lane++) {
            banks |= 1u << kGather.lane_bank[o][lane];
            for (int trip = 0; trip < kPointRows; trip++) {
                int at = kGather.lane_at[o][lane];
                for (int bit = 0; bit < 3; bit++)
                    at ^= (trip >> bit & 1) != 0 ? kGather.trip_at[o][bit] : 0;
                if (at < 64) low |= uint64_t{1} << at;
                if (at >= 64) high |= uint64_t{1} << (at - 64);
            }
        }
        if (banks != 0xFFFF || ~low != 0 || ~high != 0) return false;
    }
    return true;
}

static_assert(gather_is_complete(), "the lanes of a trip must read different banks");

// A table's entry for an order that is no constant: a choice between constants, not a memory.
template <int Columns>
inline int of_order(const uint8_t (&table)[kOrders][Columns], int order, int column) {
    int value = table[0][column];
    for (int o = 1; o < kOrders; o++) {
#pragma HLS UNROLL
        value = order == o ? table[o][column] : value;
    }
    return value;
}

inline int of_trip(const uint8_t (&table)[kOrders][3], int order, int trip) {
    return ((trip & 1) != 0 ? of_order(table, order, 0) : 0) ^
           ((trip & 2) != 0 ? of_order(table, order, 1) : 0) ^
           ((trip & 4) != 0 ? of_order(table, order, 2) : 0);
}

// -- the points that an inverse pass writes -----------------------------------------------------

// Rows are shifted against each other by four banks for each quarter of the points that a pass
// takes together: sixteen rows of 64 points, or 32 of 128.
inline int quarter_of(int row, bool whole) { return whole ? (row >> 1) & 3 : row & 3; }

#endif
