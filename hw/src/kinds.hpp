// All layer kinds of the contract, and calls of the rules of the kind that a descriptor names.
#ifndef CIRCNN_KINDS_HPP
#define CIRCNN_KINDS_HPP

#include "circnn_kinds.hpp"
#include "kind_rules.hpp"

inline Extent extent_of(const circnn_descriptor &d, int32_t y, int32_t x) {
#define CIRCNN_EXTENT(NAME, name) \
    case CIRCNN_OP_##NAME:        \
        return kinds::name::extent(d, y, x);
    switch (d.opcode) {
        CIRCNN_FOR_OPCODES(CIRCNN_EXTENT)
    default:
        return one_pixel(y, x);  // an unknown opcode is never decoded
    }
#undef CIRCNN_EXTENT
}

inline int32_t combined(const circnn_descriptor &d, const OperandBeat &beat, int i, int32_t total) {
#define CIRCNN_COMBINE(NAME, name) \
    case CIRCNN_OP_##NAME:         \
        return kinds::name::combine(d, beat, i, total);
    switch (d.opcode) {
        CIRCNN_FOR_OPCODES(CIRCNN_COMBINE)
    default:
        return total;  // an unknown opcode is never decoded
    }
#undef CIRCNN_COMBINE
}

inline Word result_of(const circnn_descriptor &d, const Total &t, uint32_t &count) {
#define CIRCNN_RESULT(NAME, name) \
    case CIRCNN_OP_##NAME:        \
        return kinds::name::result(d, t, count);
    switch (d.opcode) {
        CIRCNN_FOR_OPCODES(CIRCNN_RESULT)
    default:
        return 0;  // an unknown opcode is never decoded
    }
#undef CIRCNN_RESULT
}

inline Word serial_result_of(const circnn_descriptor &d, const Total &t, uint32_t &count) {
#define CIRCNN_SERIAL_RESULT(NAME, name) \
    case CIRCNN_OP_##NAME:               \
        return kinds::name::serial_result(d, t, count);
    switch (d.opcode) {
        CIRCNN_FOR_OPCODES(CIRCNN_SERIAL_RESULT)
    default:
        return 0;  // an unknown opcode is never decoded
    }
#undef CIRCNN_SERIAL_RESULT
}

#endif
