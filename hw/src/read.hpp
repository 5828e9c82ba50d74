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
        const Word word = limit(round_shift(s.sum, h.byte_shift), limited);
        for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
            CIRCNN_WRITES(bytes.words[i], trip, kInputBytes);
            bytes.words[i][trip] = word;
            bytes.limited[i][trip] = limited;
        }
        s = next_bytes(h.byte_scale, s);
    }
}

// `count` of the eight bytes of a beat as input words, the rest as zeros; returns how many of them
// were limited.
inline uint8_t input_bytes(const InputBytes &bytes, uint64_t beat, int32_t count,
                           Word words[kBeat]) {
#pragma HLS INLINE
    uint8_t all = 0;
    for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
        const int byte = static_cast<int>((beat >> (8 * i)) & 0xFF);
        if (i < count) {
            CIRCNN_READS(bytes.words[i], byte, kInputBytes);
        }
        words[i] = i < count ? bytes.words[i][byte] : static_cast<Word>(0);
        all = static_cast<uint8_t>(all + (i < count && bytes.limited[i][byte] ? 1 : 0));
    }
    return all;
}

// The same for two beats of 16-bit words; -32768 is not a valid word and is limited.
inline uint8_t input_words(uint64_t low, uint64_t high, int32_t count, Word words[kBeat]) {
#pragma HLS INLINE
    uint8_t all = 0;
    for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
        bool limited = false;
        const Word word = limit(word_of(i < kBeat / 2 ? low : high, i % (kBeat / 2)), limited);
        words[i] = i < count ? word : static_cast<Word>(0);
        all = static_cast<uint8_t>(all + (i < count && limited ? 1 : 0));
    }
    return all;
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
#pragma HLS ARRAY_PARTITION variable = held complete
    OperandBeat upper;  // the second half of a pair, which the next trip sends
    bool low_waits = false, upper_waits = false;
    uint32_t trips = 0, saturations = 0;
    CIRCNN_LOOP("read");
read:
    for (uint32_t trip = 0; trip < kMaxTrips; trip++) {
#pragma HLS PIPELINE II = 1
        CIRCNN_TRIP();
        trips++;
        const ReadCommand c = commands.read();
        const bool any = c.count > 0;
        Word words[kBanks];
        read_words(memory, c.address, c.direct ? static_cast<uint8_t>(0) : c.count, words);
        const uint64_t beat = c.direct && any ? packet_beat(packet, in) : 0;
        const bool hold = c.use == ReadUse::hold;
        // to the forward transform
        Word scaled[kBeat], direct[kBeat];
        const uint8_t limited_bytes = input_bytes(bytes, beat, c.count, scaled);
        const uint8_t limited_words = input_words(low_waits ? low : beat, beat, c.count, direct);
        if (c.use == ReadUse::block) {
            BlockBeat block;
            for (int i = 0; i < kBanks; i++) {
#pragma HLS UNROLL
                const Word own = takes_bytes ? scaled[i % kBeat] : direct[i % kBeat];
                block.w[i] = !c.direct ? words[i] : i < kBeat ? own : static_cast<Word>(0);
            }
            if (c.direct) saturations += takes_bytes ? limited_bytes : limited_words;
            block.wide = c.wide;
            block.position = c.position;
            block.counted = c.counted;
            block.kept = c.kept;
            block.batch_last = c.batch_last;
            block.layer_last = c.ends;
            blocks.write(block);
        }
        low = beat;
        low_waits = hold;
        // to the vector unit: a word of the window, the lower half of a pair, or the upper one
        OperandBeat lower;
        for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
            lower.w[i] = c.use == ReadUse::pair ? held[i] : words[i];
            lower.v[i] = c.use == ReadUse::pair ? words[i] : words[i + kBeat];
        }
        lower.first = c.first;
        lower.last = c.last;
        lower.second = c.second;
        lower.wide = c.wide;
        const bool sends = c.use == ReadUse::operand || c.use == ReadUse::pair;
        if (sends || upper_waits) operands.write(sends ? lower : upper);
        for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
            upper.w[i] = held[i + kBeat];
            upper.v[i] = words[i + kBeat];
        }
        upper.first = upper.last = true;
        upper.second = upper.wide = false;
        upper_waits = c.use == ReadUse::pair && c.count > kBeat;
        for (int i = 0; i < kBanks; i++) {
#pragma HLS UNROLL
            held[i] = words[i];
        }
        if (c.ends) break;
    }
    count.trips = trips;
    count.saturations = saturations;
}

#endif
