// The parts of a layer kind.  Each kind has a header in kinds/, named after its opcode, with a
// namespace of that name and the two rules below; a kind without one of them does not compile.
// Everything else that a unit needs to know about a kind is a trait in the contract: see traits_of.
//
//   Windows windows(const circnn_descriptor &d)
//       The windows of the input from which the output pixels are computed.
//   int32_t combine(const Combination &c, const OperandBeat &beat, int i, int32_t total)
//       The vector unit: the total after word i of a beat; the first beat of a window begins a
//       new total.
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

// What the vector unit needs of a layer.
struct Combination {
    int32_t opcode;
    uint8_t first_align, second_align;
};

inline int32_t aligned(Word word, uint8_t align) {
    return static_cast<int32_t>(static_cast<uint32_t>(static_cast<int32_t>(word)) << (align & 15));
}

#endif
