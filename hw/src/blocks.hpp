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
    uint16_t beat, place, blocks, column, row, group, phase;
    uint32_t address;
    uint32_t channel;  // of this beat
    uint32_t blocks_channel, next_channel;  // of the group of blocks, and of the next one
    int32_t image_column;  // of this place
    int32_t column_0, column_1;  // of the first place, now and in the next column
    uint16_t sample, sample_0;
    // in the transform's batch, in beats: of this one, of the place's and of the unit's first
    uint8_t position, place_position, unit_position;
    bool batch_begins;  // with this beat
};

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
    s.beat = s.place = s.blocks = s.column = s.row = s.group = 0;
    s.phase = j.first_phase;
    s.address = j.first_address;
    s.channel = s.blocks_channel = 0;
    s.next_channel = j.blocks_channels;
    s.image_column = s.column_0 = j.first_image_column;
    s.column_1 = j.first_image_column + 1;
    s.sample = s.sample_0 = 0;
    s.position = s.place_position = s.unit_position = j.first_position;
    s.batch_begins = false;
    return s;
}

// Words at the state's place.
inline uint8_t words_at(const BlocksJob &j, const BlocksState &s) {
    const uint32_t left = j.channels - s.channel, most_words = j.wide ? kBanks : kBeat;
    const bool exists = s.image_column >= 0 && s.image_column < j.in_width && s.sample < j.samples;
    return static_cast<uint8_t>(!exists || s.channel >= j.channels ? 0
                                : left < most_words                ? left
                                                                   : most_words);
}

inline BlocksState next_blocks(const BlocksJob &j, const BlocksState &s) {
#pragma HLS INLINE
    const bool last = s.blocks == j.last_blocks;
    const bool more = s.more;
    const bool beat = !more && s.beat == (last ? j.last_beat_last : j.last_beat_full);
    const bool place = beat && s.place == j.last_place;
    const bool blocks = place && last;
    const bool column = blocks && s.column == j.last_column;
    const bool row = column && s.row == j.last_row;
    BlocksState n;
    n.more = j.halves && !more && (blocks ? j.channels > kBeat / 2 : s.direct > kBeat + kBeat / 2);
    n.direct = blocks ? j.channels : more ? s.direct : s.direct > kBeat ? s.direct - kBeat : 0;
    n.done = row && s.group == j.last_group;
    n.beat = static_cast<uint16_t>(more ? s.beat : beat ? 0 : s.beat + 1);
    n.place = static_cast<uint16_t>(!beat ? s.place : place ? 0 : s.place + 1);
    n.blocks = static_cast<uint16_t>(!place ? s.blocks : blocks ? 0 : s.blocks + 1);
    n.column = static_cast<uint16_t>(!blocks ? s.column : column ? 0 : s.column + 1);
    n.row = static_cast<uint16_t>(!column ? s.row : row ? 0 : s.row + 1);
    n.group = static_cast<uint16_t>(!row ? s.group : s.group + 1);
    n.phase = static_cast<uint16_t>(!column                   ? s.phase
                                    : row                     ? j.first_phase
                                    : s.phase == j.last_phase ? 0
                                                              : s.phase + 1);
    const int32_t beat_words = j.wide ? kBanks : kBeat;
    const int32_t step = more      ? 0
                         : !beat   ? beat_words
                         : !place  ? (last ? j.step_place_last : j.step_place_full)
                         : !blocks ? j.step_blocks
                         : !column ? j.step_column
                         : !row    ? j.step_row
                                   : j.step_group;
    n.address = s.address + static_cast<uint32_t>(step);
    const uint32_t further = s.next_channel;
    n.blocks_channel = !place ? s.blocks_channel : blocks ? 0 : further;
    n.next_channel = !place   ? s.next_channel
                     : blocks ? j.blocks_channels
                              : s.next_channel + j.blocks_channels;
    n.channel = more     ? s.channel
                : !beat  ? s.channel + static_cast<uint32_t>(beat_words)
                : !place ? s.blocks_channel
                : blocks ? 0
                         : further;
    const int32_t next_column = column ? j.first_image_column : s.column_1;
    n.column_0 = blocks ? next_column : s.column_0;
    n.column_1 = !blocks ? s.column_1 : column ? j.first_image_column + 1 : s.column_1 + 1;
    n.image_column = !beat    ? s.image_column
                     : !place ? s.image_column + j.place_columns
                     : blocks ? next_column
                              : s.column_0;
    const uint16_t next_sample = static_cast<uint16_t>(s.sample + 1);
    n.sample_0 = row ? next_sample : s.sample_0;
    n.sample = !beat    ? s.sample
               : !place ? (j.by_sample ? next_sample : s.sample)
               : row    ? next_sample
                        : s.sample_0;
    const uint8_t unit = static_cast<uint8_t>(s.unit_position + j.unit_beats);
    const uint8_t next_place = static_cast<uint8_t>(s.place_position + j.place_beats);
    const bool batch = unit == j.batch_beats;
    const uint8_t next_unit = batch ? static_cast<uint8_t>(0) : unit;
    n.batch_begins = place && (batch || n.done);
    n.unit_position = place ? next_unit : s.unit_position;
    n.place_position = !beat ? s.place_position : place ? next_unit : next_place;
    n.position = static_cast<uint8_t>(more     ? s.position
                                      : !beat  ? s.position + (j.wide ? 2 : 1)
                                      : !place ? next_place
                                               : next_unit);
    return n;
}

inline ReadCommand command_of(const BlocksJob &j, const BlocksState &s, const BlocksState &n) {
#pragma HLS INLINE
    ReadCommand c;
    c.use = s.more ? ReadUse::hold : ReadUse::block;
    c.address = s.address;
    c.count = words_at(j, s);
    c.direct = j.direct;
    c.wide = j.wide;
    c.position = s.position;
    c.counted = s.place == j.last_place || s.column < j.owned_columns;
    c.kept = s.column < j.kept_columns && s.phase < j.kernel_height && s.row < j.kept_rows;
    c.batch_last = n.batch_begins;
    c.first = c.last = c.second = false;
    c.ends = n.done;
    return c;
}

inline void sequence_blocks(const BlocksJob &job, ReadCommandStream &out) {
    BlocksState s = first_blocks(job);
blocks:
    for (uint32_t trip = 0; trip < kMaxTrips; trip++) {
#pragma HLS PIPELINE II = 1
        const BlocksState n = next_blocks(job, s);
        out.write(command_of(job, s, n));
        if (n.done) break;
        s = n;
    }
}

#endif
