// The largest value of each window.
#ifndef CIRCNN_KIND_MAX_POOL_HPP
#define CIRCNN_KIND_MAX_POOL_HPP

#include "kind_rules.hpp"

namespace kinds {
namespace max_pool {

inline Windows windows(const circnn_descriptor &d) { return sliding_windows(d); }

inline int32_t combine(const Combination &, const OperandBeat &beat, int i, int32_t total) {
    return beat.first || beat.w[i] > total ? beat.w[i] : total;
}

}  // namespace max_pool
}  // namespace kinds

#endif
