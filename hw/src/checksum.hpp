// CRC-32 as in zlib, a beat of 64 bits a trip.
//
// The checksum is linear over GF(2): the next one is A * crc xor B * beat, with matrices of bits that
// follow from the polynomial.  A row of a matrix is a mask, and its product with a word the parity of
// the masked word.  B * beat does not depend on the last checksum, so that only A * crc, which is
// one parity of 32 bits, is in the recurrence.
#ifndef CIRCNN_CHECKSUM_HPP
#define CIRCNN_CHECKSUM_HPP

#include <stdint.h>

constexpr uint32_t kCrcPolynomial = 0xEDB88320u;  // of CRC-32, the lowest bit first
constexpr uint32_t kCrcBegin = 0xFFFFFFFFu;  // and the checksum is the complement at the end

// The checksum after so many bits of zeros.
constexpr uint32_t crc_shifted(uint32_t crc, int bits) {
    for (int i = 0; i < bits; i++) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kCrcPolynomial : 0u);
    return crc;
}

// Rows of the matrices for both halves of a beat; that of the lower half is also A.
struct CrcMasks {
    uint32_t low[32], high[32];
};

constexpr CrcMasks crc_masks() {
    CrcMasks masks = {};
    for (int column = 0; column < 32; column++) {
        const uint32_t low = crc_shifted(1u << column, 64), high = crc_shifted(1u << column, 32);
        for (int row = 0; row < 32; row++) {
            masks.low[row] |= ((low >> row) & 1) << column;
            masks.high[row] |= ((high >> row) & 1) << column;
        }
    }
    return masks;
}

constexpr CrcMasks kCrcMasks = crc_masks();

inline uint32_t parity(uint32_t word) {
#pragma HLS INLINE
    word ^= word >> 16;
    word ^= word >> 8;
    word ^= word >> 4;
    word ^= word >> 2;
    word ^= word >> 1;
    return word & 1;
}

// The first rows of a matrix times a word; each bit has its place without a loop, whatever a tool
// makes of one.
template <int Rows>
inline uint32_t crc_product(const uint32_t masks[32], uint32_t word) {
#pragma HLS INLINE
    const uint32_t bit = parity(word & masks[Rows - 1]) << (Rows - 1);
    return crc_product<Rows - 1>(masks, word) | bit;
}

template <>
inline uint32_t crc_product<0>(const uint32_t[32], uint32_t) {
    return 0;
}

// B * beat.
inline uint32_t crc_folded(uint64_t beat) {
#pragma HLS INLINE
    return crc_product<32>(kCrcMasks.low, static_cast<uint32_t>(beat)) ^
           crc_product<32>(kCrcMasks.high, static_cast<uint32_t>(beat >> 32));
}

// The checksum after a beat.
inline uint32_t crc_next(uint32_t crc, uint32_t folded) {
#pragma HLS INLINE
    return crc_product<32>(kCrcMasks.low, crc) ^ folded;
}

inline uint32_t crc_beat(uint32_t crc, uint64_t beat) { return crc_next(crc, crc_folded(beat)); }

#endif
