// Moves words from the activation memory, or straight from the packet, to the units that compute:
// a trip for every command of a sequence.
#ifndef CIRCNN_READ_HPP
#define CIRCNN_READ_HPP

#include "blocks.hpp"
#include "memory.hpp"
#include "packet.hpp"
#include "windows.hpp"

// -- input words --------------------------------------------------------------------------------

// The input word of every byte, worked out when a program is loaded; a copy for each byte of a beat.
struct InputBytes {
    Word words[kBeat][256];
    bool limited[kBeat][256];
};

constexpr Ram kInputBytes = {"input bytes", 256, 1, 1, 1};

struct BytesState {
    int32_t sum;  // byte * scale + bias
};

inline BytesState next_bytes(int32_t scale, const BytesState &s) {
#pragma HLS INLINE
    return BytesState{s.sum + scale};
}

inline void fill_bytes(const circnn_header &h, InputBytes &bytes) {
    BytesState s = {h.byte_bias};
    CIRCNN_REGION();
    CIRCNN_LOOP("bytes");
bytes:
    for (int trip = 0; trip < 256; trip++) {
#pragma HLS PIPELINE II = 1
        CIRCNN_TRIP();
        bool limited = false;
        const uint8_t shift = static_cast<uint8_t>(h.byte_shift & 31);
        const Word word = shift_and_limit(s.sum, shift, bits_above(shift), limited);
        for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
            CIRCNN_WRITES(bytes.words[i], trip, kInputBytes);
            bytes.words[i][trip] = word;
            bytes.limited[i][trip] = limited;
        }
        s = next_bytes(h.byte_scale, s);
    }
}

// Eight words of the input: the bytes of a beat, or two beats of 16-bit words, of which -32768 is not
// valid and is limited.  Returns how many of the first `count` were limited.
inline uint8_t input_beat(const InputBytes &bytes, bool takes_bytes, uint64_t low, uint64_t high,
                          uint8_t count, Word words[kBeat]) {
#pragma HLS INLINE
    bool over[kBeat];
    for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
        const int byte = static_cast<int>((high >> (8 * i)) & 0xFF);
        if (takes_bytes && i < count) {
            CIRCNN_READS(bytes.words[i], byte, kInputBytes);
        }
        const Word own = word_of(i < kBeat / 2 ? low : high, i % (kBeat / 2));
        const bool beyond = own == -kValueMax - 1;
        const Word limited = beyond ? static_cast<Word>(-kValueMax) : own;
        words[i] = takes_bytes ? bytes.words[i][byte] : limited;
        over[i] = (takes_bytes ? bytes.limited[i][byte] : beyond) & (i < count);
    }
    return static_cast<uint8_t>(how_many(over[0], over[1], over[2], over[3]) +
                                how_many(over[4], over[5], over[6], over[7]));
}

// -- the sequences ------------------------------------------------------------------------------

// Which of the sequences a layer has.
enum class Reads : uint8_t { nothing, blocks, windows, joined, pairs };
constexpr int kReads = 5;

struct ReadJob {
    Reads reads;
    BlocksJob blocks;
    WindowsJob windows;
    JoinedJob joined;
    PairsJob pairs;
};

inline Reads reads_of(int32_t opcode) {
    return has(kSpectral, opcode) ? Reads::blocks
           : has(kJoined, opcode) ? Reads::joined
           : has(kFlat, opcode)   ? Reads::pairs
                                  : Reads::windows;
}

// One trip that ends.
inline void sequence_nothing(ReadCommandStream &out) {
    ReadCommand c = operand_at(0, 0, ReadUse::hold);
    c.ends = true;
    out.write(c);
}

inline void sequence_read(const ReadJob job, ReadCommandStream &out) {
    if (job.reads == Reads::blocks)
        sequence_blocks(job.blocks, out);
    else if (job.reads == Reads::joined)
        sequence_joined(job.joined, out);
    else if (job.reads == Reads::pairs)
        sequence_pairs(job.pairs, out);
    else if (job.reads == Reads::windows)
        sequence_windows(job.windows, out);
    else
        sequence_nothing(out);
}

// -- the unit -----------------------------------------------------------------------------------

inline void read_layer(bool takes_bytes, const InputBytes &bytes, const ActivationBank *memory,
                       ReadCommandStream &commands, AxiStream &in, PacketReader &packet,
                       BlockStream &blocks, OperandStream &operands, Count &count) {
    uint64_t low = 0;
    Word held[kBanks];
    Word upper[kBeat];  // of the operand before the one that is held
#pragma HLS ARRAY_PARTITION variable = held complete
#pragma HLS ARRAY_PARTITION variable = upper complete
    bool low_waits = false, upper_waits = false;
    uint32_t saturations = 0;
    count.trips = 0;
    CIRCNN_LOOP("read");
read:
    for (bool ends = false; !ends;) {
#pragma HLS PIPELINE II = 1
        CIRCNN_TRIP();
        CIRCNN_COUNT(count.trips++);
        const ReadCommand c = commands.read();
        ends = c.ends;
        const bool pair = c.use == ReadUse::pair, block = c.use == ReadUse::block;
        Word words[kBanks], own[kBeat];
        read_banks<kBanks>(memory, c.address, c.direct ? static_cast<uint8_t>(0) : c.count, words);
        const uint64_t beat = c.direct && c.count > 0 ? packet_beat(packet, in) : 0;
        const uint8_t limited = input_beat(bytes, takes_bytes, low_waits ? low : beat, beat,
                                           c.count, own);
        if (block & c.direct) saturations += limited;
        for (int i = 0; i < kBanks; i++) {
#pragma HLS UNROLL
            const Word word = i < kBeat && c.direct ? own[i % kBeat] : words[i];
            words[i] = i < (c.count & (2 * kBanks - 1)) ? word : static_cast<Word>(0);
        }
        // to the forward transform
        if (block) {
            BlockBeat to;
            for (int i = 0; i < kBanks; i++) {
#pragma HLS UNROLL
                to.w[i] = words[i];
            }
            to.wide = c.wide;
            to.position = c.position;
            to.counted = c.counted;
            to.kept = c.kept;
            to.layer_last = c.ends;
            blocks.write(to);
        }
        low = beat;
        low_waits = c.use == ReadUse::hold;
        // to the vector unit: words of a window, the lower half of a pair, or the upper one, which
        // the trip after the pair sends
        OperandBeat to;
        for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
            const Word first = pair ? held[i] : words[i],
                       second = pair ? words[i] : words[i + kBeat];
            to.w[i] = upper_waits ? upper[i] : first;
            to.v[i] = upper_waits ? held[i + kBeat] : second;
        }
        to.first = c.first;
        to.last = c.last;
        to.second = c.second;
        to.wide = c.wide;
        if ((c.use == ReadUse::operand) | pair | upper_waits) operands.write(to);
        upper_waits = pair & (c.count > kBeat);
        for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
            upper[i] = held[i + kBeat];
        }
        for (int i = 0; i < kBanks; i++) {
#pragma HLS UNROLL
            held[i] = words[i];
        }
    }
    count.saturations = saturations;
}

#endif
