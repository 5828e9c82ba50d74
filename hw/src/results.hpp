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

inline ResultJob result_job(bool spectral, const int32_t numbers[kNumbers]) {
    using namespace steps;
    ResultJob j;
    j.beats = to_uint32(numbers[result_beats]);
    j.last_beat_first = to_uint16(numbers[last_beat]);
    j.last_beat_other = to_uint16(numbers[other_beat]);
    j.last_place = to_uint16(numbers[last_place]);
    j.last_rows = to_uint16(numbers[last_rows]);
    j.last_x = to_uint16(numbers[last_x]);
    j.last_y = to_uint16(numbers[last_y]);
    j.first_address = to_uint32(numbers[output_address]);
    j.step_place = numbers[step_place];
    j.step_rows = numbers[step_rows];
    j.step_x = numbers[step_x];
    j.step_y = numbers[step_y];
    j.step_group = numbers[step_group];
    j.channels_first = to_uint32(numbers[first_channels]);
    j.channels_other = to_uint32(numbers[other_channels]);
    j.counted_channels = to_uint32(numbers[counted_channels]);
    j.rows_channels = to_uint32(numbers[words]);
    j.joined = !spectral;
    j.by_sample = spectral && numbers[by_sample] != 0;
    j.place_columns = to_uint16(numbers[result_places]);
    j.columns = to_uint16(numbers[result_columns]);
    j.scales_row = to_uint16(numbers[scales_row]);
    j.biases_row = to_uint16(numbers[biases_row]);
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
