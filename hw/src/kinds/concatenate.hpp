// The channels of two tensors, one after the other.
#ifndef CIRCNN_KIND_CONCATENATE_HPP
#define CIRCNN_KIND_CONCATENATE_HPP

#include "kind_rules.hpp"

namespace kinds {
namespace concatenate {

inline Combination combination() { return combined(false, false); }

}  // namespace concatenate
}  // namespace kinds

#endif
