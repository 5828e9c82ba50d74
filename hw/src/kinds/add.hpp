// The sum of two tensors, word by word.
#ifndef CIRCNN_KIND_ADD_HPP
#define CIRCNN_KIND_ADD_HPP

#include "kind_rules.hpp"

namespace kinds {
namespace add {

inline Extent extent(const circnn_descriptor &, int32_t y, int32_t x) { return one_pixel(y, x); }

inline int32_t combine(const circnn_descriptor &d, const OperandBeat &beat, int i, int32_t) {
    return beat.w[i] * (1 << d.first_align) + beat.v[i] * (1 << d.second_align);
}

inline Word result(const circnn_descriptor &d, const Total &t, uint32_t &count) {
    return finish(d, t.value, count);
}

inline Word serial_result(const circnn_descriptor &d, const Total &t, uint32_t &) {
    return look_up(d, t.value);
}

}  // namespace add
}  // namespace kinds

#endif
