// The mean of each window: the sum of its pixels, which the epilogue multiplies by the reciprocal
// of their number.
#ifndef CIRCNN_KIND_AVERAGE_POOL_HPP
#define CIRCNN_KIND_AVERAGE_POOL_HPP

#include "kind_rules.hpp"

namespace kinds {
namespace average_pool {

inline Windows windows(const circnn_descriptor &d) { return sliding_windows(d); }

inline int32_t combine(const Combination &, const OperandBeat &beat, int i, int32_t total) {
    return beat.first ? beat.w[i] : total + beat.w[i];
}

}  // namespace average_pool
}  // namespace kinds

#endif
