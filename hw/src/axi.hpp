// The AXI-Streams: 64 bits of data, TKEEP and TLAST.
#ifndef CIRCNN_AXI_HPP
#define CIRCNN_AXI_HPP

#include <stdint.h>

#include "channels.hpp"

struct AxiBeat {
    uint64_t data;
    uint8_t keep;
    bool last;
};

inline AxiBeat axi_read(AxiStream &stream) {
    const AxiWord word = stream.read();
    return AxiBeat{static_cast<uint64_t>(word.data), static_cast<uint8_t>(word.keep),
                   static_cast<bool>(word.last)};
}

inline void axi_write(AxiStream &stream, const AxiBeat &beat) {
    AxiWord word;
    word.data = beat.data;
    word.keep = beat.keep;
    word.strb = beat.keep;
    word.last = beat.last;
    stream.write(word);
}

#endif
