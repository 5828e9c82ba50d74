// Steps that work out numbers of a layer one after the other, in one small datapath with one
// multiplier, one adder and one shifter.
//
// What the units need of a layer are some hundred sums and products, once a layer.  As expressions
// each of them would be an adder of its own; as steps each is a row of a read-only memory.  The
// numbers lie in a memory with two read ports and a write port (numbers.hpp).  A step takes two of
// them, or one and a literal, and writes one.
#ifndef CIRCNN_STEPS_HPP
#define CIRCNN_STEPS_HPP

#include "derive.hpp"
#include "numbers.hpp"
#include "silicon.hpp"

constexpr int kNumberBits = 7;  // of a name, and of a literal

static_assert(kNumbers <= 1 << kNumberBits, "a name must fit its bits");

// The second factor of a product in a plan is a number of words or pixels in the activation memory.
constexpr int32_t kFactorMask = (1 << (17 + (kActivationWords - 1) / (1 << 17))) - 1;

static_assert(kActivationWords <= kFactorMask, "a second factor must fit its bits");

namespace steps {

// What a step makes of a and b.
enum Op : uint8_t {
    number,  // a literal of twice the bits
    plus,
    minus,
    most,    // the larger one
    least,
    times,
    left,    // a * 2^b
    right,   // a / 2^b, rounded down
    ceil,    // a / 2^b, rounded up
    mask,    // the bits that both have
    require  // no number: the layer is refused if a is negative
};

// A step as a number: its operation, whether b is a literal, and the names to, a and b.
struct Step {
    uint32_t code;
    uint8_t opcodes;  // of the layers that take it, a bit each

    constexpr Step() : code(number | nowhere << 5), opcodes(0xFF) {}
    constexpr Step(Name to, Name a, Op op, Name b)
        : code(coded(op, false, to, a, b)), opcodes(0xFF) {}
    constexpr Step(Name to, Name a, Op op, int literal)
        : code(coded(op, true, to, a, static_cast<uint32_t>(literal))), opcodes(0xFF) {}
    constexpr Step(Name to, Op op, int literal)
        : code(coded(op, true, to, static_cast<uint32_t>(literal) >> kNumberBits,
                     static_cast<uint32_t>(literal) & ((1 << kNumberBits) - 1))),
          opcodes(0xFF) {}
    constexpr Step(Op op, Name a, int status)
        : code(coded(op, true, static_cast<uint32_t>(status), a, 0)), opcodes(0xFF) {}

    static constexpr uint32_t coded(Op op, bool literal, uint32_t to, uint32_t a, uint32_t b) {
        return op | static_cast<uint32_t>(literal) << 4 | to << 5 | a << (5 + kNumberBits) |
               b << (5 + 2 * kNumberBits);
    }
};

constexpr Op op_of(uint32_t code) { return static_cast<Op>(code & 15); }
constexpr bool literal_of(uint32_t code) { return (code >> 4 & 1) != 0; }
constexpr uint8_t to_of(uint32_t code) { return static_cast<uint8_t>(code >> 5 & 127); }
constexpr uint8_t a_of(uint32_t code) {
    return static_cast<uint8_t>(code >> (5 + kNumberBits) & 127);
}
constexpr uint8_t b_of(uint32_t code) {
    return static_cast<uint8_t>(code >> (5 + 2 * kNumberBits) & 127);
}

// A step of some opcodes.
constexpr Step only(uint8_t opcodes, Step step) {
    step.opcodes = opcodes;
    return step;
}

// The second operand of the adder, whose carry is 1 where it subtracts.
inline int32_t addend(Op op, bool subtracts, int32_t b, int32_t power) {
#pragma HLS INLINE
    return subtracts ? ~b : op == ceil ? power - 1 : op == right ? 0 : b;
}

// A number that is only compared with less ends at 2^31 - 1.
inline int32_t limited(int64_t value) {
#pragma HLS INLINE
    return value > INT32_MAX ? INT32_MAX : static_cast<int32_t>(value);
}

// What a step gives: the larger number, a product and so on.
inline int32_t chosen(Op op, int32_t a, int32_t b, int32_t sum, int32_t product, int32_t shifted) {
#pragma HLS INLINE
    switch (op) {
    case plus:
    case minus:
        return sum;
    case most:
        return sum < 0 ? b : a;
    case least:
        return sum < 0 ? a : b;
    case times:
    case left:
        return product;
    case right:
    case ceil:
        return shifted;
    case mask:
        return a & b;
    default:
        return b;
    }
}

inline bool subtracting(Op op) { return op == minus || op == most || op == least; }

// Of numbers up to 2^31 - 1, none of which may be exceeded unseen.
inline int32_t checked_result(Op op, int32_t a, int32_t b) {
#pragma HLS INLINE
    const int32_t power = 1 << (b & 15);
    const bool subtracts = subtracting(op);
    const int64_t sum = static_cast<int64_t>(a) + addend(op, subtracts, b, power) +
                        (subtracts ? 1 : 0);
    CIRCNN_CHECK((op != left && op != right && op != ceil) || (b >= 0 && b < 16),
                 "a shift by more than 15 bits in ", "checked_result");
    CIRCNN_CHECK((op != times && op != left) || (a >= 0 && b >= 0), "a negative factor in ",
                 "checked_result");
    const int64_t product = static_cast<int64_t>(a & INT32_MAX) *
                            ((op == left ? power : b) & INT32_MAX);
    return chosen(op, a, b, limited(sum), limited(product), static_cast<int32_t>(sum >> (b & 15)));
}

// Of numbers that are known to be in their memories, or of addresses modulo 2^32.
inline int32_t planned_result(Op op, int32_t a, int32_t b) {
#pragma HLS INLINE
    const int32_t power = 1 << (b & 15);
    const bool subtracts = subtracting(op);
    const uint32_t sum = static_cast<uint32_t>(a) +
                         static_cast<uint32_t>(addend(op, subtracts, b, power)) +
                         (subtracts ? 1 : 0);
    const int32_t factor = op == left ? power : b;
    CIRCNN_CHECK((op != left && op != right && op != ceil) || (b >= 0 && b < 16),
                 "a shift by more than 15 bits in ", "planned_result");
    CIRCNN_CHECK((op != times && op != left) || (factor & ~kFactorMask) == 0,
                 "a factor of too many bits in ", "planned_result");
    const uint32_t product = static_cast<uint32_t>(a) * static_cast<uint32_t>(factor & kFactorMask);
    const int32_t whole = static_cast<int32_t>(sum);
    return chosen(op, a, b, whole, static_cast<int32_t>(product), whole >> (b & 15));
}

// Literals are taken at once; a number alone has the bits of two.
inline int32_t literal(uint32_t code) {
#pragma HLS INLINE
    const int32_t low = b_of(code), high = a_of(code);
    return op_of(code) == number ? high << kNumberBits | low : low;
}

}  // namespace steps

#endif
