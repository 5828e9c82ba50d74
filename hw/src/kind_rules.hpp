// The parts of a layer kind.  Each kind has a header in kinds/, named after its opcode, with a
// namespace of that name and the two rules below; a kind without one of them does not compile.
// Everything else that a unit needs to know about a kind is a trait in the contract: see traits_of.
//
//   Windows windows(const circnn_descriptor &d)
//       The windows of the input from which the output pixels are computed.
//   Combination combination(const circnn_descriptor &d)
//       What the vector unit makes of the words of a window.
#ifndef CIRCNN_KIND_RULES_HPP
#define CIRCNN_KIND_RULES_HPP

#include "fault.hpp"
#include "types.hpp"

// Windows over an image: the first one begins pad_top rows above and pad_left columns left of it.
struct Windows {
    int32_t kernel_height, kernel_width, stride_height, stride_width, pad_top, pad_left;
};

inline Windows sliding_windows(const circnn_descriptor &d) {
    return Windows{d.kernel_height, d.kernel_width, d.stride_height,
                   d.stride_width,  d.pad_top,      d.pad_left};
}

inline Windows single_pixels() { return Windows{1, 1, 1, 1, 0, 0}; }

// The vector unit's total: the largest word of a window or the sum of all, or of a single pixel the
// word itself; shifted, with the second operand's word added to it or, if joined, in its place.
struct Combination {
    bool maximum;
    bool adds;  // the second operand's word
    uint8_t first_align, second_align;  // left shifts; none in a window of many pixels
};

inline Combination unshifted(bool maximum) { return Combination{maximum, false, 0, 0}; }

inline Combination shifted(const circnn_descriptor &d, bool adds) {
    return Combination{false, adds, static_cast<uint8_t>(d.first_align),
                       static_cast<uint8_t>(d.second_align)};
}

#endif
