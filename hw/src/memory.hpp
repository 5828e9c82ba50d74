// The activation memory: 16 banks one word wide, so that eight or sixteen neighbouring words are
// read or written in one trip wherever they begin; and the ports of the weights memory.
#ifndef CIRCNN_MEMORY_HPP
#define CIRCNN_MEMORY_HPP

#include "config.hpp"
#include "silicon.hpp"

typedef Word ActivationBank[kActivationRows];

constexpr Ram kActivations = {"activations", kActivationRows, 1, 1, 1};

// Of all banks together, which are read at one address, or of each, as they are written.
constexpr Ram kWeights = {"weights", kWeightRows, 1, 1, 1};

// The first `count` of sixteen words are those at address ... address + count - 1, the rest zeros.
inline void read_words(const ActivationBank *memory, uint32_t address, uint8_t count,
                       Word words[kBanks]) {
#pragma HLS INLINE
    const uint32_t first = address % kBanks, row = address / kBanks;
    Word raw[kBanks];
    for (uint32_t bank = 0; bank < kBanks; bank++) {
#pragma HLS UNROLL
        const uint32_t ahead = (bank - first) % kBanks;
        raw[bank] = 0;
        if (ahead < count) {
            CIRCNN_READS(memory[bank], row + (bank < first ? 1 : 0), kActivations);
            raw[bank] = memory[bank][row + (bank < first ? 1 : 0)];
        }
    }
    for (uint32_t i = 0; i < kBanks; i++) {
#pragma HLS UNROLL
        words[i] = raw[(first + i) % kBanks];
    }
}

// The first `count` of eight words go to address ... address + count - 1.
inline void write_words(ActivationBank *memory, uint32_t address, const Word words[kBeat],
                        uint8_t count) {
#pragma HLS INLINE
    const uint32_t first = address % kBanks, row = address / kBanks;
    for (uint32_t bank = 0; bank < kBanks; bank++) {
#pragma HLS UNROLL
        const uint32_t ahead = (bank - first) % kBanks;
        if (ahead < count) {
            CIRCNN_WRITES(memory[bank], row + (bank < first ? 1 : 0), kActivations);
            memory[bank][row + (bank < first ? 1 : 0)] = words[ahead % kBeat];
        }
    }
}

#endif
