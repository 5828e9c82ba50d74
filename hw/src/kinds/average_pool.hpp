// The mean of each window.  There is one divider, so the epilogue takes one word a trip.
#ifndef CIRCNN_KIND_AVERAGE_POOL_HPP
#define CIRCNN_KIND_AVERAGE_POOL_HPP

#include "kind_rules.hpp"

namespace kinds {
namespace average_pool {

inline Extent extent(const circnn_descriptor &d, int32_t y, int32_t x) { return window(d, y, x); }

inline int32_t combine(const circnn_descriptor &, const OperandBeat &beat, int i, int32_t total) {
    return beat.first ? beat.w[i] : total + beat.w[i];
}

inline Word result(const circnn_descriptor &, const Total &, uint32_t &) {
    return never("average_pool");
}

inline int32_t ceil_log2(int32_t value) {
    int32_t bits = 0;
ceil_log2:
    for (int i = 0; i < 12; i++) {
#pragma HLS UNROLL
        if ((1 << i) < value) bits = i + 1;
    }
    return bits;
}

// Sum times the reciprocal of the number of pixels, one rounding shift.
inline Word serial_result(const circnn_descriptor &d, const Total &t, uint32_t &count) {
    const int shift = d.output_shift + ceil_log2(t.pixels);
    return saturate64(round_shift64(static_cast<int64_t>(t.value) * t.multiplier, shift), count);
}

}  // namespace average_pool
}  // namespace kinds

#endif
