// A scale and a bias for each channel, which the epilogue applies.
#ifndef CIRCNN_KIND_SCALE_BIAS_HPP
#define CIRCNN_KIND_SCALE_BIAS_HPP

#include "kind_rules.hpp"

namespace kinds {
namespace scale_bias {

inline Combination combination() { return combined(false, false); }

}  // namespace scale_bias
}  // namespace kinds

#endif
