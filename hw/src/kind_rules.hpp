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
// word itself.  The epilogue shifts it, and adds the second operand's word to it; if joined, that is
// in its place.
struct Combination {
    bool maximum;
    bool adds;  // the second operand's word
    bool swapped;  // what is added is the first operand's word: the second one's is shifted
    uint8_t first_align, second_align;  // left shifts; none in a window of many pixels
};

inline Combination unshifted(bool maximum) { return Combination{maximum, false, false, 0, 0}; }

// At most one of the two is shifted (rule one_align).
inline Combination shifted(const circnn_descriptor &d, bool adds) {
    const bool swapped = adds && d.second_align != 0;
    return Combination{false, adds, swapped,
                       static_cast<uint8_t>(swapped ? d.second_align : d.first_align),
                       static_cast<uint8_t>(d.second_align)};
}

#endif
