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

inline Combination combination_of(const circnn_descriptor &d) {
#define CIRCNN_COMBINATION(NAME, name) \
    case CIRCNN_OP_##NAME:             \
        return kinds::name::combination(d);
    switch (d.opcode) {
        CIRCNN_FOR_OPCODES(CIRCNN_COMBINATION)
    default:
        return unshifted(false);  // an unknown opcode is never decoded
    }
#undef CIRCNN_COMBINATION
}

#endif
