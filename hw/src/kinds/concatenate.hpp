// The channels of two tensors, one after the other.
#ifndef CIRCNN_KIND_CONCATENATE_HPP
#define CIRCNN_KIND_CONCATENATE_HPP

#include "kind_rules.hpp"

namespace kinds {
namespace concatenate {

inline Extent extent(const circnn_descriptor &, int32_t y, int32_t x) { return one_pixel(y, x); }

inline int32_t combine(const circnn_descriptor &d, const OperandBeat &beat, int i, int32_t) {
    return beat.w[i] * (1 << (beat.second ? d.second_align : d.first_align));
}

inline Word result(const circnn_descriptor &d, const Total &t, uint32_t &count) {
    return finish(d, t.value, count);
}

inline Word serial_result(const circnn_descriptor &d, const Total &t, uint32_t &) {
    return look_up(d, t.value);
}

}  // namespace concatenate
}  // namespace kinds

#endif
