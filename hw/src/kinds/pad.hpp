// A copy into a zeroed image.
#ifndef CIRCNN_KIND_PAD_HPP
#define CIRCNN_KIND_PAD_HPP

#include "kind_rules.hpp"

namespace kinds {
namespace pad {

// The pixel that is copied here; it may lie outside the image, where the reader finds zeros.
inline Extent extent(const circnn_descriptor &d, int32_t y, int32_t x) {
    return one_pixel(y - d.pad_top, x - d.pad_left);
}

inline int32_t combine(const circnn_descriptor &, const OperandBeat &beat, int i, int32_t) {
    return beat.w[i];
}

inline Word result(const circnn_descriptor &, const Total &t, uint32_t &) {
    return static_cast<Word>(t.value);
}

inline Word serial_result(const circnn_descriptor &, const Total &, uint32_t &) {
    return never("pad");
}

}  // namespace pad
}  // namespace kinds

#endif
