// The top function: the engine behind two AXI-Streams and AXI-Lite registers.  The offsets are the
// contract's.  Vitis HLS puts the control word of an output, with its ap_vld bit, after it, so that
// an output takes 16 bytes.  It moves a register with less room to the end and only prints a
// warning, so hw/scripts/check.py compares the resulting registers with the contract.
#include "circnn_top.hpp"

void circnn_engine(AxiStream &in_stream, AxiStream &out_stream, uint32_t &status, uint32_t &detail,
                   uint32_t &samples, uint32_t &saturations, uint32_t &product_trips,
                   uint32_t &beats_in, uint32_t &beats_out, uint32_t &identity, uint32_t &version,
                   uint32_t &configuration) {
#pragma HLS INTERFACE axis port = in_stream
#pragma HLS INTERFACE axis port = out_stream
#pragma HLS INTERFACE s_axilite port = return bundle = control
#pragma HLS INTERFACE s_axilite port = status bundle = control offset = 0x10
#pragma HLS INTERFACE s_axilite port = detail bundle = control offset = 0x20
#pragma HLS INTERFACE s_axilite port = samples bundle = control offset = 0x30
#pragma HLS INTERFACE s_axilite port = saturations bundle = control offset = 0x40
#pragma HLS INTERFACE s_axilite port = product_trips bundle = control offset = 0x50
#pragma HLS INTERFACE s_axilite port = beats_in bundle = control offset = 0x60
#pragma HLS INTERFACE s_axilite port = beats_out bundle = control offset = 0x70
#pragma HLS INTERFACE s_axilite port = identity bundle = control offset = 0x80
#pragma HLS INTERFACE s_axilite port = version bundle = control offset = 0x90
#pragma HLS INTERFACE s_axilite port = configuration bundle = control offset = 0xA0
    static Engine engine;
#pragma HLS ARRAY_PARTITION variable = engine.activations complete dim = 1
#pragma HLS ARRAY_PARTITION variable = engine.weights complete dim = 2
#pragma HLS ARRAY_RESHAPE variable = engine.spectra complete dim = 2
#pragma HLS ARRAY_PARTITION variable = engine.channels.scales complete dim = 1
#pragma HLS ARRAY_RESHAPE variable = engine.channels.scales complete dim = 3
#pragma HLS ARRAY_PARTITION variable = engine.channels.biases complete dim = 1
#pragma HLS ARRAY_RESHAPE variable = engine.channels.biases complete dim = 3
#pragma HLS ARRAY_PARTITION variable = engine.input_bytes.words complete dim = 1
#pragma HLS ARRAY_PARTITION variable = engine.input_bytes.limited complete dim = 1
#pragma HLS BIND_STORAGE variable = engine.input_bytes.words type = ram_s2p impl = lutram
#pragma HLS BIND_STORAGE variable = engine.input_bytes.limited type = ram_s2p impl = lutram
#pragma HLS BIND_STORAGE variable = engine.layers type = ram_s2p impl = bram
#pragma HLS BIND_STORAGE variable = engine.numbers type = ram_1wnr impl = lutram
    Report report;
    engine_step(engine, in_stream, out_stream, report);
    status = report.status;
    detail = report.detail;
    samples = report.samples;
    saturations = report.saturations;
    product_trips = report.product_trips;
    beats_in = report.beats_in;
    beats_out = report.beats_out;
    identity = CIRCNN_ENGINE_REPLY_MAGIC;
    version = CIRCNN_ENGINE_INTERFACE_VERSION;
    configuration = CIRCNN_CONFIG_DIGEST;
}
