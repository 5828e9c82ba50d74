// The activation memory: 16 banks one word wide, so that eight or sixteen neighbouring words are
// read or written in one trip wherever they begin; and the ports of the weights memory.
#ifndef CIRCNN_MEMORY_HPP
#define CIRCNN_MEMORY_HPP

#include "channels.hpp"
#include "silicon.hpp"

typedef Word ActivationBank[kActivationRows];

constexpr Ram kActivations = {"activations", kActivationRows, 1, 1, 1};

// Of all banks together, which are read at one address, or of each, as they are written.
constexpr Ram kWeights = {"weights", kWeightRows, 1, 1, 1};

// The rows of all banks in which the words from an address on lie: in the bank of the first one and
// the banks after it a row, in the others the next one.  Beyond the memory follows its first row, of
// which no word is used.
struct BankRows {
    uint32_t first;  // bank
    uint32_t row, next;
};

inline BankRows bank_rows(uint32_t address) {
#pragma HLS INLINE
    BankRows r;
    r.first = address % kBanks;
    r.row = address / kBanks;
    r.next = r.row == kActivationRows - 1 ? 0 : r.row + 1;
    return r;
}

inline uint32_t row_of(const BankRows &r, uint32_t bank) { return bank < r.first ? r.next : r.row; }

// Words from an address on, of which the first `count` must lie in the memory; the rest may be any.
// They turn in four steps, by half as far each.
template <int Words>
inline void read_banks(const ActivationBank *memory, Address from, uint8_t count,
                       Word words[kBanks]) {
#pragma HLS INLINE
    const uint32_t address = static_cast<uint32_t>(from);
    CIRCNN_CHECK(count == 0 || address + count <= static_cast<uint32_t>(kActivationWords),
                 "a read outside the memory ", "activations");
    const BankRows rows = bank_rows(count > 0 ? address : 0);
    for (uint32_t bank = 0; bank < kBanks; bank++) {
#pragma HLS UNROLL
        const bool used = (bank - rows.first) % kBanks < count;
        if (used) {
            CIRCNN_READS(memory[bank], row_of(rows, bank), kActivations);
        }
        words[bank] = CIRCNN_IF_USED(used, memory[bank][row_of(rows, bank)]);
    }
    for (int level = 0; 1 << level < kBanks; level++) {
#pragma HLS UNROLL
        const int step = (kBanks / 2) >> level;
        Word turned[kBanks];
        for (int i = 0; i < kBanks; i++) {
#pragma HLS UNROLL
            if (i < Words + step - 1)  // later steps need no more
                turned[i] = (rows.first & step) != 0 ? words[(i + step) % kBanks] : words[i];
        }
        for (int i = 0; i < kBanks; i++) {
#pragma HLS UNROLL
            if (i < Words + step - 1) words[i] = turned[i];
        }
    }
}

// The first `count` of eight words go to address ... address + count - 1.  Banks that are eight
// apart may get the same one; which of the two, the first bank says.
inline void write_words(ActivationBank *memory, Address to, const Word words[kBeat],
                        uint8_t count) {
#pragma HLS INLINE
    const uint32_t address = static_cast<uint32_t>(to);
    CIRCNN_CHECK(count == 0 || address + count <= static_cast<uint32_t>(kActivationWords),
                 "a write outside the memory ", "activations");
    const BankRows rows = bank_rows(address);
    const uint32_t all = (1u << kBeat) - 1;
    uint32_t valid = all >> ((kBeat - count) & (2 * kBeat - 1));
    Word now[kBeat];
    for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
        now[i] = words[i];
    }
    for (int level = 0; 1 << level < kBeat; level++) {
#pragma HLS UNROLL
        const int step = (kBeat / 2) >> level;
        const bool turns = (rows.first & step) != 0;
        valid = turns ? (valid << step | valid >> (kBeat - step)) & all : valid;
        Word turned[kBeat];
        for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
            turned[i] = turns ? now[(i - step + kBeat) % kBeat] : now[i];
        }
        for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
            now[i] = turned[i];
        }
    }
    for (uint32_t bank = 0; bank < kBanks; bank++) {
#pragma HLS UNROLL
        // the eight banks from the first one on
        const uint32_t at = bank % kBeat, half = bank / kBeat;
        const bool reached = (at >= rows.first % kBeat) == (half == rows.first / kBeat);
        if (reached & ((valid >> at & 1) != 0)) {
            CIRCNN_WRITES(memory[bank], row_of(rows, bank), kActivations);
            memory[bank][row_of(rows, bank)] = now[at];
        }
    }
}

#endif
