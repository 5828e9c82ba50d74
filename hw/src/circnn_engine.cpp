// Connects the parts: units into a layer, layers into a batch, batches into a packet.
#include "circnn_engine.hpp"

#include "parallel.hpp"

// -- one layer ----------------------------------------------------------------------------------

// The units run in parallel, each with a job of its own; beside them the next layer is planned.  The
// activation memory is the one variable that two of them have: the reader, which comes first, and
// the writer, which comes last.  Vitis HLS allows that for an argument of the region (UG1399,
// "Canonical Body": read before write), and no layer overwrites what it reads.
static void run_units(const LayerTable layers, uint8_t next, const Batch batch,
                      int32_t numbers[kNumbers], Plan &next_plan, const ReadJob reading,
                      const ForwardJob forward, const SplitJob split, const LinesJob line_job,
                      const OutputsJob outputs, const LanesJob lanes, const ResultJob counting,
                      const InverseJob inverse, const VectorJob vector, const ResultJob placing,
                      const EpilogueJob ending, bool spectral, bool takes_bytes, uint32_t beats,
                      const InputBytes &bytes, ActivationBank *activations,
                      const Word weights[kWeightRows][kRow], Word spectra[kSpectraRows][kRow],
                      const Channels &channels, AxiStream &in, PacketReader &packet,
                      Count &read_count, Count &forward_count, Count &split_count,
                      Count &product_count, Count &inverse_count, Count &vector_count,
                      Count &epilogue_count, Count &write_count) {
#pragma HLS DATAFLOW
    ReadCommandStream reads("reads");
    BlockStream blocks("blocks");
    PointStream points("points");
    RowStream rows("rows");
    LineStream lines("lines");
    LaneCommandStream trips("trips");
    CountedStream counted("counted");
    SumStream sums("sums");
    ValueStream values("values");
    OperandStream operands("operands");
    TotalStream totals("totals");
    UpperStream uppers("uppers");
    ResultCommandStream places("places");
    ResultStream results("results");
    CIRCNN_PARALLEL_BEGIN
    CIRCNN_UNIT(plan_layer(layers, next, batch, numbers, next_plan))
    CIRCNN_UNIT(sequence_read(reading, reads))
    CIRCNN_UNIT(read_layer(takes_bytes, bytes, activations, reads, in, packet, blocks, operands,
                           read_count))
    CIRCNN_UNIT(forward_transform(forward, blocks, points, forward_count))
    CIRCNN_UNIT(split_spectra(split, points, rows, split_count))
    CIRCNN_UNIT(sequence_lines(line_job, spectral, lines))
    CIRCNN_UNIT(sequence_outputs(outputs, spectral, lines, trips))
    CIRCNN_UNIT(sequence_counted(counting, spectral, counted))
    CIRCNN_UNIT(product(lanes, weights, spectra, trips, rows, counted, sums, product_count))
    CIRCNN_UNIT(inverse_transform(inverse, sums, values, inverse_count))
    CIRCNN_UNIT(vector_layer(vector, operands, totals, uppers, vector_count))
    CIRCNN_UNIT(sequence_results(placing, places))
    CIRCNN_UNIT(epilogue(ending, channels, values, totals, uppers, places, results, epilogue_count))
    CIRCNN_UNIT(write_layer(beats, results, activations, write_count))
    CIRCNN_PARALLEL_END
    CIRCNN_CHECK(reads.empty(), "leftovers in the channel ", "reads");
    CIRCNN_CHECK(blocks.empty(), "leftovers in the channel ", "blocks");
    CIRCNN_CHECK(points.empty(), "leftovers in the channel ", "points");
    CIRCNN_CHECK(rows.empty(), "leftovers in the channel ", "rows");
    CIRCNN_CHECK(lines.empty(), "leftovers in the channel ", "lines");
    CIRCNN_CHECK(trips.empty(), "leftovers in the channel ", "trips");
    CIRCNN_CHECK(counted.empty(), "leftovers in the channel ", "counted");
    CIRCNN_CHECK(sums.empty(), "leftovers in the channel ", "sums");
    CIRCNN_CHECK(values.empty(), "leftovers in the channel ", "values");
    CIRCNN_CHECK(operands.empty(), "leftovers in the channel ", "operands");
    CIRCNN_CHECK(totals.empty(), "leftovers in the channel ", "totals");
    CIRCNN_CHECK(uppers.empty(), "leftovers in the channel ", "uppers");
    CIRCNN_CHECK(places.empty(), "leftovers in the channel ", "places");
    CIRCNN_CHECK(results.empty(), "leftovers in the channel ", "results");
}

// The layer before the next one, if there is any; after the last one the last is planned again.
static void run_layer(Engine &engine, uint8_t next, const Batch &batch, AxiStream &in,
                      PacketReader &packet, Report &report) {
    const uint8_t index = static_cast<uint8_t>((next - 1) & 127);
    const uint8_t planned = next == (engine.header.layers & 127) ? index : next;
    const Plan &plan = engine.plan;
    Count read = {0, 0}, forward = read, split = read, product = read, inverse = read,
          vector = read, epilogue = read, write = read;
    run_units(engine.layers, planned, batch, engine.numbers, engine.next_plan, plan.read,
              plan.forward, plan.split, plan.lines, plan.outputs, plan.lanes, plan.results,
              plan.inverse, plan.vector, plan.results, plan.ending, plan.spectral, batch.bytes,
              plan.results.beats, engine.input_bytes, engine.activations, engine.weights,
              engine.spectra, engine.channels, in, packet, read, forward, split, product, inverse,
              vector, epilogue, write);
    if (next == 0) return;
#ifdef CIRCNN_COUNT_TRIPS
    const Count counts[kUnits] = {read, forward, split, product, inverse, vector, epilogue, write};
    for (int unit = 0; unit < kUnits; unit++) engine.trips[index][unit] += counts[unit].trips;
#endif
    // input words that come straight from the packet are limited in the reader
    engine.saturations[0] += read.saturations;
    engine.saturations[next] += forward.saturations + split.saturations + product.saturations +
                                inverse.saturations + epilogue.saturations;
    report.product_trips += product.trips;
}

// -- input and output of a batch ----------------------------------------------------------------

// Words of the activation memory, sample by sample, a number of them a trip.  All of them lie in the
// memory, whose addresses are numbers of a layer.
struct MoveJob {
    uint32_t first_address, sample_words;    // of the first sample; from one to the next
    uint32_t words;                          // of a sample
    uint8_t step;                            // words a trip
    uint16_t samples;
};

struct MoveState {
    uint16_t samples;                        // that are left
    uint32_t left;                           // words of the sample
    uint32_t address, sample_address;
};

static MoveState first_move(const MoveJob &j) {
    return MoveState{j.samples, j.words, j.first_address, j.first_address};
}

static MoveState next_move(const MoveJob &j, const MoveState &s) {
#pragma HLS INLINE
    const bool sample = s.left <= j.step;
    const uint32_t next_sample = (s.sample_address + j.sample_words) & kLayerNumberMask;
    MoveState n;
    n.samples = static_cast<uint16_t>(sample ? s.samples - 1 : s.samples);
    n.left = sample ? j.words : (s.left - j.step) & kLayerNumberMask;
    n.sample_address = sample ? next_sample : s.sample_address;
    n.address = sample ? next_sample : (s.address + j.step) & kLayerNumberMask;
    return n;
}

static uint8_t words_of(const MoveJob &j, const MoveState &s) {
    return s.left < j.step ? static_cast<uint8_t>(s.left) : j.step;
}

static MoveJob move_job(const Batch &batch, int32_t address, int32_t words, uint8_t step) {
    return MoveJob{to_uint32(address & kLayerNumberMask),
                   to_uint32(batch.stride & kLayerNumberMask), to_uint32(words & kLayerNumberMask),
                   step, to_uint16(batch.samples)};
}

static void load_input(Engine &engine, const Batch &batch, AxiStream &in, PacketReader &packet) {
    const circnn_header &h = engine.header;
    const MoveJob job = move_job(batch, h.input_address, h.input_words,
                                 static_cast<uint8_t>(batch.bytes ? kBeat : kBeat / 2));
    MoveState s = first_move(job);
    uint32_t limited = 0;
    CIRCNN_REGION();
    CIRCNN_LOOP("input");
input:
    while (s.samples != 0) {
#pragma HLS PIPELINE II = 1
        CIRCNN_TRIP();
        CIRCNN_COUNT(engine.input_trips++);
        const uint8_t count = words_of(job, s);
        const uint64_t beat = packet_beat(packet, in);
        Word words[kBeat];
        limited += input_beat(engine.input_bytes, batch.bytes, beat, beat, count, words);
        write_words(engine.activations, s.address, words, count);
        s = next_move(job, s);
    }
    engine.saturations[0] += limited;
}

static void send_output(Engine &engine, const Batch &batch, AxiStream &out, Report &report) {
    const circnn_header &h = engine.header;
    const MoveJob job = move_job(batch, h.output_address, h.output_words, kBeat / 2);
    MoveState s = first_move(job);
    CIRCNN_REGION();
    CIRCNN_LOOP("output");
output:
    while (s.samples != 0) {
#pragma HLS PIPELINE II = 1
        CIRCNN_TRIP();
        CIRCNN_COUNT(engine.output_trips++);
        Word words[kBanks];
        const uint8_t count = words_of(job, s);
        read_banks<kBeat / 2>(engine.activations, s.address, count, words);
        uint64_t beat = 0;
        for (int i = 0; i < kBeat / 2; i++) {
#pragma HLS UNROLL
            const Word word = i < count ? words[i] : static_cast<Word>(0);
            beat |= static_cast<uint64_t>(static_cast<uint16_t>(word)) << (16 * i);
        }
        send(out, beat, false, report.beats_out);
        s = next_move(job, s);
    }
}

// -- packets ------------------------------------------------------------------------------------

static bool takes_input_from_stream(const Engine &engine) {
    return engine.header.layers > 0 && from_stream(engine.layers, 0);
}

static void load_weights(Engine &engine, int32_t layer, Payload &payload, AxiStream &in) {
    const LoadJob job = weights_job(engine.layers, layer, false);
    if (!load_beats(job, payload, in, engine.numbers, engine.weights, engine.channels))
        complain(payload, CIRCNN_STATUS_BAD_FIELD, -1);
}

static void run_batch(Engine &engine, const Batch &batch, Payload &payload, AxiStream &in,
                      Report &report) {
    if (!takes_input_from_stream(engine)) load_input(engine, batch, in, payload.packet);
    if (engine.header.layers == 0) return;
    // the first turn plans the first layer; each other turn runs a layer and plans the next
    plan_nothing(engine.plan);
    const uint8_t layers_and_one = static_cast<uint8_t>((engine.header.layers & 127) + 1);
layers:
    for (uint8_t next = 0; next != layers_and_one; next = next_layer(next)) {
        if (next > 0 && streams_weights(engine.layers, next - 1)) {
            CIRCNN_COUNT(engine.weight_trips += weights_job(engine.layers, next - 1, false).trips);
            load_weights(engine, next - 1, payload, in);
        }
        run_layer(engine, next, batch, in, payload.packet, report);
        engine.plan = engine.next_plan;
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
    while (left != 0) {
        const uint32_t most_now = static_cast<uint32_t>(engine.batch_samples);
        const int32_t now = static_cast<int32_t>(left < most_now ? left : most_now);
        const Batch batch = {now, engine.header.activation_words, bytes};
        run_batch(engine, batch, payload, in, report);
        if (payload.packet.truncated) complain(payload, CIRCNN_STATUS_TRUNCATED, -1);
        if (payload.status != CIRCNN_STATUS_OK) return;
        send_output(engine, batch, out, report);
        report.samples += static_cast<uint32_t>(now);
        left -= static_cast<uint32_t>(now);
    }
}

// The counters, padded to whole beats, if there are any, and the reply: a word of 32 bits a trip.
struct ReplyState {
    uint8_t counters, words;  // that are left
    bool second;              // word of a beat
};

static ReplyState next_reply(const ReplyState &s) {
#pragma HLS INLINE
    ReplyState n;
    n.counters = static_cast<uint8_t>(s.counters == 0 ? 0 : (s.counters - 1) & 127);
    n.words = static_cast<uint8_t>((s.words - 1) & 127);
    n.second = !s.second;
    return n;
}

static void send_reply(const Engine &engine, bool counters, AxiStream &out, Report &report) {
    constexpr int kReplyWords = 8;
    const uint8_t layers = static_cast<uint8_t>(counters ? (engine.header.layers & 127) + 1 : 0);
    const uint8_t padded = static_cast<uint8_t>((layers + 1) & ~1);
    uint32_t held = 0, saturations = 0;  // held: the lower half of a beat
    ReplyState s = {layers, static_cast<uint8_t>(padded + kReplyWords), false};
reply:
    while (s.words != 0) {
#pragma HLS PIPELINE II = 1
        const uint32_t counter = s.counters != 0 ? engine.saturations[(layers - s.counters) & 127]
                                                 : 0;
        saturations += counter;
        const uint32_t words[kReplyWords] = {CIRCNN_ENGINE_REPLY_MAGIC,
                                             report.status,
                                             report.detail,
                                             report.samples,
                                             saturations,
                                             report.product_trips,
                                             report.beats_in,
                                             CIRCNN_CONFIG_DIGEST};
        const uint32_t word = s.words > kReplyWords ? counter : words[(kReplyWords - s.words) & 7];
        const uint64_t beat = held | static_cast<uint64_t>(word) << 32;
        if (s.second) send(out, beat, s.words == 1, report.beats_out);
        held = word;
        s = next_reply(s);
    }
    report.saturations = saturations;
}

static void load_layer_weights(Engine &engine, uint32_t index, Payload &payload, AxiStream &in) {
    const int32_t layer = static_cast<int32_t>(index);
    const bool known = index < static_cast<uint32_t>(engine.header.layers) &&
                       is_spectral(engine.layers, layer) && !streams_weights(engine.layers, layer);
    if (!known) {
        complain(payload, CIRCNN_STATUS_BAD_PACKET, -1);
        return;
    }
    engine.loaded = false;  // a half loaded program must not run
    load_weights(engine, layer, payload, in);
}

// What a program needs before its first sample.
static void start_program(Engine &engine) {
    const int32_t samples = quotient(kActivationWords, engine.header.activation_words).value;
    engine.batch_samples = least(samples, CIRCNN_ENGINE_BATCH_MAX);
    fill_bytes(engine.header, engine.input_bytes);
}

// Executes the request of a packet; an error is stored in `payload`.
static void handle(Engine &engine, uint32_t kind, uint32_t argument, uint32_t format,
                   Payload &payload, AxiStream &in, AxiStream &out, Report &report) {
    const bool loaded = engine.loaded;
    if (kind == CIRCNN_PACKET_RUN ? format > 1 : format != 0) {
        complain(payload, CIRCNN_STATUS_BAD_PACKET, -1);
    } else if (kind == CIRCNN_PACKET_PROGRAM) {
        engine.loaded = false;
        load_program(argument, payload, in, engine.header, engine.numbers, engine.layers,
                     engine.weights, engine.channels);
        if (payload.status == CIRCNN_STATUS_OK) start_program(engine);
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
#pragma HLS ALLOCATION function instances = quotient limit = 1
#pragma HLS ALLOCATION function instances = take_checks limit = 1
#pragma HLS ALLOCATION function instances = holds_tensor limit = 1
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
    report.status = payload.status;
    report.detail = to_uint32(payload.detail);
    report.beats_in = payload.packet.beats;
    send_reply(engine, kind == CIRCNN_PACKET_RUN && ok, out, report);
}
