// Memories of complex points: sixteen banks, one point wide, so that a pass reads and writes
// sixteen points a trip.  Each holds two batches, one being written while the other is read.
//
// Where the points of a trip are not a row of sixteen neighbours, rows are skewed: shifted against
// each other over the banks so that no two points of a trip share a bank, which the simulation
// checks.
#ifndef CIRCNN_POINTS_HPP
#define CIRCNN_POINTS_HPP

#include "fault.hpp"
#include "types.hpp"

constexpr int kPointBanks = kTripPoints;
constexpr int kPointRows = kMaxPoints / kPointBanks;
constexpr int kHalfRow = kPointBanks / 2;

struct Points {
    Point bank[kPointBanks][2 * kPointRows];
};

// Which bank a point is in: rows of the loaded points are shifted by two, and quarters of the
// points that an inverse pass writes by four.
inline int32_t loaded_bank(int32_t at) { return (at + 2 * (at / kPointBanks)) % kPointBanks; }

inline int32_t quarter_bank(int32_t at, int32_t points_log2) {
    return (at + 4 * (at >> (points_log2 - 2))) % kPointBanks;
}

inline int32_t point_row(int32_t batch, int32_t row) { return batch * kPointRows + row; }

// A row, its first point in bank `shift`.
inline void read_row(const Points &points, int32_t batch, int32_t row, int32_t shift,
                     Point x[kPointBanks]) {
    for (int i = 0; i < kPointBanks; i++) {
#pragma HLS UNROLL
        x[i] = points.bank[(i + shift) % kPointBanks][point_row(batch, row)];
    }
}

inline void write_row(Points &points, int32_t batch, int32_t row, const Point x[kPointBanks]) {
    for (int i = 0; i < kPointBanks; i++) {
#pragma HLS UNROLL
        points.bank[i][point_row(batch, row)] = x[i];
    }
}

// The lower half of one row and the upper half of another.
inline void read_halves(const Points &points, int32_t batch, int32_t low, int32_t high,
                        Point x[kPointBanks]) {
    for (int i = 0; i < kPointBanks; i++) {
#pragma HLS UNROLL
        x[i] = points.bank[i][point_row(batch, i < kHalfRow ? low : high)];
    }
}

inline void write_halves(Points &points, int32_t batch, int32_t low, int32_t high,
                         const Point x[kPointBanks]) {
    for (int i = 0; i < kPointBanks; i++) {
#pragma HLS UNROLL
        points.bank[i][point_row(batch, i < kHalfRow ? low : high)] = x[i];
    }
}

// Points at any places, each in a different bank.
template <int N>
inline void gather(const Points &points, int32_t batch, const int32_t at[N], const int32_t bank[N],
                   Point x[N]) {
    Point raw[kPointBanks] = {};
    for (int b = 0; b < kPointBanks; b++) {
#pragma HLS UNROLL
        int readers = 0, row = 0;
        for (int i = 0; i < N; i++) {
#pragma HLS UNROLL
            if (bank[i] == b) {
                row = at[i] / kPointBanks;
                readers++;
            }
        }
        CIRCNN_CHECK(readers <= 1, "two points of a trip in one bank: ", "gather");
        raw[b] = points.bank[b][point_row(batch, row)];
    }
    for (int i = 0; i < N; i++) {
#pragma HLS UNROLL
        x[i] = raw[bank[i]];
    }
}

inline void scatter(Points &points, int32_t batch, const int32_t at[kPointBanks],
                    const int32_t bank[kPointBanks], const Point x[kPointBanks]) {
    for (int b = 0; b < kPointBanks; b++) {
#pragma HLS UNROLL
        int writers = 0, from = 0;
        for (int i = 0; i < kPointBanks; i++) {
#pragma HLS UNROLL
            if (bank[i] == b) {
                from = i;
                writers++;
            }
        }
        CIRCNN_CHECK(writers == 1, "two points of a trip in one bank: ", "scatter");
        points.bank[b][point_row(batch, at[from] / kPointBanks)] = x[from];
    }
}

#endif
