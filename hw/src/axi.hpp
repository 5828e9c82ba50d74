// The AXI-Streams: 64 bits of data, TKEEP and TLAST.
#ifndef CIRCNN_AXI_HPP
#define CIRCNN_AXI_HPP

#include <stdint.h>

#include "stream.hpp"

struct AxiBeat {
    uint64_t data;
    uint8_t keep;
    bool last;
};

#ifdef __SYNTHESIS__

#include <ap_axi_sdata.h>

typedef ap_axiu<64, 0, 0, 0> AxiWord;
typedef hls::stream<AxiWord> AxiStream;

inline AxiBeat axi_read(AxiStream &stream) {
    const AxiWord word = stream.read();
    return AxiBeat{word.data.to_uint64(), static_cast<uint8_t>(word.keep.to_uint()),
                   word.last == 1};
}

inline void axi_write(AxiStream &stream, const AxiBeat &beat) {
    AxiWord word;
    word.data = beat.data;
    word.keep = beat.keep;
    word.strb = beat.keep;
    word.last = beat.last ? 1 : 0;
    stream.write(word);
}

#else

// The other end is the DMA: a bound on this channel would show nothing about the design.
typedef Stream<AxiBeat, 1 << 30> AxiStream;

inline AxiBeat axi_read(AxiStream &stream) { return stream.read(); }

inline void axi_write(AxiStream &stream, const AxiBeat &beat) { stream.write(beat); }

#endif

#endif
