// The largest value of each window.
#ifndef CIRCNN_KIND_MAX_POOL_HPP
#define CIRCNN_KIND_MAX_POOL_HPP

#include "kind_rules.hpp"

namespace kinds {
namespace max_pool {

inline Combination combination() { return combined(true, false); }

}  // namespace max_pool
}  // namespace kinds

#endif
