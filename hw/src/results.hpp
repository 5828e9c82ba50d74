// The order in which a layer's results leave its units, eight at a time, and where each eight go.
//
// The sequence has six levels, from the innermost on: beat, place, group of blocks, column, row and
// group of samples.  Which level turns over with a beat selects by how much the address moves, so
// the sequence takes no multiplication.  For layers without spectra a place is an operand of a
// joined layer, and the groups of blocks have one member.
#ifndef CIRCNN_RESULTS_HPP
#define CIRCNN_RESULTS_HPP

#include "commands.hpp"

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
    uint16_t beat;
    uint8_t place;
    uint16_t rows, x, y;
    uint32_t address;
    uint32_t channel, rows_channel;  // of this beat, and of the group of blocks
    uint16_t column, first_column;  // (or sample) of this place, and of the first one
};

// Eight results: how many of them exist, where they go, and their parameters.
struct ResultCommand {
    Address address;
    uint16_t scales_row, biases_row;
    uint8_t count;
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
    s.place = 0;
    s.beat = s.rows = s.x = s.y = 0;
    s.address = j.first_address;
    s.channel = s.rows_channel = 0;
    s.column = s.first_column = 0;
    return s;
}

inline ResultState next_result(const ResultJob &j, const ResultState &s) {
#pragma HLS INLINE
    const uint16_t last_beat = mux(s.place == 0, j.last_beat_first, j.last_beat_other);
    const bool beat = s.beat == last_beat;
    const bool place = beat & (s.place == static_cast<uint8_t>(j.last_place));
    const bool rows = place & (s.rows == j.last_rows);
    const bool x = rows & (s.x == j.last_x);
    const bool y = x & (s.y == j.last_y);
    ResultState n;
    n.left = s.left - 1;
    n.beat = counted_on(s.beat, true, beat);
    n.place = static_cast<uint8_t>(counted_on(s.place, beat, place));
    n.rows = counted_on(s.rows, place, rows);
    n.x = counted_on(s.x, rows, x);
    n.y = counted_on(s.y, x, y);
    const int32_t at_x = mux(y, j.step_group, mux(x, j.step_y, j.step_x));
    const int32_t at_place = mux(rows, at_x, j.step_rows);
    const int32_t step = mux(beat, mux(place, at_place, j.step_place), int32_t{kBeat});
    n.address = CIRCNN_ADDRESS(s.address + static_cast<uint32_t>(step));
    const uint32_t first = 0, further = s.rows_channel + j.rows_channels;
    const uint32_t next_rows = mux(rows, first, further);
    const uint32_t next_place = mux(j.joined, j.channels_first, s.rows_channel);
    const uint32_t next_beat = s.channel + kBeat;
    n.rows_channel = in_unsigned_bits<kWordsBits>(mux(place, next_rows, s.rows_channel));
    n.channel = in_unsigned_bits<kWordsBits>(
        mux(beat, mux(place, next_rows, next_place), next_beat));
    // columns of strips begin anew with each row; samples go on with each group
    const uint16_t none = 0, next_x = counted_on(s.first_column, true, x);
    const uint16_t next_sample = static_cast<uint16_t>(s.column + 1);
    const uint16_t next_column = mux(j.by_sample, mux(y, next_sample, s.first_column),
                                     mux(y, none, next_x));
    n.first_column = mux(rows, next_column, s.first_column);
    const uint16_t place_column = static_cast<uint16_t>(s.column + j.place_columns);
    n.column = mux(beat, mux(place, n.first_column, place_column), s.column);
    return n;
}

// How many of the eight from the state's channel on lie before `end`, and exist.
inline uint8_t words_before(const ResultJob &j, const ResultState &s, uint32_t end) {
#pragma HLS INLINE
    const int32_t left = in_bits<kWordsBits + 1>(static_cast<int32_t>(end - s.channel));
    const int32_t words = left < kBeat ? left : kBeat;
    const bool any = (s.column < j.columns) & (left > 0);
    return static_cast<uint8_t>(any ? words & (2 * kBeat - 1) : 0);
}

inline ResultCommand command_of(const ResultJob &j, const ResultState &s) {
#pragma HLS INLINE
    ResultCommand c;
    c.address = CIRCNN_ADDRESS(s.address);
    c.scales_row = static_cast<uint16_t>(j.scales_row + s.channel / kBeat);
    c.biases_row = static_cast<uint16_t>(j.biases_row + s.channel / kBeat);
    c.count = words_before(j, s, mux(s.place == 0, j.channels_first, j.channels_other));
    return c;
}

// For the epilogue and the writer.
inline void sequence_results(const ResultJob job, ResultCommandStream &out) {
    ResultState s = first_result(job);
results:
    while (s.left != 0) {
#pragma HLS PIPELINE II = 1
        out.write(command_of(job, s));
        s = next_result(job, s);
    }
}

// For the sums of products, which come in the same order: how many of eight words count.
inline void sequence_counted(const ResultJob job, bool spectral, CountedStream &out) {
    if (!spectral) return;
    ResultState s = first_result(job);
counted:
    while (s.left != 0) {
#pragma HLS PIPELINE II = 1
        out.write(words_before(job, s, job.counted_channels));
        s = next_result(job, s);
    }
}

#endif
