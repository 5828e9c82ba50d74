// What the sequences tell the reader to do in a trip.
#ifndef CIRCNN_COMMANDS_HPP
#define CIRCNN_COMMANDS_HPP

#include "types.hpp"

// A counter of a sequence that goes on, or turns over.
inline uint16_t counted_on(uint16_t count, bool on, bool over) {
#pragma HLS INLINE
    const uint16_t next = static_cast<uint16_t>(count + 1);
    return mux(over, uint16_t{0}, mux(on, next, count));
}

// What becomes of the words that a trip reads.
enum class ReadUse : uint8_t {
    hold,     // half a beat from the packet, or the first of a pair of operands: the next trip
              // needs it
    block,    // to the forward transform
    operand,  // to the vector unit
    pair      // with the words that are held, to the vector unit
};

struct ReadCommand {
    ReadUse use;
    Address address;
    uint8_t count;                 // words, from the address on; the rest are zeros
    bool direct;                   // from the packet, not from the memory
    bool ends;                     // the layer's last trip
    bool wide;                     // more than eight words, or as many zeros
    // of a block
    bool counted, kept;
    uint8_t position;
    // of an operand
    bool first, last, second;
};

typedef Stream<ReadCommand, 16> ReadCommandStream;

#endif
