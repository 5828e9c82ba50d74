// Connects the parts: units into a layer, layers into a batch, batches into a packet.
#include "circnn_engine.hpp"

#include "forward.hpp"
#include "inverse.hpp"
#include "parallel.hpp"
#include "product.hpp"
#include "read.hpp"
#include "vector.hpp"
#include "write.hpp"

// -- one layer ----------------------------------------------------------------------------------

// The units run in parallel.  The activation memory is one dual-port RAM: the reader uses one port
// and the writer the other, and no layer overwrites its inputs.
static void run_units(const Layer &layer, const Batch &batch, const ForwardJob forward,
                      const InverseJob inverse, const ActivationBank *read_port,
                      ActivationBank *write_port, const Word weights[kWeightRows][kRow],
                      Word spectra[kSpectraRows][kRow], const Channels &channels, AxiStream &in,
                      PacketReader &packet, Count counts[kUnits]) {
#pragma HLS DATAFLOW
    BlockStream blocks("blocks");
    RowStream rows("rows");
    SumStream sums("sums");
    ValueStream values("values");
    OperandStream operands("operands");
    TotalStream totals("totals");
    ResultStream results("results");
    CIRCNN_PARALLEL_BEGIN
    CIRCNN_UNIT(read_layer(layer, batch, read_port, in, packet, blocks, operands, counts[kRead]))
    CIRCNN_UNIT(forward_transform(forward, blocks, rows, counts[kForward]))
    CIRCNN_UNIT(product(layer, batch, weights, spectra, rows, sums, counts[kProduct]))
    CIRCNN_UNIT(inverse_transform(inverse, sums, values, counts[kInverse]))
    CIRCNN_UNIT(vector_layer(layer, batch, operands, totals, counts[kVector]))
    CIRCNN_UNIT(epilogue(layer, batch, channels, values, totals, results, counts[kEpilogue]))
    CIRCNN_UNIT(write_layer(layer, batch, results, write_port, counts[kWrite]))
    CIRCNN_PARALLEL_END
    CIRCNN_CHECK(blocks.empty(), "leftovers in the channel ", "blocks");
    CIRCNN_CHECK(rows.empty(), "leftovers in the channel ", "rows");
    CIRCNN_CHECK(sums.empty(), "leftovers in the channel ", "sums");
    CIRCNN_CHECK(values.empty(), "leftovers in the channel ", "values");
    CIRCNN_CHECK(operands.empty(), "leftovers in the channel ", "operands");
    CIRCNN_CHECK(totals.empty(), "leftovers in the channel ", "totals");
    CIRCNN_CHECK(results.empty(), "leftovers in the channel ", "results");
}

static void run_layer(Engine &engine, int32_t index, const Batch &batch, AxiStream &in,
                      PacketReader &packet, Report &report) {
    Count counts[kUnits] = {};
    const Layer &layer = engine.layers[index];
    run_units(layer, batch, forward_job(layer), inverse_job(layer, batch), engine.activations,
              engine.activations, engine.weights, engine.spectra, engine.channels, in, packet,
              counts);
    uint32_t limited = 0;
    for (int unit = kForward; unit < kUnits; unit++) {
        limited += counts[unit].saturations;
        CIRCNN_COUNT(engine.trips[index][unit] += counts[unit].trips);
    }
    CIRCNN_COUNT(engine.trips[index][kRead] += counts[kRead].trips);
    // input words that come straight from the packet are limited in the reader
    engine.saturations[0] += counts[kRead].saturations;
    engine.saturations[index + 1] += limited;
    report.product_trips += counts[kProduct].trips;
}

// -- input and output of a batch ----------------------------------------------------------------

static void load_input(Engine &engine, const Batch &batch, AxiStream &in, PacketReader &packet) {
    const circnn_header &h = engine.header;
    int32_t sample = 0, word = 0;
    uint32_t limited = 0;
input:
    for (uint32_t trip = 0; trip < kMaxTrips; trip++) {
#pragma HLS PIPELINE II = 1
        if (sample == batch.samples) break;
        CIRCNN_COUNT(engine.input_trips++);
        const int32_t step = batch.bytes ? kBeat : kBeat / 2;
        const int32_t count = least(h.input_words - word, step);
        const uint64_t beat = packet_beat(packet, in);
        Word words[kBeat];
        if (batch.bytes)
            input_bytes(h, beat, count, words, limited);
        else
            input_words(beat, 0, count, words, limited);
        write_words(engine.activations, sample * batch.stride + h.input_address + word, words,
                    count);
        word += step;
        if (word >= h.input_words) {
            word = 0;
            sample++;
        }
    }
    engine.saturations[0] += limited;
}

static void send_output(Engine &engine, const Batch &batch, AxiStream &out, Report &report) {
    const circnn_header &h = engine.header;
    int32_t sample = 0, word = 0;
output:
    for (uint32_t trip = 0; trip < kMaxTrips; trip++) {
#pragma HLS PIPELINE II = 1
        if (sample == batch.samples) break;
        CIRCNN_COUNT(engine.output_trips++);
        Word words[kBanks];
        read_words(engine.activations, sample * batch.stride + h.output_address + word,
                   least(h.output_words - word, kBeat / 2), words);
        uint64_t beat = 0;
        for (int i = 0; i < kBeat / 2; i++) {
#pragma HLS UNROLL
            beat |= static_cast<uint64_t>(static_cast<uint16_t>(words[i])) << (16 * i);
        }
        send(out, beat, false, report.beats_out);
        word += kBeat / 2;
        if (word >= h.output_words) {
            word = 0;
            sample++;
        }
    }
}

// -- packets ------------------------------------------------------------------------------------

static bool takes_input_from_stream(const Engine &engine) {
    return engine.header.layers > 0 && engine.layers[0].from_stream;
}

static void run_batch(Engine &engine, const Batch &batch, Payload &payload, AxiStream &in,
                      Report &report) {
    if (!takes_input_from_stream(engine)) load_input(engine, batch, in, payload.packet);
layers:
    for (int32_t i = 0; i < engine.header.layers; i++) {
        const Layer &layer = engine.layers[i];
        if (layer.streamed) {
            Count count = {0, 0};
            load_weights(layer, payload, in, engine.weights, count);
            CIRCNN_COUNT(engine.weight_trips += count.trips);
        }
        run_layer(engine, i, batch, in, payload.packet, report);
    }
}

static void run_samples(Engine &engine, uint32_t samples, bool bytes, Payload &payload,
                        AxiStream &in, AxiStream &out, Report &report) {
    if (bytes && engine.header.byte_scale == 0) {
        complain(payload, CIRCNN_STATUS_NO_BYTES, -1);
        return;
    }
clear:
    for (int32_t i = 0; i <= engine.header.layers; i++) engine.saturations[i] = 0;
    uint32_t left = samples;
samples:
    for (uint32_t trip = 0; trip < kMaxTrips; trip++) {
        if (left == 0) break;
        const uint32_t most_now = static_cast<uint32_t>(engine.batch_samples);
        const int32_t now = static_cast<int32_t>(left < most_now ? left : most_now);
        const Batch batch = {now, engine.header.activation_words, bytes, engine.header};
        run_batch(engine, batch, payload, in, report);
        if (payload.packet.truncated) complain(payload, CIRCNN_STATUS_TRUNCATED, -1);
        if (payload.status != CIRCNN_STATUS_OK) return;
        send_output(engine, batch, out, report);
        report.samples += static_cast<uint32_t>(now);
        left -= static_cast<uint32_t>(now);
    }
}

static void send_counters(const Engine &engine, AxiStream &out, Report &report) {
counters:
    for (int32_t i = 0; i <= engine.header.layers; i += 2) {
#pragma HLS PIPELINE II = 1
        const uint64_t high = i + 1 <= engine.header.layers ? engine.saturations[i + 1] : 0u;
        send(out, engine.saturations[i] | high << 32, false, report.beats_out);
    }
}

static void send_reply(const Report &report, AxiStream &out, uint32_t &beats) {
    const uint32_t words[8] = {
        CIRCNN_ENGINE_REPLY_MAGIC, report.status,        report.detail,   report.samples,
        report.saturations,        report.product_trips, report.beats_in, CIRCNN_CONFIG_DIGEST};
reply:
    for (int i = 0; i < 8; i += 2) {
#pragma HLS PIPELINE II = 1
        send(out, words[i] | static_cast<uint64_t>(words[i + 1]) << 32, i == 6, beats);
    }
}

static void load_layer_weights(Engine &engine, uint32_t index, Payload &payload, AxiStream &in) {
    const bool known = index < static_cast<uint32_t>(engine.header.layers) &&
                       traits_of(engine.layers[index]).spectral && !engine.layers[index].streamed;
    if (!known) {
        complain(payload, CIRCNN_STATUS_BAD_PACKET, -1);
        return;
    }
    Count count = {0, 0};
    engine.loaded = false;  // a half loaded program must not run
    load_weights(engine.layers[index], payload, in, engine.weights, count);
}

// Executes the request of a packet; an error is stored in `payload`.
static void handle(Engine &engine, uint32_t kind, uint32_t argument, uint32_t format,
                   Payload &payload, AxiStream &in, AxiStream &out, Report &report) {
    const bool loaded = engine.loaded;
    if (kind == CIRCNN_PACKET_RUN ? format > 1 : format != 0) {
        complain(payload, CIRCNN_STATUS_BAD_PACKET, -1);
    } else if (kind == CIRCNN_PACKET_PROGRAM) {
        Count count = {0, 0};
        engine.loaded = false;
        load_program(argument, payload, in, engine.header, engine.layers, engine.weights,
                     engine.channels, count);
        if (payload.status == CIRCNN_STATUS_OK)
            engine.batch_samples = kActivationWords / engine.header.activation_words;
    } else if (kind == CIRCNN_PACKET_WEIGHTS || kind == CIRCNN_PACKET_RUN) {
        if (!loaded)
            complain(payload, CIRCNN_STATUS_NO_PROGRAM, -1);
        else if (kind == CIRCNN_PACKET_WEIGHTS)
            load_layer_weights(engine, argument, payload, in);
        else
            run_samples(engine, argument, format == 1, payload, in, out, report);
    } else if (kind != CIRCNN_PACKET_IDENTIFY) {
        complain(payload, CIRCNN_STATUS_BAD_PACKET, -1);
    }
}

void engine_step(Engine &engine, AxiStream &in, AxiStream &out, Report &report) {
    report = Report{0, 0, 0, 0, 0, 0, 0};
    Payload payload = {packet_begin(), 0, CIRCNN_STATUS_OK, -1};
    const uint64_t first = packet_beat(payload.packet, in);
    const uint64_t second = packet_beat(payload.packet, in);
    const uint32_t kind = half_of(first, 1);
    if (payload.packet.truncated)
        complain(payload, CIRCNN_STATUS_TRUNCATED, -1);
    else if (half_of(first, 0) != CIRCNN_ENGINE_PACKET_MAGIC)
        complain(payload, CIRCNN_STATUS_BAD_PACKET, -1);
    else
        handle(engine, kind, half_of(second, 0), half_of(second, 1), payload, in, out, report);

    if (payload.packet.truncated) complain(payload, CIRCNN_STATUS_TRUNCATED, -1);
    const bool overlong = packet_drain(payload.packet, in);
    if (overlong) complain(payload, CIRCNN_STATUS_OVERLONG, -1);
    if (!payload.packet.kept) complain(payload, CIRCNN_STATUS_BAD_PACKET, -1);

    const bool ok = payload.status == CIRCNN_STATUS_OK;
    if (ok && (kind == CIRCNN_PACKET_PROGRAM || kind == CIRCNN_PACKET_WEIGHTS))
        engine.loaded = true;
    report.status = static_cast<uint32_t>(payload.status);
    report.detail = static_cast<uint32_t>(payload.detail);
    report.beats_in = payload.packet.beats;
    if (kind == CIRCNN_PACKET_RUN && ok) {
    total:
        for (int32_t i = 0; i <= engine.header.layers; i++)
            report.saturations += engine.saturations[i];
        send_counters(engine, out, report);
    }
    send_reply(report, out, report.beats_out);
}
