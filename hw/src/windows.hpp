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

// `begin` is at most kSideBits wide, and before `end`.
inline Clipped clipped(int32_t begin, int32_t end, int32_t last) {
#pragma HLS INLINE
    const int32_t low = begin < 0 ? 0 : begin, high = end > last ? last : end;
    const bool inside = (begin <= last) & (end >= 0);
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
    uint16_t now, next;  // numbers of their last rows or columns, see Clipped
    bool now_inside, next_inside;
    uint32_t next_offset;
    int32_t after, after_end;
    uint32_t after_words;
};

// Of where a window begins, up to two steps behind the image; its end may need one more.
constexpr int kSideBits = 18;

inline SideState first_side(const SideJob &j) {
    SideState s;
    s.now = static_cast<uint16_t>(j.first.last);
    s.next = static_cast<uint16_t>(j.second.last);
    s.now_inside = j.first.inside;
    s.next_inside = j.second.inside;
    s.next_offset = static_cast<uint32_t>(j.second_offset);
    s.after = in_bits<kSideBits - 1>(j.third);
    s.after_end = in_bits<kSideBits>(j.third_end);
    s.after_words = static_cast<uint32_t>(j.third_words);
    return s;
}

// The next window, or the first one again.
inline SideState next_side(const SideJob &j, const SideState &s, bool step, bool again) {
#pragma HLS INLINE
    const uint16_t first = static_cast<uint16_t>(j.first.last);
    const uint16_t second = static_cast<uint16_t>(j.second.last);
    const int32_t third = j.third, third_end = j.third_end;
    const Clipped after = clipped(s.after, s.after_end, static_cast<uint16_t>(j.end));
    const uint16_t after_last = static_cast<uint16_t>(after.last);
    const uint32_t offset = mux(s.after < 0, 0u, s.after_words);
    const uint32_t second_offset = static_cast<uint32_t>(j.second_offset);
    const uint32_t words = s.after_words + static_cast<uint32_t>(j.stride_words);
    const uint32_t third_words = static_cast<uint32_t>(j.third_words);
    SideState n;
    n.now = mux(step, mux(again, first, s.next), s.now);
    n.now_inside = mux(step, mux(again, j.first.inside, s.next_inside), s.now_inside);
    n.next = mux(step, mux(again, second, after_last), s.next);
    n.next_inside = mux(step, mux(again, j.second.inside, after.inside), s.next_inside);
    n.next_offset = CIRCNN_ADDRESS(mux(step, mux(again, second_offset, offset), s.next_offset));
    n.after = in_bits<kSideBits>(mux(step, mux(again, third, s.after + j.stride), s.after));
    n.after_end = in_bits<kSideBits + 1>(
        mux(step, mux(again, third_end, s.after_end + j.stride), s.after_end));
    n.after_words = CIRCNN_ADDRESS(mux(step, mux(again, third_words, words), s.after_words));
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
    uint16_t u, v;  // row and column in the window
    uint32_t left;  // channels of the pixel
    SideState rows, columns;
    uint32_t address, row_address;  // of this pixel, and of the window's row
    uint32_t window_address;  // of the window's first pixel, at this channel
    uint32_t line_address, sample_address;  // of the windows' first row; of the sample
};

// -- the job ------------------------------------------------------------------------------------

// `side`: how far the numbers of this side stand from those along a column.
inline SideJob side_job(const int32_t numbers[kNumbers], int side) {
    using namespace steps;
    static_assert(columns_second_last - columns_kernel == rows_second_last - rows_kernel,
                  "the numbers of both sides must be in the same order");
    SideJob j;
    j.end = numbers[rows_end + side];
    j.stride = numbers[rows_stride + side];
    j.stride_words = numbers[rows_stride_words + side];
    j.third = numbers[rows_third + side];
    j.third_end = numbers[rows_third_end + side];
    j.third_words = numbers[rows_third_words + side];
    j.second_offset = numbers[rows_offset + side];
    j.first = Clipped{numbers[rows_first_last + side], numbers[rows_first + side] >= 0};
    j.second = Clipped{numbers[rows_second_last + side], numbers[rows_second + side] >= 0};
    return j;
}

inline WindowsJob windows_job(const int32_t numbers[kNumbers]) {
    using namespace steps;
    WindowsJob j;
    j.last_x = to_uint16(numbers[last_x]);
    j.last_y = to_uint16(numbers[last_y]);
    j.last_sample = to_uint16(numbers[last_group]);
    j.rows = side_job(numbers, 0);
    j.columns = side_job(numbers, columns_kernel - rows_kernel);
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
    s.left = static_cast<uint32_t>(j.channels);
    s.rows = first_side(j.rows);
    s.columns = first_side(j.columns);
    // the first window begins in the image's first pixel, or before it
    s.address = s.row_address = s.window_address = s.line_address = s.sample_address =
        j.first_address;
    return s;
}

inline WindowsState next_window(const WindowsJob &j, const WindowsState &s) {
#pragma HLS INLINE
    const uint32_t channels = static_cast<uint32_t>(j.channels);
    const bool v = s.v == s.columns.now;
    const bool u = v & (s.u == s.rows.now);
    const bool window = u & (s.left <= kBanks);
    const bool line = window & (s.x == j.last_x);
    const bool image = line & (s.y == j.last_y);
    WindowsState n;
    n.done = image & (s.sample == j.last_sample);
    n.v = counted_on(s.v, true, v);
    n.u = counted_on(s.u, v, u);
    n.left = in_unsigned_bits<kWordsBits>(mux(u, mux(window, channels, s.left - kBanks), s.left));
    n.x = counted_on(s.x, window, line);
    n.y = counted_on(s.y, line, image);
    n.sample = counted_on(s.sample, image, false);
    n.columns = next_side(j.columns, s.columns, window, line);
    n.rows = next_side(j.rows, s.rows, line, image);
    // addresses
    const uint32_t next_sample = s.sample_address + j.sample_words;
    const uint32_t below = s.sample_address + s.rows.next_offset;
    const uint32_t right = s.line_address + s.columns.next_offset;
    const uint32_t next_line = mux(image, next_sample, below);
    n.sample_address = CIRCNN_ADDRESS(mux(image, next_sample, s.sample_address));
    n.line_address = CIRCNN_ADDRESS(mux(line, next_line, s.line_address));
    const uint32_t next_window = mux(line, next_line, right);
    const uint32_t further = mux(window, next_window, s.window_address + kBanks);
    n.window_address = CIRCNN_ADDRESS(mux(u, further, s.window_address));
    const uint32_t next_row = mux(u, further, s.row_address + j.row_words);
    n.row_address = CIRCNN_ADDRESS(mux(v, next_row, s.row_address));
    n.address = CIRCNN_ADDRESS(mux(v, next_row, s.address + channels));
    return n;
}

inline ReadCommand operand_at(uint32_t address, uint32_t words, ReadUse use) {
#pragma HLS INLINE
    ReadCommand c;
    c.use = use;
    c.address = CIRCNN_ADDRESS(address);
    c.count = static_cast<uint8_t>(words);
    c.direct = c.ends = c.wide = c.counted = c.kept = false;
    c.position = 0;
    c.first = c.last = true;
    c.second = false;
    return c;
}

inline void sequence_windows(const WindowsJob &job, ReadCommandStream &out) {
    WindowsState s = first_window(job);
windows:
    while (!s.done) {
#pragma HLS PIPELINE II = 1
        const WindowsState n = next_window(job, s);
        const bool inside = s.rows.now_inside & s.columns.now_inside;
        const uint32_t channels = s.left < kBanks ? s.left : kBanks;
        ReadCommand c = operand_at(s.address, inside ? channels : 0, ReadUse::operand);
        c.wide = s.left > kBeat;
        c.first = (s.u == 0) & (s.v == 0);
        c.last = (s.u == s.rows.now) & (s.v == s.columns.now);
        c.ends = n.done;
        out.write(c);
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
    uint32_t pixel;
    uint32_t left;  // channels of the operand's pixel
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
    s.pixel = 0;
    s.left = j.first.channels;
    s.first_address = j.first.first_address;
    s.second_address = j.second.first_address;
    return s;
}

inline JoinedState next_joined(const JoinedJob &j, const JoinedState &s) {
#pragma HLS INLINE
    const bool beat = s.beat == mux(s.second, j.second.last_beat, j.first.last_beat);
    const bool image = beat & (s.pixel == j.last_pixel);
    const bool pixel = beat & s.second;
    JoinedState n;
    n.second = s.second != beat;
    n.beat = counted_on(s.beat, true, beat);
    const uint32_t channels = mux(s.second, j.first.channels, j.second.channels);
    n.left = in_unsigned_bits<kWordsBits>(mux(beat, channels, s.left - kBeat));
    n.pixel = in_unsigned_bits<kWordsBits>(mux(pixel, mux(image, 0u, s.pixel + 1), s.pixel));
    n.sample = counted_on(s.sample, pixel & image, false);
    n.done = pixel & image & (s.sample == j.last_sample);
    const uint32_t at_sample = mux(s.second, j.second.step_sample, j.first.step_sample);
    const uint32_t at_pixel = mux(s.second, j.second.step_pixel, j.first.step_pixel);
    const uint32_t step = mux(beat, mux(image, at_sample, at_pixel), uint32_t{kBeat});
    const uint32_t next = mux(s.second, s.second_address, s.first_address) + step;
    n.first_address = CIRCNN_ADDRESS(mux(s.second, s.first_address, next));
    n.second_address = CIRCNN_ADDRESS(mux(s.second, next, s.second_address));
    return n;
}

inline void sequence_joined(const JoinedJob &job, ReadCommandStream &out) {
    JoinedState s = first_joined(job);
joined:
    while (!s.done) {
#pragma HLS PIPELINE II = 1
        const JoinedState n = next_joined(job, s);
        ReadCommand c = operand_at(s.second ? s.second_address : s.first_address,
                                   s.left < kBeat ? s.left : kBeat, ReadUse::operand);
        c.second = s.second;
        c.ends = n.done;
        out.write(c);
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
    uint32_t now, other;  // of this trip's operand, and of the other one's next words
};

inline PairsJob pairs_job(const int32_t numbers[kNumbers]) {
    using namespace steps;
    PairsJob j;
    // the one that is shifted comes first
    const bool swapped = swaps(numbers);
    j.words = to_uint32(numbers[out_words]);
    j.samples = to_uint16(numbers[samples]);
    j.first_address = to_uint32(numbers[swapped ? second_address : input_address]);
    j.second_address = to_uint32(numbers[swapped ? input_address : second_address]);
    j.sample_words = to_uint32(numbers[stride]);
    return j;
}

inline PairsState first_pair(const PairsJob &j) {
    PairsState s;
    s.done = s.second = false;
    s.left = j.words;
    s.samples = j.samples;
    s.now = j.first_address;
    s.other = j.second_address;
    return s;
}

// The trip after the last pair reads nothing: the reader then sends what it still holds.
inline PairsState next_pair(const PairsJob &j, const PairsState &s) {
#pragma HLS INLINE
    const bool sample = s.second & (s.left <= kBanks);
    PairsState n;
    n.second = !s.second;
    n.done = !s.second & (s.samples == 0);
    const uint32_t left = mux(sample, j.words, s.left - kBanks);
    n.left = in_unsigned_bits<kWordsBits>(mux(s.second, left, s.left));
    n.samples = static_cast<uint16_t>(s.samples - (sample ? 1 : 0));
    // from an operand's last words in a sample to its first in the next
    const uint32_t behind = j.sample_words - ((j.words - 1) & ~(kBanks - 1u));
    n.now = CIRCNN_ADDRESS(s.other);
    n.other = CIRCNN_ADDRESS(s.now + mux(s.left <= kBanks, behind, uint32_t{kBanks}));
    return n;
}

inline void sequence_pairs(const PairsJob &job, ReadCommandStream &out) {
    PairsState s = first_pair(job);
pairs:
    while (!s.done) {
#pragma HLS PIPELINE II = 1
        const PairsState n = next_pair(job, s);
        const uint32_t words = s.left < kBanks ? s.left : kBanks;
        ReadCommand c = operand_at(s.now, s.samples == 0 ? 0 : words,
                                   s.second ? ReadUse::pair : ReadUse::hold);
        c.ends = n.done;
        out.write(c);
        s = n;
    }
}

#endif
