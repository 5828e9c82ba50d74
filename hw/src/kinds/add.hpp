// The sum of two tensors, word by word.
#ifndef CIRCNN_KIND_ADD_HPP
#define CIRCNN_KIND_ADD_HPP

#include "kind_rules.hpp"

namespace kinds {
namespace add {

inline Windows windows(const circnn_descriptor &) { return single_pixels(); }

inline Combination combination(const circnn_descriptor &d) { return shifted(d, true); }

}  // namespace add
}  // namespace kinds

#endif
