// The sum of two tensors, word by word.
#ifndef CIRCNN_KIND_ADD_HPP
#define CIRCNN_KIND_ADD_HPP

#include "kind_rules.hpp"

namespace kinds {
namespace add {

inline Combination combination() { return combined(false, true); }

}  // namespace add
}  // namespace kinds

#endif
