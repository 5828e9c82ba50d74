// A copy into a zeroed image: windows of one pixel, where the reader finds zeros outside of it.
#ifndef CIRCNN_KIND_PAD_HPP
#define CIRCNN_KIND_PAD_HPP

#include "kind_rules.hpp"

namespace kinds {
namespace pad {

inline Windows windows(const circnn_descriptor &d) {
    return Windows{1, 1, 1, 1, d.pad_top, d.pad_left};
}

inline Combination combination(const circnn_descriptor &) { return unshifted(false); }

}  // namespace pad
}  // namespace kinds

#endif
