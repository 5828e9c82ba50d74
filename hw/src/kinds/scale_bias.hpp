// A scale and a bias for each channel, which the epilogue applies.
#ifndef CIRCNN_KIND_SCALE_BIAS_HPP
#define CIRCNN_KIND_SCALE_BIAS_HPP

#include "kind_rules.hpp"

namespace kinds {
namespace scale_bias {

inline Windows windows(const circnn_descriptor &) { return single_pixels(); }

inline Combination combination(const circnn_descriptor &) { return unshifted(false); }

}  // namespace scale_bias
}  // namespace kinds

#endif
