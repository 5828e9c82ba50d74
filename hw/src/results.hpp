// The order in which a layer's results leave its units, eight at a time, and where each eight go.
//
// The sequence has six levels, from the innermost on: beat, place, group of blocks, column, row and
// group of samples.  Which level turns over with a beat selects by how much the address moves, so
// the sequence takes no multiplication.  For layers without spectra a place is an operand of a
// joined layer, and the groups of blocks have one member.
#ifndef CIRCNN_RESULTS_HPP
#define CIRCNN_RESULTS_HPP

#include "types.hpp"

// What the sequence needs of a layer.  `last_...` is the last value of a counter that begins at 0.
struct ResultJob {
    uint32_t beats;  // of all samples
    uint16_t last_beat_first, last_beat_other;  // of the first place, and of the others
    uint16_t last_place, last_rows, last_x, last_y;
    uint32_t first_address;
    int32_t step_place, step_rows, step_x, step_y, step_group;  // of the address
    uint32_t channels_first, channels_other;  // ends of their channels
    uint32_t counted_channels;  // channels whose saturations count: whole blocks
    uint32_t rows_channels;  // from one group of blocks to the next
    bool joined;  // the second place's channels follow the first's
    bool by_sample;  // places are samples
    uint16_t place_columns;  // from a place to the next: columns, or samples
    uint16_t columns;  // how many of them exist
    uint16_t scales_row, biases_row;  // of the first channel
};

struct ResultState {
    uint32_t left;  // beats that are not sent yet
    uint16_t beat, place, rows, x, y;
    uint32_t address;
    uint32_t channel, rows_channel;  // of this beat, and of the group of blocks
    uint16_t column, first_column;  // (or sample) of this place, and of the first one
};

// Eight results: how many of them exist, how many count, where they go, and their parameters.
struct ResultCommand {
    uint32_t address;
    uint16_t scales_row, biases_row;
    uint8_t count, counted;
};

typedef Stream<ResultCommand, 16> ResultCommandStream;
typedef Stream<uint8_t, 16> CountedStream;

// -- the job ------------------------------------------------------------------------------------

// A flat layer is one pixel with all its words.
inline int32_t pixels_of(const Layer &layer) {
    return traits_of(layer).flat ? 1 : layer.d.out_height * layer.d.out_width;
}

inline int32_t channels_of(const Layer &layer) {
    return traits_of(layer).flat ? layer.out_words : layer.d.out_channels;
}

// Channels of a pixel that come from the first operand: all, unless the layer is joined.
inline int32_t first_channels(const Layer &layer) {
    return traits_of(layer).joined ? layer.d.in_channels : channels_of(layer);
}

// Beats of a spectral layer for all samples of the batch.
inline uint32_t result_beats(const Layer &layer, int32_t samples) {
    const int32_t outputs = layer.d.out_height * layer.strip * layer.row_groups * layer.chunks;
    return static_cast<uint32_t>(sample_groups(layer, samples)) *
           static_cast<uint32_t>(outputs * kRowBeats);
}

inline ResultJob vector_result_job(const Layer &layer, const Batch &batch) {
    const int32_t channels = channels_of(layer), first = first_channels(layer);
    const int32_t beats = ceil_div(first, kBeat), others = ceil_div(channels - first, kBeat);
    // where the last beat of a pixel begins, counted from the pixel's first word
    const int32_t last = others > 0 ? first + (others - 1) * kBeat : (beats - 1) * kBeat;
    const int32_t pixels = pixels_of(layer);
    ResultJob j;
    j.beats = static_cast<uint32_t>(pixels * (beats + others)) *
              static_cast<uint32_t>(batch.samples);
    j.last_beat_first = static_cast<uint16_t>(beats - 1);
    j.last_beat_other = static_cast<uint16_t>(others > 0 ? others - 1 : 0);
    j.last_place = others > 0 ? 1 : 0;
    j.last_rows = 0;
    j.last_x = static_cast<uint16_t>(traits_of(layer).flat ? 0 : layer.d.out_width - 1);
    j.last_y = static_cast<uint16_t>(traits_of(layer).flat ? 0 : layer.d.out_height - 1);
    j.step_place = first - (beats - 1) * kBeat;
    j.step_rows = 0;
    j.step_x = j.step_y = channels - last;
    j.step_group = batch.stride - (pixels - 1) * channels - last;
    j.channels_first = static_cast<uint32_t>(first);
    j.channels_other = static_cast<uint32_t>(channels);
    j.counted_channels = 0;
    j.rows_channels = 0;
    j.joined = true;
    j.by_sample = false;
    j.place_columns = 0;
    j.columns = 0xFFFF;
    return j;
}

inline ResultJob matrix_result_job(const Layer &layer, const Batch &batch) {
    const circnn_descriptor &d = layer.d;
    const int32_t words = layer.side << d.block_log2;  // of a place
    const int32_t beats = ceil_div(words, kBeat);
    const int32_t place = layer.by_sample ? batch.stride : layer.strip * d.out_channels;
    // from the last beat of the last place back to the first of the first one
    const int32_t back = (beats - 1) * kBeat + (layer.places - 1) * place;
    ResultJob j;
    j.beats = result_beats(layer, batch.samples);
    j.last_beat_first = j.last_beat_other = static_cast<uint16_t>(beats - 1);
    j.last_place = static_cast<uint16_t>(layer.places - 1);
    j.last_rows = static_cast<uint16_t>(layer.row_groups - 1);
    j.last_x = static_cast<uint16_t>(layer.strip - 1);
    j.last_y = static_cast<uint16_t>(d.out_height - 1);
    j.step_place = place - (beats - 1) * kBeat;
    j.step_rows = words - back;
    const int32_t rows = (layer.row_groups - 1) * words + back;
    j.step_x = d.out_channels - rows;
    j.step_y = (d.out_width - layer.strip + 1) * d.out_channels - rows;
    j.step_group = samples_at_once(layer) * batch.stride - rows -
                   ((d.out_height - 1) * d.out_width + layer.strip - 1) * d.out_channels;
    j.channels_first = j.channels_other = static_cast<uint32_t>(d.out_channels);
    j.counted_channels = static_cast<uint32_t>(d.block_rows << d.block_log2);
    j.rows_channels = static_cast<uint32_t>(words);
    j.joined = false;
    j.by_sample = layer.by_sample;
    j.place_columns = static_cast<uint16_t>(layer.by_sample ? 1 : layer.strip);
    j.columns = static_cast<uint16_t>(layer.by_sample ? batch.samples : d.out_width);
    return j;
}

inline ResultJob result_job(const Layer &layer, const Batch &batch) {
    const circnn_traits traits = traits_of(layer);
    ResultJob j = traits.spectral ? matrix_result_job(layer, batch)
                                  : vector_result_job(layer, batch);
    j.first_address = static_cast<uint32_t>(layer.d.output_address);
    j.scales_row = static_cast<uint16_t>(traits.scaled ? layer.d.scales_offset / kBeat : 0);
    j.biases_row = static_cast<uint16_t>(traits.scaled ? layer.d.biases_offset / kBeat : 0);
    return j;
}

// -- the sequence -------------------------------------------------------------------------------

inline ResultState first_result(const ResultJob &j) {
    ResultState s;
    s.left = j.beats;
    s.beat = s.place = s.rows = s.x = s.y = 0;
    s.address = j.first_address;
    s.channel = s.rows_channel = 0;
    s.column = s.first_column = 0;
    return s;
}

inline ResultState next_result(const ResultJob &j, const ResultState &s) {
#pragma HLS INLINE
    const bool beat = s.beat == (s.place == 0 ? j.last_beat_first : j.last_beat_other);
    const bool place = beat && s.place == j.last_place;
    const bool rows = place && s.rows == j.last_rows;
    const bool x = rows && s.x == j.last_x;
    const bool y = x && s.y == j.last_y;
    ResultState n;
    n.left = s.left - 1;
    n.beat = static_cast<uint16_t>(beat ? 0 : s.beat + 1);
    n.place = static_cast<uint16_t>(!beat ? s.place : place ? 0 : s.place + 1);
    n.rows = static_cast<uint16_t>(!place ? s.rows : rows ? 0 : s.rows + 1);
    n.x = static_cast<uint16_t>(!rows ? s.x : x ? 0 : s.x + 1);
    n.y = static_cast<uint16_t>(!x ? s.y : y ? 0 : s.y + 1);
    const int32_t step = !beat    ? kBeat
                         : !place ? j.step_place
                         : !rows  ? j.step_rows
                         : !x     ? j.step_x
                         : !y     ? j.step_y
                                  : j.step_group;
    n.address = s.address + static_cast<uint32_t>(step);
    const uint32_t further = s.rows_channel + j.rows_channels;
    n.rows_channel = !place ? s.rows_channel : rows ? 0 : further;
    n.channel = !beat    ? s.channel + kBeat
                : !place ? (j.joined ? j.channels_first : s.rows_channel)
                : !rows  ? further
                         : 0;
    // columns of strips begin anew with each row; samples go on with each group
    const uint16_t next_x = static_cast<uint16_t>(j.by_sample ? s.first_column
                                                  : x         ? 0
                                                              : s.first_column + 1);
    const uint16_t next_group = static_cast<uint16_t>(j.by_sample ? s.column + 1 : 0);
    n.first_column = !rows ? s.first_column : y ? next_group : next_x;
    n.column = static_cast<uint16_t>(!beat    ? s.column
                                     : !place ? s.column + j.place_columns
                                     : !rows  ? s.first_column
                                     : y      ? next_group
                                              : next_x);
    return n;
}

// How many of the eight from `channel` on lie before `end`.
inline uint8_t words_before(uint32_t end, uint32_t channel) {
    const uint32_t left = end - channel;
    return static_cast<uint8_t>(channel >= end ? 0 : left < kBeat ? left : kBeat);
}

inline ResultCommand command_of(const ResultJob &j, const ResultState &s) {
#pragma HLS INLINE
    const bool exists = s.column < j.columns;
    const uint32_t end = s.place == 0 ? j.channels_first : j.channels_other;
    ResultCommand c;
    c.address = s.address;
    c.scales_row = static_cast<uint16_t>(j.scales_row + s.channel / kBeat);
    c.biases_row = static_cast<uint16_t>(j.biases_row + s.channel / kBeat);
    c.count = exists ? words_before(end, s.channel) : static_cast<uint8_t>(0);
    c.counted = exists ? words_before(j.counted_channels, s.channel) : static_cast<uint8_t>(0);
    return c;
}

// For the epilogue and the writer.
inline void sequence_results(const ResultJob job, ResultCommandStream &out) {
    ResultState s = first_result(job);
results:
    for (uint32_t trip = 0; trip < kMaxTrips; trip++) {
#pragma HLS PIPELINE II = 1
        if (s.left == 0) break;
        out.write(command_of(job, s));
        s = next_result(job, s);
    }
}

// For the sums of products, which come in the same order: how many of eight words count.
inline void sequence_counted(const ResultJob job, bool spectral, CountedStream &out) {
    if (!spectral) return;
    ResultState s = first_result(job);
counted:
    for (uint32_t trip = 0; trip < kMaxTrips; trip++) {
#pragma HLS PIPELINE II = 1
        if (s.left == 0) break;
        out.write(command_of(job, s).counted);
        s = next_result(job, s);
    }
}

#endif
