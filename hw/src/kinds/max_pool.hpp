// The largest value of each window.
#ifndef CIRCNN_KIND_MAX_POOL_HPP
#define CIRCNN_KIND_MAX_POOL_HPP

#include "kind_rules.hpp"

namespace kinds {
namespace max_pool {

inline Windows windows(const circnn_descriptor &d) { return sliding_windows(d); }

inline Combination combination(const circnn_descriptor &) { return unshifted(true); }

}  // namespace max_pool
}  // namespace kinds

#endif
