// The order in which the operands of the vector unit are read.
//
// Windows: the levels, from the innermost on, are column and row of the window, sixteen
// channels, output column, output row and sample.  The part of a window that lies in the image is worked out
// one window ahead, from where the next one begins.
// Joined operands: eight channels, operand, pixel, sample.
// Pairs of operands: sixteen words of the first, sixteen of the second, and so on.
#ifndef CIRCNN_WINDOWS_HPP
#define CIRCNN_WINDOWS_HPP

#include "commands.hpp"
#include "kinds.hpp"

// Rows or columns of a window that lie in the image.
struct Clipped {
    int32_t last;  // number of the last one, counted from the first one inside
    bool inside;  // whether there is any
};

inline Clipped clipped(int32_t begin, int32_t end, int32_t last) {
#pragma HLS INLINE
    const bool inside = begin <= last && end >= 0 && end >= begin;
    const int32_t low = begin < 0 ? 0 : begin, high = end > last ? last : end;
    return Clipped{inside ? high - low : 0, inside};
}

// Along one side of the image: where windows begin, and the first two of them.
struct SideJob {
    int32_t end;  // the last row or column of the image
    int32_t stride, stride_words;
    int32_t third, third_end, third_words;  // where the third window begins and ends
    int32_t second_offset;  // of the second one's first pixel inside, in words
    Clipped first, second;
};

// A window, the one after it, and where the one after that begins and ends.
struct SideState {
    Clipped now, next;
    int32_t next_offset;
    int32_t after, after_end, after_words;
};

inline SideState first_side(const SideJob &j) {
    return SideState{j.first, j.second, j.second_offset, j.third, j.third_end, j.third_words};
}

// The next window, or the first one again.
inline SideState next_side(const SideJob &j, const SideState &s, bool step, bool again) {
#pragma HLS INLINE
    const Clipped after = clipped(s.after, s.after_end, j.end);
    SideState n;
    n.now.last = !step ? s.now.last : again ? j.first.last : s.next.last;
    n.now.inside = !step ? s.now.inside : again ? j.first.inside : s.next.inside;
    n.next.last = !step ? s.next.last : again ? j.second.last : after.last;
    n.next.inside = !step ? s.next.inside : again ? j.second.inside : after.inside;
    n.next_offset = !step ? s.next_offset : again ? j.second_offset : most(s.after_words, 0);
    n.after = !step ? s.after : again ? j.third : s.after + j.stride;
    n.after_end = !step ? s.after_end : again ? j.third_end : s.after_end + j.stride;
    n.after_words = !step ? s.after_words : again ? j.third_words : s.after_words + j.stride_words;
    return n;
}

struct WindowsJob {
    uint16_t last_x, last_y, last_sample;
    SideJob rows, columns;
    int32_t channels;  // of a pixel
    uint32_t row_words;  // of the image
    uint32_t first_address;
    uint32_t sample_words;  // from a sample to the next
};

struct WindowsState {
    bool done;
    uint16_t x, y, sample;
    int32_t u, v;  // row and column in the window
    int32_t left;  // channels of the pixel
    SideState rows, columns;
    uint32_t address, row_address;  // of this pixel, and of the window's row
    uint32_t window_address;  // of the window's first pixel, at this channel
    uint32_t line_address, sample_address;  // of the windows' first row; of the sample
};

// -- the job ------------------------------------------------------------------------------------

inline SideJob rows_job(const int32_t numbers[kNumbers]) {
    using namespace steps;
    SideJob j;
    j.end = numbers[rows_end];
    j.stride = numbers[rows_stride];
    j.stride_words = numbers[rows_stride_words];
    j.third = numbers[rows_third];
    j.third_end = numbers[rows_third_end];
    j.third_words = numbers[rows_third_words];
    j.second_offset = numbers[rows_offset];
    j.first = Clipped{numbers[rows_first_last], numbers[rows_first] >= 0};
    j.second = Clipped{numbers[rows_second_last], numbers[rows_second] >= 0};
    return j;
}

inline SideJob columns_job(const int32_t numbers[kNumbers]) {
    using namespace steps;
    SideJob j;
    j.end = numbers[columns_end];
    j.stride = numbers[columns_stride];
    j.stride_words = numbers[columns_stride_words];
    j.third = numbers[columns_third];
    j.third_end = numbers[columns_third_end];
    j.third_words = numbers[columns_third_words];
    j.second_offset = numbers[columns_offset];
    j.first = Clipped{numbers[columns_first_last], numbers[columns_first] >= 0};
    j.second = Clipped{numbers[columns_second_last], numbers[columns_second] >= 0};
    return j;
}

inline WindowsJob windows_job(const int32_t numbers[kNumbers]) {
    using namespace steps;
    WindowsJob j;
    j.last_x = to_uint16(numbers[last_x]);
    j.last_y = to_uint16(numbers[last_y]);
    j.last_sample = to_uint16(numbers[last_group]);
    j.rows = rows_job(numbers);
    j.columns = columns_job(numbers);
    j.channels = numbers[in_channels];
    j.row_words = to_uint32(numbers[row_words]);
    j.first_address = to_uint32(numbers[input_address]);
    j.sample_words = to_uint32(numbers[stride]);
    return j;
}

// -- the sequence -------------------------------------------------------------------------------

inline WindowsState first_window(const WindowsJob &j) {
    WindowsState s;
    s.done = false;
    s.x = s.y = s.sample = 0;
    s.u = s.v = 0;
    s.left = j.channels;
    s.rows = first_side(j.rows);
    s.columns = first_side(j.columns);
    // the first window begins in the image's first pixel, or before it
    s.address = s.row_address = s.window_address = s.line_address = s.sample_address =
        j.first_address;
    return s;
}

inline WindowsState next_window(const WindowsJob &j, const WindowsState &s) {
#pragma HLS INLINE
    const bool v = s.v == s.columns.now.last;
    const bool u = v && s.u == s.rows.now.last;
    const bool window = u && s.left <= kBanks;
    const bool line = window && s.x == j.last_x;
    const bool image = line && s.y == j.last_y;
    WindowsState n;
    n.done = image && s.sample == j.last_sample;
    n.v = v ? 0 : s.v + 1;
    n.u = !v ? s.u : u ? 0 : s.u + 1;
    n.left = !u ? s.left : window ? j.channels : s.left - kBanks;
    n.x = static_cast<uint16_t>(!window ? s.x : line ? 0 : s.x + 1);
    n.y = static_cast<uint16_t>(!line ? s.y : image ? 0 : s.y + 1);
    n.sample = static_cast<uint16_t>(image ? s.sample + 1 : s.sample);
    n.columns = next_side(j.columns, s.columns, window, line);
    n.rows = next_side(j.rows, s.rows, line, image);
    // addresses
    const uint32_t next_sample = s.sample_address + j.sample_words;
    const uint32_t below = s.sample_address + static_cast<uint32_t>(s.rows.next_offset);
    const uint32_t right = s.line_address + static_cast<uint32_t>(s.columns.next_offset);
    const uint32_t next_line = image ? next_sample : below;
    n.sample_address = image ? next_sample : s.sample_address;
    n.line_address = line ? next_line : s.line_address;
    n.window_address = !u        ? s.window_address
                       : !window ? s.window_address + kBanks
                       : line    ? next_line
                                 : right;
    n.row_address = !v ? s.row_address : !u ? s.row_address + j.row_words : n.window_address;
    n.address = v ? n.row_address : s.address + static_cast<uint32_t>(j.channels);
    return n;
}

inline ReadCommand operand_at(uint32_t address, int32_t words, ReadUse use) {
#pragma HLS INLINE
    ReadCommand c;
    c.use = use;
    c.address = address;
    c.count = static_cast<uint8_t>(words);
    c.direct = c.ends = c.wide = c.counted = c.kept = c.batch_last = false;
    c.position = 0;
    c.first = c.last = true;
    c.second = false;
    return c;
}

inline void sequence_windows(const WindowsJob &job, ReadCommandStream &out) {
    WindowsState s = first_window(job);
windows:
    for (uint32_t trip = 0; trip < kMaxTrips; trip++) {
#pragma HLS PIPELINE II = 1
        const WindowsState n = next_window(job, s);
        const int32_t channels = least(s.left, kBanks);
        const bool inside = s.rows.now.inside && s.columns.now.inside;
        ReadCommand c = operand_at(s.address, inside ? channels : 0, ReadUse::operand);
        c.wide = channels > kBeat;
        c.first = s.u == 0 && s.v == 0;
        c.last = s.u == s.rows.now.last && s.v == s.columns.now.last;
        c.ends = n.done;
        out.write(c);
        if (n.done) break;
        s = n;
    }
}

// -- joined operands ----------------------------------------------------------------------------

// One of the operands: its words follow each other, eight at a time within a pixel.
struct JoinedOperand {
    uint16_t last_beat;  // of a pixel
    uint32_t channels;
    uint32_t first_address;
    uint32_t step_pixel, step_sample;  // from a pixel's last beat
};

struct JoinedJob {
    uint32_t last_pixel;
    uint16_t last_sample;
    JoinedOperand first, second;
};

struct JoinedState {
    bool done, second;
    uint16_t beat, sample;
    uint32_t pixel, channel;
    uint32_t first_address, second_address;
};

inline JoinedJob joined_job(const int32_t numbers[kNumbers]) {
    using namespace steps;
    JoinedJob j;
    j.last_pixel = to_uint32(numbers[last_pixel]);
    j.last_sample = to_uint16(numbers[last_group]);
    j.first.last_beat = to_uint16(numbers[last_beat]);
    j.first.channels = to_uint32(numbers[in_channels]);
    j.first.first_address = to_uint32(numbers[input_address]);
    j.first.step_pixel = to_uint32(numbers[step_place]);
    j.first.step_sample = to_uint32(numbers[first_step_sample]);
    j.second.last_beat = to_uint16(numbers[other_beat]);
    j.second.channels = to_uint32(numbers[second_channels]);
    j.second.first_address = to_uint32(numbers[second_address]);
    j.second.step_pixel = to_uint32(numbers[second_step]);
    j.second.step_sample = to_uint32(numbers[second_step_sample]);
    return j;
}

inline JoinedState first_joined(const JoinedJob &j) {
    JoinedState s;
    s.done = s.second = false;
    s.beat = s.sample = 0;
    s.pixel = s.channel = 0;
    s.first_address = j.first.first_address;
    s.second_address = j.second.first_address;
    return s;
}

inline JoinedState next_joined(const JoinedJob &j, const JoinedState &s) {
#pragma HLS INLINE
    const bool beat = s.beat == (s.second ? j.second.last_beat : j.first.last_beat);
    const bool image = beat && s.pixel == j.last_pixel;
    const bool pixel = beat && s.second;
    JoinedState n;
    n.second = s.second != beat;
    n.beat = static_cast<uint16_t>(beat ? 0 : s.beat + 1);
    n.channel = beat ? 0 : s.channel + kBeat;
    n.pixel = !pixel ? s.pixel : image ? 0 : s.pixel + 1;
    n.sample = static_cast<uint16_t>(pixel && image ? s.sample + 1 : s.sample);
    n.done = pixel && image && s.sample == j.last_sample;
    const uint32_t first = !beat ? kBeat : image ? j.first.step_sample : j.first.step_pixel;
    const uint32_t second = !beat ? kBeat : image ? j.second.step_sample : j.second.step_pixel;
    n.first_address = s.second ? s.first_address : s.first_address + first;
    n.second_address = s.second ? s.second_address + second : s.second_address;
    return n;
}

inline void sequence_joined(const JoinedJob &job, ReadCommandStream &out) {
    JoinedState s = first_joined(job);
joined:
    for (uint32_t trip = 0; trip < kMaxTrips; trip++) {
#pragma HLS PIPELINE II = 1
        const JoinedState n = next_joined(job, s);
        const uint32_t left = (s.second ? job.second.channels : job.first.channels) - s.channel;
        ReadCommand c = operand_at(s.second ? s.second_address : s.first_address,
                                   static_cast<int32_t>(left < kBeat ? left : kBeat),
                                   ReadUse::operand);
        c.second = s.second;
        c.ends = n.done;
        out.write(c);
        if (n.done) break;
        s = n;
    }
}

// -- pairs of operands --------------------------------------------------------------------------

struct PairsJob {
    uint32_t words;
    uint16_t samples;
    uint32_t first_address, second_address;
    uint32_t sample_words;
};

struct PairsState {
    bool done, second;
    uint32_t left;  // words of the sample
    uint16_t samples;  // that are left
    uint32_t first_address, second_address;
    uint32_t next_first, next_second;  // of the next sample
};

inline PairsJob pairs_job(const int32_t numbers[kNumbers]) {
    using namespace steps;
    PairsJob j;
    j.words = to_uint32(numbers[out_words]);
    j.samples = to_uint16(numbers[samples]);
    j.first_address = to_uint32(numbers[input_address]);
    j.second_address = to_uint32(numbers[second_address]);
    j.sample_words = to_uint32(numbers[stride]);
    return j;
}

inline PairsState first_pair(const PairsJob &j) {
    PairsState s;
    s.done = s.second = false;
    s.left = j.words;
    s.samples = j.samples;
    s.first_address = j.first_address;
    s.second_address = j.second_address;
    s.next_first = j.first_address + j.sample_words;
    s.next_second = j.second_address + j.sample_words;
    return s;
}

// The trip after the last pair reads nothing: the reader then sends what it still holds.
inline PairsState next_pair(const PairsJob &j, const PairsState &s) {
#pragma HLS INLINE
    const bool sample = s.second && s.left <= kBanks;
    PairsState n;
    n.second = !s.second;
    n.done = !s.second && s.samples == 0;
    n.left = !s.second ? s.left : sample ? j.words : s.left - kBanks;
    n.samples = static_cast<uint16_t>(sample ? s.samples - 1 : s.samples);
    n.first_address = !s.second ? s.first_address
                      : sample  ? s.next_first
                                : s.first_address + kBanks;
    n.second_address = !s.second ? s.second_address
                       : sample  ? s.next_second
                                 : s.second_address + kBanks;
    n.next_first = sample ? s.next_first + j.sample_words : s.next_first;
    n.next_second = sample ? s.next_second + j.sample_words : s.next_second;
    return n;
}

inline void sequence_pairs(const PairsJob &job, ReadCommandStream &out) {
    PairsState s = first_pair(job);
pairs:
    for (uint32_t trip = 0; trip < kMaxTrips; trip++) {
#pragma HLS PIPELINE II = 1
        const PairsState n = next_pair(job, s);
        const uint32_t words = s.samples == 0 ? 0 : s.left < kBanks ? s.left : kBanks;
        ReadCommand c = operand_at(s.second ? s.second_address : s.first_address,
                                   static_cast<int32_t>(words),
                                   s.second ? ReadUse::pair : ReadUse::hold);
        c.ends = n.done;
        out.write(c);
        if (n.done) break;
        s = n;
    }
}

#endif
