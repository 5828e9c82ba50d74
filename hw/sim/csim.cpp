// The C simulation's interface: packets in and out of one engine, as plain bytes.
#include "csim.h"

#include <new>

#include "circnn_engine.hpp"

struct circnn_csim {
    Engine engine;
    Report report;
    AxiStream in{"in_stream"}, out{"out_stream"};
};

circnn_csim *circnn_csim_create(void) {
    circnn_csim *csim = new (std::nothrow) circnn_csim();
    return csim;
}

void circnn_csim_destroy(circnn_csim *csim) { delete csim; }

size_t circnn_csim_step(circnn_csim *csim, const uint64_t *packet, size_t beats, uint64_t *reply,
                        size_t room) {
    for (size_t i = 0; i < beats; i++)
        axi_write(csim->in, AxiBeat{packet[i], 0xFF, i + 1 == beats});
    engine_step(csim->engine, csim->in, csim->out, csim->report);
    CIRCNN_CHECK(csim->in.empty(), "leftovers in the channel ", "in_stream");
    size_t sent = 0;
    bool last = false;
    while (!csim->out.empty()) {
        const AxiBeat beat = axi_read(csim->out);
        if (last) fault("beats behind TLAST in ", "out_stream");
        last = beat.last;
        if (sent < room) reply[sent] = beat.data;
        sent++;
    }
    if (!last) fault("no TLAST in ", "out_stream");
    return sent;
}

void circnn_csim_registers(const circnn_csim *csim, uint32_t registers[7]) {
    const Report &r = csim->report;
    const uint32_t values[7] = {r.status,        r.detail,   r.samples,  r.saturations,
                                r.product_trips, r.beats_in, r.beats_out};
    for (int i = 0; i < 7; i++) registers[i] = values[i];
}

void circnn_csim_clear_trips(circnn_csim *csim) {
    Engine &e = csim->engine;
    for (int i = 0; i < kMaxLayers; i++)
        for (int unit = 0; unit < kUnits; unit++) e.trips[i][unit] = 0;
    e.input_trips = e.output_trips = e.weight_trips = 0;
}

void circnn_csim_trips(const circnn_csim *csim, uint64_t *layers, uint64_t *moves) {
    const Engine &e = csim->engine;
    for (int i = 0; i < kMaxLayers; i++)
        for (int unit = 0; unit < kUnits; unit++) layers[i * kUnits + unit] = e.trips[i][unit];
    moves[0] = e.input_trips;
    moves[1] = e.output_trips;
    moves[2] = e.weight_trips;
}

// X(name, value) for what follows from a spectral layer's descriptor.
#define CIRCNN_LAYER_FIELDS(X)                        \
    X(block, 1 << number(block_log2))                 \
    X(side, 1 << most(share - number(block_log2), 0)) \
    X(places, 1 << number(places_log2))               \
    X(by_sample, number(by_sample))                   \
    X(chunks, chunks)                                 \
    X(row_groups, number(row_groups))                 \
    X(column_groups, number(column_groups))           \
    X(terms, number(terms))                           \
    X(strip, number(strip))                           \
    X(columns, number(columns))                       \
    X(kept_columns, number(kept_columns))             \
    X(line_rows, number(line_rows))                   \
    X(ring_lines, number(ring_lines))                 \
    X(pace, number(pace))                             \
    X(weights_row, number(weights_row))               \
    X(from_stream, from_stream(layers, index))        \
    X(streamed, streams_weights(layers, index))

const char *circnn_csim_layer_fields(void) {
#define CIRCNN_NAME(name, value) #name " "
    return CIRCNN_LAYER_FIELDS(CIRCNN_NAME);
#undef CIRCNN_NAME
}

void circnn_csim_layer(const circnn_csim *csim, int32_t index, int32_t *fields) {
    const LayerTable &layers = csim->engine.layers;
#define number(name) layer_number(layers, index, steps::name)
    const int32_t share = number(share_log2);
    const int32_t chunks = 1 << most(number(block_log2) - kRowLog2, 0);
#define CIRCNN_VALUE(name, value) static_cast<int32_t>(value),
    const int32_t values[] = {CIRCNN_LAYER_FIELDS(CIRCNN_VALUE)};
#undef CIRCNN_VALUE
#undef number
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) fields[i] = values[i];
}
