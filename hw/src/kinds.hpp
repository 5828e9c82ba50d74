// All layer kinds of the contract, and calls of the rule of the kind that an opcode names.
#ifndef CIRCNN_KINDS_HPP
#define CIRCNN_KINDS_HPP

#include "circnn_kinds.hpp"
#include "kind_rules.hpp"

inline Combination combination_of(int32_t opcode) {
#define CIRCNN_COMBINATION(NAME, name) \
    case CIRCNN_OP_##NAME:             \
        return kinds::name::combination();
    switch (opcode) {
        CIRCNN_FOR_OPCODES(CIRCNN_COMBINATION)
    default:
        return combined(false, false);  // an unknown opcode is never decoded
    }
#undef CIRCNN_COMBINATION
}

// Whether the second of two operands that are added comes first: if it is the one that is shifted,
// which at most one of them is (rule one_align).
inline bool swaps(const int32_t numbers[kNumbers]) {
    return combination_of(numbers[steps::opcode]).adds && numbers[steps::second_align] != 0;
}

#endif
