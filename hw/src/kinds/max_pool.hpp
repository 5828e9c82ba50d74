// The largest value of each window.
#ifndef CIRCNN_KIND_MAX_POOL_HPP
#define CIRCNN_KIND_MAX_POOL_HPP

#include "kind_rules.hpp"

namespace kinds {
namespace max_pool {

inline Extent extent(const circnn_descriptor &d, int32_t y, int32_t x) { return window(d, y, x); }

inline int32_t combine(const circnn_descriptor &, const OperandBeat &beat, int i, int32_t total) {
    return beat.first || beat.w[i] > total ? beat.w[i] : total;
}

inline Word result(const circnn_descriptor &, const Total &t, uint32_t &) {
    return static_cast<Word>(t.value);
}

inline Word serial_result(const circnn_descriptor &, const Total &, uint32_t &) {
    return never("max_pool");
}

}  // namespace max_pool
}  // namespace kinds

#endif
