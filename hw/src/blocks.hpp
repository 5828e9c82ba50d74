// The order in which the words of a spectral layer's input are read: blocks for the forward
// transform, every pixel once, or twice where two strips of columns meet.
//
// The levels, from the innermost on: beat, place, group of blocks, column of the place, row, group
// of samples.  The last group of blocks of a pixel may have fewer beats than the others, so there
// are two steps from a place to the next.
#ifndef CIRCNN_BLOCKS_HPP
#define CIRCNN_BLOCKS_HPP

#include "commands.hpp"
#include "kinds.hpp"

struct BlocksJob {
    bool direct;                             // the words come straight from the packet,
    bool halves;                             // four of them in a beat
    bool wide;                               // sixteen words a trip, not eight
    bool by_sample;
    uint16_t last_beat_full, last_beat_last;  // of a group of blocks, and of a pixel's last one
    uint16_t last_place, last_blocks, last_column, last_row, last_group;
    uint32_t first_address;
    // of the address; to the next place from a group's full beats, and from a pixel's last ones
    int32_t step_place_full, step_place_last;
    int32_t step_blocks, step_column, step_row, step_group;
    uint32_t channels, blocks_channels;  // of a pixel; from one group of blocks to the next
    int32_t first_image_column, place_columns;
    uint16_t in_width;
    uint16_t samples;
    uint16_t first_phase, last_phase;  // of a row: its number modulo the stride
    uint16_t kernel_height, kept_rows;  // rows that windows need: of a stride, of the image
    uint16_t kept_columns, owned_columns;  // columns that windows need, and that a place counts
    uint8_t place_beats;  // from a place to the next in the transform's batch
    uint8_t unit_beats, batch_beats;  // of a group of blocks of all places, of a batch
    uint8_t first_position;
};

struct BlocksState {
    bool more;  // this trip only takes the first half of eight words from the packet
    uint32_t direct;  // words of the pixel that are left, if they come from the packet
    bool done;
    uint8_t beat, place;
    uint16_t blocks, column, row, group, phase;
    uint32_t address;
    uint32_t channel;  // of this beat
    uint32_t blocks_channel, next_channel;  // of the group of blocks, and of the next one
    int32_t image_column;  // of this place
    int32_t column_0, column_1;  // of the first place, now and in the next column
    uint16_t sample, sample_0;
    // in the transform's batch, in beats: of this one, of the place's and of the unit's first
    uint8_t position, place_position, unit_position;
};

// Of a column: the places of a layer reach a few windows behind the image.
constexpr int kColumnBits = 20;

// -- the job ------------------------------------------------------------------------------------

inline BlocksJob blocks_job(const int32_t numbers[kNumbers], bool bytes) {
    using namespace steps;
    BlocksJob j;
    j.direct = (numbers[stream] & CIRCNN_STREAM_INPUT) != 0;
    j.halves = j.direct && !bytes;
    j.wide = numbers[wide] != 0;
    j.by_sample = numbers[by_sample] != 0;
    j.last_beat_full = to_uint16(numbers[full]);
    j.last_beat_last = to_uint16(numbers[last_full]);
    j.last_place = to_uint16(numbers[last_place]);
    j.last_blocks = to_uint16(numbers[last_blocks]);
    j.last_column = to_uint16(numbers[last_column]);
    j.last_row = to_uint16(numbers[last_row]);
    j.last_group = to_uint16(numbers[last_group]);
    j.first_image_column = numbers[first_column];
    j.first_address = to_uint32(numbers[first_address]);
    j.step_place_full = numbers[place_full];
    j.step_place_last = numbers[place_last];
    j.step_blocks = numbers[place_blocks];
    j.step_column = numbers[place_column];
    j.step_row = numbers[place_row];
    j.step_group = numbers[place_group];
    j.channels = to_uint32(numbers[in_channels]);
    j.blocks_channels = to_uint32(numbers[words]);
    j.place_columns = numbers[place_columns];
    j.in_width = to_uint16(numbers[in_width]);
    j.samples = to_uint16(numbers[samples]);
    j.first_phase = to_uint16(numbers[first_phase]);
    j.last_phase = to_uint16(numbers[last_phase]);
    j.kernel_height = to_uint16(numbers[kernel_height]);
    j.kept_rows = to_uint16(numbers[kept_rows]);
    j.kept_columns = to_uint16(numbers[kept_columns]);
    j.owned_columns = to_uint16(numbers[owned_columns]);
    j.place_beats = to_uint8(numbers[place_beats]);
    j.unit_beats = to_uint8(numbers[unit_beats]);
    j.batch_beats = kMaxBatchRows * kRowBeats;
    j.first_position = to_uint8(numbers[first_position]);
    return j;
}

// -- the sequence -------------------------------------------------------------------------------

inline BlocksState first_blocks(const BlocksJob &j) {
    BlocksState s;
    s.more = j.halves && j.channels > kBeat / 2;
    s.done = false;
    s.direct = j.channels;
    s.beat = s.place = 0;
    s.blocks = s.column = s.row = s.group = 0;
    s.phase = j.first_phase;
    s.address = j.first_address;
    s.channel = s.blocks_channel = 0;
    s.next_channel = j.blocks_channels;
    // the first column is no further left than 65,535
    s.image_column = s.column_0 = in_bits<17>(j.first_image_column);
    s.column_1 = in_bits<18>(j.first_image_column + 1);
    s.sample = s.sample_0 = 0;
    s.position = s.place_position = s.unit_position = j.first_position;
    return s;
}

// Words at the state's place.
inline uint8_t words_at(const BlocksJob &j, const BlocksState &s) {
    const int32_t left = in_bits<kWordsBits + 1>(static_cast<int32_t>(j.channels - s.channel));
    const int32_t most_words = j.wide ? kBanks : kBeat;
    const bool exists = (s.image_column >= 0) & (s.image_column < j.in_width) &
                        (s.sample < j.samples) & (left > 0);
    const int32_t words = left < most_words ? left : most_words;
    return static_cast<uint8_t>(exists ? words & (2 * kBanks - 1) : 0);
}

inline BlocksState next_blocks(const BlocksJob &j, const BlocksState &s) {
#pragma HLS INLINE
    const bool last = s.blocks == j.last_blocks;
    const bool more = s.more;
    const uint8_t last_beat = static_cast<uint8_t>(mux(last, j.last_beat_last, j.last_beat_full));
    const bool beat = !more & (s.beat == last_beat);
    const bool place = beat & (s.place == static_cast<uint8_t>(j.last_place));
    const bool blocks = place & last;
    const bool column = blocks & (s.column == j.last_column);
    const bool row = column & (s.row == j.last_row);
    BlocksState n;
    // of the packet
    const bool many = s.direct > kBeat, two = s.direct > kBeat + kBeat / 2;
    n.more = j.halves & !more & mux(blocks, j.channels > kBeat / 2, two);
    const uint32_t direct = mux(many, s.direct - kBeat, 0u);
    n.direct = in_unsigned_bits<kWordsBits>(mux(blocks, j.channels, mux(more, s.direct, direct)));
    n.done = row & (s.group == j.last_group);
    n.beat = static_cast<uint8_t>(counted_on(s.beat, !more, beat));
    n.place = static_cast<uint8_t>(counted_on(s.place, beat, place));
    n.blocks = counted_on(s.blocks, place, blocks);
    n.column = counted_on(s.column, blocks, column);
    n.row = counted_on(s.row, column, row);
    n.group = counted_on(s.group, row, false);
    const uint16_t phase = counted_on(s.phase, column, column & (s.phase == j.last_phase));
    n.phase = mux(row, j.first_phase, phase);
    const int32_t beat_words = j.wide ? kBanks : kBeat;
    const int32_t no = 0, at_beat = mux(more, no, beat_words);
    const int32_t at_place = mux(last, j.step_place_last, j.step_place_full);
    const int32_t at_column = mux(row, j.step_group, mux(column, j.step_row, j.step_column));
    const int32_t at_blocks = mux(blocks, at_column, j.step_blocks);
    const int32_t step = mux(beat, mux(place, at_blocks, at_place), at_beat);
    n.address = CIRCNN_ADDRESS(s.address + static_cast<uint32_t>(step));
    // channels
    const uint32_t first = 0, further = s.next_channel + j.blocks_channels;
    const uint32_t next_blocks = mux(blocks, first, s.next_channel);
    const uint32_t next_beat = s.channel + static_cast<uint32_t>(at_beat);
    const uint32_t next_further = mux(blocks, j.blocks_channels, further);
    const uint32_t channel = mux(place, next_blocks, s.blocks_channel);
    n.blocks_channel = in_unsigned_bits<kWordsBits>(channel);
    n.next_channel = in_unsigned_bits<kWordsBits>(mux(place, next_further, s.next_channel));
    n.channel = in_unsigned_bits<kWordsBits>(mux(beat, channel, next_beat));
    // columns of the image, samples
    const int32_t next_column = mux(column, j.first_image_column, s.column_1);
    n.column_0 = in_bits<kColumnBits>(mux(blocks, next_column, s.column_0));
    const int32_t one_more = next_column + 1;
    n.column_1 = in_bits<kColumnBits>(mux(blocks, one_more, s.column_1));
    const int32_t next_place_column = s.image_column + j.place_columns;
    const int32_t image_column = mux(place, n.column_0, next_place_column);
    n.image_column = in_bits<kColumnBits>(mux(beat, image_column, s.image_column));
    const uint16_t next_sample = static_cast<uint16_t>(s.sample + 1);
    n.sample_0 = mux(row, next_sample, s.sample_0);
    const uint16_t place_sample = mux(j.by_sample, next_sample, s.sample);
    n.sample = mux(beat, mux(place, n.sample_0, place_sample), s.sample);
    // the batch
    const uint8_t unit = static_cast<uint8_t>(s.unit_position + j.unit_beats);
    const uint8_t next_place = static_cast<uint8_t>(s.place_position + j.place_beats);
    const bool batch = unit == j.batch_beats;
    const uint8_t next_unit = mux(batch, uint8_t{0}, unit);
    n.unit_position = mux(place, next_unit, s.unit_position);
    n.place_position = mux(beat, mux(place, next_unit, next_place), s.place_position);
    const uint8_t more_beats = static_cast<uint8_t>(more ? 0 : j.wide ? 2 : 1);
    const uint8_t next_position = static_cast<uint8_t>(s.position + more_beats);
    n.position = mux(beat, n.place_position, next_position);
    return n;
}

inline ReadCommand command_of(const BlocksJob &j, const BlocksState &s, bool ends) {
#pragma HLS INLINE
    ReadCommand c;
    c.use = s.more ? ReadUse::hold : ReadUse::block;
    c.address = CIRCNN_ADDRESS(s.address);
    c.count = words_at(j, s);
    c.direct = j.direct;
    c.wide = j.wide;
    c.position = s.position;
    c.counted = (s.place == j.last_place) | (s.column < j.owned_columns);
    c.kept = (s.column < j.kept_columns) & (s.phase < j.kernel_height) & (s.row < j.kept_rows);
    c.first = c.last = c.second = false;
    c.ends = ends;
    return c;
}

inline void sequence_blocks(const BlocksJob &job, ReadCommandStream &out) {
    BlocksState s = first_blocks(job);
blocks:
    while (!s.done) {
#pragma HLS PIPELINE II = 1
        const BlocksState n = next_blocks(job, s);
        out.write(command_of(job, s, n.done));
        s = n;
    }
}

#endif
