// Stands in for the vendor's ap_int.h where the public one stops: under __SYNTHESIS__.
#ifndef AP_INT_H
#define AP_INT_H

#include <stdint.h>

template <int Bits>
struct ap_uint {
    static_assert(Bits >= 1 && Bits <= 64, "the stand-in has 1 to 64 bits");
    uint64_t bits;

    ap_uint() = default;
    ap_uint(uint64_t value) : bits(value & (~static_cast<uint64_t>(0) >> (64 - Bits))) {}
    operator uint64_t() const { return bits; }
};

template <int Bits>
struct ap_int {
    static_assert(Bits >= 1 && Bits <= 64, "the stand-in has 1 to 64 bits");
    int64_t bits;

    ap_int() = default;
    ap_int(int64_t value)
        : bits(static_cast<int64_t>(static_cast<uint64_t>(value) << (64 - Bits)) >> (64 - Bits)) {}
    operator int64_t() const { return bits; }
};

#endif
