// A scale and a bias for each channel, which the epilogue applies.
#ifndef CIRCNN_KIND_SCALE_BIAS_HPP
#define CIRCNN_KIND_SCALE_BIAS_HPP

#include "kind_rules.hpp"

namespace kinds {
namespace scale_bias {

inline Windows windows(const circnn_descriptor &) { return single_pixels(); }

inline int32_t combine(const Combination &, const OperandBeat &beat, int i, int32_t) {
    return beat.w[i];
}

}  // namespace scale_bias
}  // namespace kinds

#endif
