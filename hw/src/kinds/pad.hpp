// A copy into a zeroed image: windows of one pixel, where the reader finds zeros outside of the input.
#ifndef CIRCNN_KIND_PAD_HPP
#define CIRCNN_KIND_PAD_HPP

#include "kind_rules.hpp"

namespace kinds {
namespace pad {

inline Combination combination() { return combined(false, false); }

}  // namespace pad
}  // namespace kinds

#endif
