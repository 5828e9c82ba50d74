// The parts of a layer kind.  Each kind has a header in kinds/, named after its opcode, with a
// namespace of that name and the four rules below; a kind without one of them does not compile.
// Everything else that a unit needs to know about a kind is a trait in the contract: see traits_of.
//
//   Extent extent(const circnn_descriptor &d, int32_t y, int32_t x)
//       The pixels of the input from which the output pixel (y, x) is computed.
//   int32_t combine(const circnn_descriptor &d, const OperandBeat &beat, int i, int32_t total)
//       The vector unit: the total after word i of a beat; the first beat of a window begins a
//       new total.
//   Word result(const circnn_descriptor &d, const Total &t, uint32_t &count)
//       The epilogue: the result for a total, when it computes eight a trip.
//   Word serial_result(const circnn_descriptor &d, const Total &t, uint32_t &count)
//       The same when it computes one a trip: through a table, or for a kind with the trait serial.
#ifndef CIRCNN_KIND_RULES_HPP
#define CIRCNN_KIND_RULES_HPP

#include "fault.hpp"
#include "types.hpp"

// Pixels of an image: rows top to bottom - 1, columns left to right - 1.
struct Extent {
    int32_t top, bottom, left, right;
};

// The part of a window that lies in the image.
inline Extent window(const circnn_descriptor &d, int32_t y, int32_t x) {
    const int32_t top = y * d.stride_height - d.pad_top;
    const int32_t left = x * d.stride_width - d.pad_left;
    Extent e;
    e.top = most(top, 0);
    e.bottom = least(top + d.kernel_height, d.in_height);
    e.left = most(left, 0);
    e.right = least(left + d.kernel_width, d.in_width);
    return e;
}

inline Extent one_pixel(int32_t y, int32_t x) { return Extent{y, y + 1, x, x + 1}; }

// A total, with the values that belong to its channel and its window.
struct Total {
    int32_t value;
    int32_t pixels;  // of the window
    Word scale;  // scale and bias: of a kind with the trait scaled
    int32_t bias;
    Word multiplier;  // of a kind with the trait serial: the scale for `pixels` pixels
};

inline int32_t scaled(const Total &t) { return t.value * t.scale + t.bias; }

// The rule for a unit that the kind does not use.
inline Word never(const char *kind) {
    CIRCNN_CHECK(false, "a unit has no rule for the kind ", kind);
    (void)kind;
    return 0;
}

#endif
