// A copy into a zeroed image: windows of one pixel, where the reader finds zeros outside of it.
#ifndef CIRCNN_KIND_PAD_HPP
#define CIRCNN_KIND_PAD_HPP

#include "kind_rules.hpp"

namespace kinds {
namespace pad {

inline Windows windows(const circnn_descriptor &d) {
    return Windows{1, 1, 1, 1, d.pad_top, d.pad_left};
}

inline int32_t combine(const Combination &, const OperandBeat &beat, int i, int32_t) {
    return beat.w[i];
}

}  // namespace pad
}  // namespace kinds

#endif
