// Packets: words out of and into the AXI streams.
#ifndef CIRCNN_PACKET_HPP
#define CIRCNN_PACKET_HPP

#include "types.hpp"

// A packet being read.  Reads past its end return zeros and mark it as truncated.
struct PacketReader {
    bool ended;
    bool truncated;
    bool kept;       // whether TKEEP was all ones so far
    uint32_t beats;
};

inline PacketReader packet_begin() { return PacketReader{false, false, true, 0}; }

inline uint64_t packet_beat(PacketReader &reader, AxiStream &in) {
    if (reader.ended) {
        reader.truncated = true;
        return 0;
    }
    const AxiBeat beat = axi_read(in);
    reader.ended = beat.last;
    reader.kept = reader.kept && beat.keep == 0xFF;
    reader.beats++;
    return beat.data;
}

// Drop the rest of the packet; returns whether there was any.
inline bool packet_drain(PacketReader &reader, AxiStream &in) {
    const bool overlong = !reader.ended;
drain:
    while (!reader.ended) {
#pragma HLS PIPELINE II = 1
        packet_beat(reader, in);
    }
    return overlong;
}

constexpr int kBeatHalves = 2;  // 32-bit words of a beat of the stream
constexpr int kBeatWords = 4;   // 16-bit words

inline Word word_of(uint64_t beat, int index) {
    return static_cast<Word>(static_cast<uint16_t>(beat >> (16 * index)));
}

inline uint32_t half_of(uint64_t beat, int index) {
    return static_cast<uint32_t>(beat >> (32 * index));
}

inline int32_t signed_half(uint64_t beat, int index) {
    return static_cast<int32_t>(half_of(beat, index));
}

inline void send(AxiStream &out, uint64_t data, bool last, uint32_t &beats) {
    axi_write(out, AxiBeat{data, 0xFF, last});
    beats++;
}

#endif
