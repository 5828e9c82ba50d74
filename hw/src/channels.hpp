// The types of all channels, between the units and at the engine's two ends, and the widest number.
//
// With CIRCNN_VENDOR, which hw/tcl/hls.tcl sets for every step of the vendor's tool, they are the
// vendor's: in its C simulation, in synthesis and in its RTL co-simulation, which runs the test
// bench of the first on what the second made.  Elsewhere they are classes with the same interface
// that complain (stream.hpp).  A macro decides, not whether the vendor's headers are found: what a
// build is made of must not depend on what else lies on its include path.
//
// __SYNTHESIS__ never chooses a type: the tool would synthesise another design than it simulates.
#ifndef CIRCNN_CHANNELS_HPP
#define CIRCNN_CHANNELS_HPP

#include "config.hpp"

#ifdef CIRCNN_VENDOR

#include <ap_axi_sdata.h>
#include <ap_int.h>
#include <hls_stream.h>

template <typename T, int Depth>
using Stream = hls::stream<T, Depth>;

typedef ap_axiu<64, 0, 0, 0> AxiWord;
typedef hls::stream<AxiWord> AxiStream;

// What a lane accumulates; a DSP48E1 has 48 bits.
typedef ap_int<kSumBits> Sum;

// Of a word in the activation memory.
typedef ap_uint<kAddressBits> Address;

// A total of the vector unit: the sum of a pool's words.
typedef ap_int<28> Total;

// A number in the table of layers, which is as wide as a block RAM's row.
typedef ap_uint<18> LayerNumber;

#else

#ifdef __SYNTHESIS__
#error "CIRCNN_VENDOR must be defined in every step of an HLS tool: put it into the cflags."
#endif

#include <stdint.h>

#include "stream.hpp"

// The members of the vendor's ap_axiu<64, 0, 0, 0>.
struct AxiWord {
    uint64_t data;
    uint8_t keep, strb;
    bool last;
};

// The DMA is on the other side: a bound here would not show anything about the design.
typedef Stream<AxiWord, 1 << 30> AxiStream;

typedef int64_t Sum;
typedef int32_t Total;
typedef uint32_t Address;

typedef uint32_t LayerNumber;

#endif

#endif
