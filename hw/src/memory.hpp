// The activation memory: 16 banks one word wide, so that eight or sixteen neighbouring words are
// read or written in one trip wherever they begin.
#ifndef CIRCNN_MEMORY_HPP
#define CIRCNN_MEMORY_HPP

#include "config.hpp"

typedef Word ActivationBank[kActivationRows];

// The first `count` of sixteen words are those at address ... address + count - 1, the rest zeros.
inline void read_words(const ActivationBank *memory, int32_t address, int32_t count,
                       Word words[kBanks]) {
    Word raw[kBanks];
    for (int bank = 0; bank < kBanks; bank++) {
#pragma HLS UNROLL
        const int32_t ahead = (bank - address) & (kBanks - 1);
        const int32_t row = (address + ahead) / kBanks;
        raw[bank] = ahead < count ? memory[bank][row] : static_cast<Word>(0);
    }
    for (int i = 0; i < kBanks; i++) {
#pragma HLS UNROLL
        words[i] = raw[(address + i) & (kBanks - 1)];
    }
}

// The first `count` of eight words go to address ... address + count - 1.
inline void write_words(ActivationBank *memory, int32_t address, const Word words[kBeat],
                        int32_t count) {
    for (int bank = 0; bank < kBanks; bank++) {
#pragma HLS UNROLL
        const int32_t ahead = (bank - address) & (kBanks - 1);
        const int32_t row = (address + ahead) / kBanks;
        if (ahead < count) memory[bank][row] = words[ahead & (kBeat - 1)];
    }
}

#endif
