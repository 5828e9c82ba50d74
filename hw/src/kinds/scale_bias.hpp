// A scale and a bias for each channel.
#ifndef CIRCNN_KIND_SCALE_BIAS_HPP
#define CIRCNN_KIND_SCALE_BIAS_HPP

#include "kind_rules.hpp"

namespace kinds {
namespace scale_bias {

inline Extent extent(const circnn_descriptor &, int32_t y, int32_t x) { return one_pixel(y, x); }

inline int32_t combine(const circnn_descriptor &, const OperandBeat &beat, int i, int32_t) {
    return beat.w[i];
}

inline Word result(const circnn_descriptor &d, const Total &t, uint32_t &count) {
    return finish(d, scaled(t), count);
}

inline Word serial_result(const circnn_descriptor &d, const Total &t, uint32_t &) {
    return look_up(d, scaled(t));
}

}  // namespace scale_bias
}  // namespace kinds

#endif
