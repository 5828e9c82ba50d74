// The mean of each window: the sum of its pixels, which the epilogue multiplies by the reciprocal
// of their number.
#ifndef CIRCNN_KIND_AVERAGE_POOL_HPP
#define CIRCNN_KIND_AVERAGE_POOL_HPP

#include "kind_rules.hpp"

namespace kinds {
namespace average_pool {

inline Combination combination() { return combined(false, false); }

}  // namespace average_pool
}  // namespace kinds

#endif
