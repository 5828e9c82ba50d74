// The parts of a layer kind.  Each kind has a header in kinds/, named after its opcode, with a
// namespace of that name and the rule below; a kind without it does not compile.
// Everything else that a unit needs to know about a kind is a trait in the contract: see `has`.
//
//   Combination combination()
//       What the vector unit makes of the words of a window.  The shifts are an instruction's.
#ifndef CIRCNN_KIND_RULES_HPP
#define CIRCNN_KIND_RULES_HPP

#include "fault.hpp"
#include "types.hpp"

// The vector unit's total: the largest word of a window or the sum of all, or of a single pixel the
// word itself.  The epilogue shifts it, and adds the second operand's word to it; if joined, that is
// in its place.
struct Combination {
    bool maximum;
    bool adds;  // the second operand's word
};

inline Combination combined(bool maximum, bool adds) { return Combination{maximum, adds}; }

#endif
