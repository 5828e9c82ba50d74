// The channels of two tensors, one after the other.
#ifndef CIRCNN_KIND_CONCATENATE_HPP
#define CIRCNN_KIND_CONCATENATE_HPP

#include "kind_rules.hpp"

namespace kinds {
namespace concatenate {

inline Windows windows(const circnn_descriptor &) { return single_pixels(); }

inline Combination combination(const circnn_descriptor &d) { return shifted(d, false); }

}  // namespace concatenate
}  // namespace kinds

#endif
