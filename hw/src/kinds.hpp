// All layer kinds of the contract, and calls of the rules of the kind that an opcode names.
#ifndef CIRCNN_KINDS_HPP
#define CIRCNN_KINDS_HPP

#include "circnn_kinds.hpp"
#include "kind_rules.hpp"

inline Windows windows_of(const circnn_descriptor &d) {
#define CIRCNN_WINDOWS(NAME, name) \
    case CIRCNN_OP_##NAME:         \
        return kinds::name::windows(d);
    switch (d.opcode) {
        CIRCNN_FOR_OPCODES(CIRCNN_WINDOWS)
    default:
        return single_pixels();  // an unknown opcode is never decoded
    }
#undef CIRCNN_WINDOWS
}

// The same for the second eight words of one operand, which no kind of two operands has.
inline int32_t combined_alone(const Combination &c, const OperandBeat &beat, int i, int32_t total) {
#pragma HLS INLINE
#define CIRCNN_COMBINE(NAME, name)                                 \
    case CIRCNN_OP_##NAME:                                         \
        return circnn_opcode_traits[CIRCNN_OP_##NAME].two_operands \
                   ? total                                         \
                   : kinds::name::combine(c, beat, i, total);
    switch (c.opcode) {
        CIRCNN_FOR_OPCODES(CIRCNN_COMBINE)
    default:
        return total;  // an unknown opcode is never decoded
    }
#undef CIRCNN_COMBINE
}

inline int32_t combined(const Combination &c, const OperandBeat &beat, int i, int32_t total) {
#pragma HLS INLINE
#define CIRCNN_COMBINE(NAME, name) \
    case CIRCNN_OP_##NAME:         \
        return kinds::name::combine(c, beat, i, total);
    switch (c.opcode) {
        CIRCNN_FOR_OPCODES(CIRCNN_COMBINE)
    default:
        return total;  // an unknown opcode is never decoded
    }
#undef CIRCNN_COMBINE
}

#endif
