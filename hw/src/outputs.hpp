// The order in which the lanes compute the outputs of a layer, and in which they accept spectra.
//
// An image is computed a line of windows at a time.  While the rows of the image under one line are
// read, those that only the next line needs are accepted, eight words of spectra every `pace`
// trips; the spectra memory is a ring of rows of the image, and a row is read only after its write
// has landed.  Two sequences make this: `lines`, one step a line, and `outputs`, one step a trip.
#ifndef CIRCNN_OUTPUTS_HPP
#define CIRCNN_OUTPUTS_HPP

#include "commands.hpp"
#include "kinds.hpp"

// -- lines of windows ---------------------------------------------------------------------------

struct LinesJob {
    uint16_t last_y, last_group;
    int32_t kernel_height, in_height, stride, first_top;
    uint16_t line_rows;  // rows of spectra of one row of the image
    uint16_t ring_lines;  // rows of the image that the spectra memory holds
    uint32_t weights_row;  // of the layer's first term
    int32_t first_top_terms, stride_terms;  // the windows' first row, in terms, and its step
};

struct LinesState {
    bool done;
    uint16_t y, group;
    int32_t top;  // the windows' first row, or a row below the image
    uint16_t top_terms;  // its distance from the image in terms, if it is above it
    uint16_t seen;  // rows of the image that earlier lines have used
    uint16_t ring_line;  // where in the ring the next fresh row goes
};

// One line of windows.
struct LineCommand {
    uint16_t rows;  // of the image under the windows
    uint16_t fresh;  // how many of these no earlier line has used
    uint16_t ring_line;  // of the first of them, in the ring
    uint16_t ring_row;  // and its first row of spectra
    uint16_t weights_row;  // of the first term that lies in the image
    bool last;
};

typedef Stream<LineCommand, 4> LineStream;

inline LinesJob lines_job(const int32_t numbers[kNumbers]) {
    using namespace steps;
    LinesJob j;
    j.last_y = to_uint16(numbers[last_y]);
    j.last_group = to_uint16(numbers[last_group]);
    j.kernel_height = numbers[kernel_height];
    j.in_height = numbers[in_height];
    j.stride = numbers[stride_height];
    j.first_top = numbers[first_top];
    j.line_rows = to_uint16(numbers[line_rows]);
    j.ring_lines = to_uint16(numbers[ring_lines]);
    j.weights_row = to_uint32(numbers[weights_row]);
    j.first_top_terms = numbers[first_top_terms];
    j.stride_terms = numbers[stride_terms];
    return j;
}

// Of a window's first row: it is no further above the image than 65,535, and below it no further
// than a stride.
constexpr int kTopBits = 18;

inline LinesState first_line(const LinesJob &j) {
    LinesState s;
    s.done = false;
    s.y = s.group = s.seen = s.ring_line = 0;
    s.top = in_bits<kTopBits - 1>(j.first_top);
    s.top_terms = static_cast<uint16_t>(-j.first_top_terms);
    return s;
}

// Rows of the image: the first one under a line of windows, the one after the last, and the first
// that no earlier line has used.
struct LineRows {
    uint16_t begin, end, fresh;
};

inline LineRows rows_of(const LinesJob &j, const LinesState &s) {
#pragma HLS INLINE
    const int32_t in_height = static_cast<uint16_t>(j.in_height);
    const int32_t bottom = s.top + static_cast<uint16_t>(j.kernel_height);
    LineRows r;
    r.begin = static_cast<uint16_t>(s.top < 0 ? 0 : least(s.top, in_height));
    r.end = static_cast<uint16_t>(least(bottom, in_height));
    r.fresh = s.seen > r.begin ? s.seen : r.begin;
    return r;
}

inline LinesState next_line(const LinesJob &j, const LinesState &s) {
#pragma HLS INLINE
    const bool image = s.y == j.last_y;
    const LineRows r = rows_of(j, s);
    const uint16_t next = static_cast<uint16_t>(s.ring_line + (r.end - r.fresh));
    const uint16_t turned = static_cast<uint16_t>(next - j.ring_lines);
    const uint16_t none = 0, terms = static_cast<uint16_t>(s.top_terms - j.stride_terms);
    const uint16_t first_terms = static_cast<uint16_t>(-j.first_top_terms);
    const int32_t below = mux(s.top < static_cast<uint16_t>(j.in_height), s.top + j.stride, s.top);
    LinesState n;
    n.done = image & (s.group == j.last_group);
    n.y = counted_on(s.y, true, image);
    n.group = counted_on(s.group, image, false);
    n.top = in_bits<kTopBits>(mux(image, j.first_top, below));
    n.top_terms = mux(image, first_terms, terms);
    n.seen = mux(image, none, r.end);
    n.ring_line = mux(next < j.ring_lines, next, turned);
    return n;
}

inline LineCommand command_of(const LinesJob &j, const LinesState &s, const LinesState &n) {
#pragma HLS INLINE
    const LineRows r = rows_of(j, s);
    const uint16_t none = 0, rows = static_cast<uint16_t>(r.end - r.begin);
    const uint16_t first = static_cast<uint16_t>(n.ring_line - rows);
    const uint16_t turned = static_cast<uint16_t>(first + j.ring_lines);
    LineCommand c;
    c.rows = rows;
    c.fresh = static_cast<uint16_t>(r.end - r.fresh);
    c.ring_line = mux(n.ring_line < rows, turned, first);
    c.ring_row = static_cast<uint16_t>(c.ring_line * j.line_rows);
    c.weights_row = static_cast<uint16_t>(j.weights_row + mux(s.top < 0, s.top_terms, none));
    c.last = n.done;
    return c;
}

inline void sequence_lines(const LinesJob job, bool spectral, LineStream &out) {
    if (!spectral) return;
    LinesState s = first_line(job);
lines:
    while (!s.done) {
#pragma HLS PIPELINE II = 6
        const LinesState n = next_line(job, s);
        out.write(command_of(job, s, n));
        s = n;
    }
}

// -- outputs ------------------------------------------------------------------------------------

struct OutputsJob {
    // last values of the counters of an output's terms, and of its place in a line
    uint16_t last_side, last_block, last_v, last_chunk, last_rows, last_x;
    uint16_t last_line_row, last_ring_line;
    // rows of spectra to the next line of the ring, and from the last one to the first
    int32_t step_line_down, step_line_wrap;
    uint16_t chunks;
    uint32_t terms;  // of a whole window
    int32_t step_rows, step_x;  // from a column's last chunk to the next output
    uint16_t pace;  // less one
};

struct OutputsState {
    bool computing;  // a line
    bool idle;  // its terms are done, but not the trips of an output
    bool first;  // trip of an output
    bool ends, done;  // the sums of the last output are leaving; have left
    // the line being computed: whether it is the last, its rows, where its outputs begin
    bool last, empty;
    uint16_t last_u;
    uint16_t first_ring_line;
    uint16_t line_weights;
    // the next line
    bool ahead, ahead_last, ahead_empty;
    uint16_t ahead_last_u, ahead_ring_line, ahead_ring_row;
    uint16_t ahead_weights;
    // accepting: lines and rows that are missing for the next line, and where the next words go
    uint16_t lines_left, line_row, write_row, write_line;
    uint8_t write_beat;
    uint16_t pace;  // trips until eight words may be accepted
    uint8_t settling;  // trips until the last ones have landed
    // the output: its trip, up to the beats of a row, its term and its place
    uint8_t trip;
    uint8_t side, chunk;
    uint16_t block, v, u, rows, x;
    // rows of weights and of spectra: of the term, of the window's row, of the output's first term
    uint16_t weights_row, output_weights;
    uint16_t spectra_row, window_row, output_row;
    uint16_t ring_line;  // of the window's row
};

// One trip of the lanes.
struct LaneCommand {
    bool multiply;
    bool clear;  // the accumulators begin anew
    bool accept;  // eight words of spectra
    bool keep;  // the sums are complete
    bool ends;
    bool first_chunk;
    uint8_t side;  // the term's block within its group
    uint16_t weights_row, spectra_row, write_row;
    uint8_t write_beat;
};

typedef Stream<LaneCommand, 16> LaneCommandStream;

// Trips from the one after the last words of a row to the first that may decide to begin a line: the line's
// first trip is the one after that.
constexpr uint8_t kSettling = CIRCNN_LATENCY_SPECTRA - 2;

inline OutputsJob outputs_job(const int32_t numbers[kNumbers]) {
    using namespace steps;
    OutputsJob j;
    j.last_side = to_uint16(numbers[last_side]);
    j.last_block = to_uint16(numbers[last_block]);
    j.last_v = to_uint16(numbers[last_v]);
    j.last_chunk = to_uint16(numbers[last_chunk]);
    j.last_rows = to_uint16(numbers[last_rows]);
    j.last_x = to_uint16(numbers[last_x]);
    j.last_line_row = to_uint16(numbers[last_line_row]);
    j.last_ring_line = to_uint16(numbers[last_ring_line]);
    j.step_line_down = numbers[line_rows];
    j.step_line_wrap = numbers[line_wrap];
    j.chunks = to_uint16(numbers[chunks]);
    j.terms = to_uint32(numbers[terms]);
    j.step_rows = numbers[output_rows];
    j.step_x = numbers[output_x];
    j.pace = to_uint16(numbers[last_pace]);
    return j;
}

inline OutputsState first_output() {
    OutputsState s;
    s.computing = s.idle = s.ends = s.done = s.last = s.empty = false;
    s.ahead = s.ahead_last = s.ahead_empty = false;
    s.first = true;
    s.last_u = s.first_ring_line = 0;
    s.line_weights = s.ahead_weights = 0;
    s.ahead_last_u = s.ahead_ring_line = s.ahead_ring_row = 0;
    s.lines_left = s.line_row = s.write_row = s.write_line = s.pace = 0;
    s.write_beat = s.settling = s.trip = 0;
    s.side = s.chunk = 0;
    s.block = s.v = s.u = s.rows = s.x = 0;
    s.weights_row = s.output_weights = 0;
    s.spectra_row = s.window_row = s.output_row = s.ring_line = 0;
    return s;
}

// Whether this trip learns what the next line is.
inline bool wants_line(const OutputsState &s) { return !s.ahead && !s.last; }

inline bool accepts(const OutputsState &s) {
    return (s.lines_left != 0) & (!s.computing | (s.pace == 0));
}

// Whether this trip is an output's last.
inline bool completes(const OutputsJob &j, const OutputsState &s) {
#pragma HLS INLINE
    const bool terms = (s.block == j.last_block) & (s.v == j.last_v) & (s.u == s.last_u);
    return s.computing & (s.trip == kRowBeats - 1) & (s.idle | terms);
}

// `line` is what the channel gave if the state wants a line.
inline OutputsState next_output(const OutputsJob &j, const OutputsState &s,
                                const LineCommand &line) {
#pragma HLS INLINE
    OutputsState n;
    // accept eight words
    const bool accept = accepts(s);
    const bool row = accept && s.write_beat == kRowBeats - 1;
    const bool line_row = row && s.line_row == j.last_line_row;
    const bool ring = line_row && s.write_line == j.last_ring_line;
    const bool learn = wants_line(s);
    n.write_beat = static_cast<uint8_t>((s.write_beat + (accept ? 1 : 0)) & (kRowBeats - 1));
    n.line_row = static_cast<uint16_t>(!row ? s.line_row : line_row ? 0 : s.line_row + 1);
    n.write_row = static_cast<uint16_t>(!row ? s.write_row : ring ? 0 : s.write_row + 1);
    n.write_line = static_cast<uint16_t>(!line_row ? s.write_line : ring ? 0 : s.write_line + 1);
    n.lines_left = static_cast<uint16_t>(learn      ? line.fresh
                                         : line_row ? s.lines_left - 1
                                                    : s.lines_left);
    n.settling = static_cast<uint8_t>(accept ? kSettling : s.settling == 0 ? 0 : s.settling - 1);
    // the term
    const bool multiply = s.computing & !s.idle;
    const bool block = s.block == j.last_block;
    const bool side = block | (s.side == static_cast<uint8_t>(j.last_side));
    const bool v = block & (s.v == j.last_v);
    const bool u = v & (s.u == s.last_u);
    // the output
    const bool output = completes(j, s);
    const bool chunk = output & (s.chunk == static_cast<uint8_t>(j.last_chunk));
    const bool rows = chunk & (s.rows == j.last_rows);
    const bool x = rows & (s.x == j.last_x);
    const bool ready = s.ahead & (s.lines_left == 0) & (s.settling == 0);
    const bool begin = ready & (x | !s.computing);  // the next line
    const bool fresh = output | begin;  // the next trip is an output's first
    n.computing = begin | (s.computing & !x);
    n.ends = s.ends | (x & s.last);
    n.done = s.ends & (s.trip == kRowBeats - 1);
    n.last = mux(begin, s.ahead_last, s.last);
    n.empty = mux(begin, s.ahead_empty, s.empty);
    n.last_u = mux(begin, s.ahead_last_u, s.last_u);
    n.first_ring_line = mux(begin, s.ahead_ring_line, s.first_ring_line);
    n.line_weights = mux(begin, s.ahead_weights, s.line_weights);
    n.ahead = learn | (s.ahead & !begin);
    n.ahead_last = mux(learn, line.last, s.ahead_last);
    n.ahead_empty = mux(learn, line.rows == 0, s.ahead_empty);
    n.ahead_last_u = mux(learn, static_cast<uint16_t>(line.rows - 1), s.ahead_last_u);
    n.ahead_ring_line = mux(learn, line.ring_line, s.ahead_ring_line);
    n.ahead_ring_row = mux(learn, line.ring_row, s.ahead_ring_row);
    n.ahead_weights = mux(learn, line.weights_row, s.ahead_weights);
    const uint16_t waits = static_cast<uint16_t>(s.pace - (s.pace != 0 ? 1 : 0));
    n.pace = mux(accept | begin, j.pace, waits);
    n.first = fresh | (s.first & !s.computing);
    const bool terms_end = s.idle | (multiply & u);
    n.idle = mux(begin, s.ahead_empty, mux(output, s.empty, terms_end));
    const uint8_t next_trip = static_cast<uint8_t>(s.trip + (s.trip != kRowBeats - 1 ? 1 : 0));
    n.trip = mux(fresh, uint8_t{0}, next_trip);
    n.side = static_cast<uint8_t>(counted_on(s.side, multiply, fresh | (multiply & side)));
    n.block = counted_on(s.block, multiply, fresh | (multiply & block));
    n.v = counted_on(s.v, multiply & block, fresh | (multiply & v));
    n.u = counted_on(s.u, multiply & v, fresh);
    n.chunk = static_cast<uint8_t>(counted_on(s.chunk, output, begin | chunk));
    n.rows = counted_on(s.rows, chunk, begin | rows);
    n.x = counted_on(s.x, rows, begin | x);
    // addresses
    const uint16_t next_output_weights = static_cast<uint16_t>(s.output_weights + j.terms);
    const uint16_t next_weights = mux(begin, s.ahead_weights,
                                      mux(rows, s.line_weights, next_output_weights));
    const uint16_t next_term = static_cast<uint16_t>(s.weights_row + (multiply ? 1 : 0));
    n.output_weights = mux(fresh, next_weights, s.output_weights);
    n.weights_row = mux(fresh, next_weights, next_term);
    const uint16_t step_rows = static_cast<uint16_t>(j.step_rows);
    const uint16_t step_x = static_cast<uint16_t>(j.step_x);
    const uint16_t step = mux(chunk, mux(rows, step_x, step_rows), uint16_t{1});
    const uint16_t output_row = static_cast<uint16_t>(s.output_row + step);
    const uint16_t next_row = mux(begin, s.ahead_ring_row, output_row);
    const bool last_line = s.ring_line == j.last_ring_line;
    const uint16_t step_wrap = static_cast<uint16_t>(j.step_line_wrap);
    const uint16_t step_down = static_cast<uint16_t>(j.step_line_down);
    const bool down = multiply & v;
    const uint16_t below = static_cast<uint16_t>(s.window_row +
                                                 mux(last_line, step_wrap, step_down));
    const uint16_t chunks = mux(multiply & side, j.chunks, uint16_t{0});
    const uint16_t term_row = static_cast<uint16_t>(s.spectra_row + chunks);
    const uint16_t ring_below = counted_on(s.ring_line, true, last_line);
    n.output_row = mux(fresh, next_row, s.output_row);
    n.ring_line = mux(begin, s.ahead_ring_line,
                      mux(output, s.first_ring_line, mux(down, ring_below, s.ring_line)));
    n.window_row = mux(fresh, next_row, mux(down, below, s.window_row));
    n.spectra_row = mux(fresh, next_row, mux(down, below, term_row));
    return n;
}

inline LaneCommand command_of(const OutputsJob &j, const OutputsState &s) {
#pragma HLS INLINE
    LaneCommand c;
    c.multiply = s.computing && !s.idle;
    c.clear = s.computing && s.first;
    c.accept = accepts(s);
    c.keep = completes(j, s);
    c.ends = false;
    c.first_chunk = s.chunk == 0;
    c.side = s.side;
    c.weights_row = s.weights_row;
    c.spectra_row = s.spectra_row;
    c.write_row = s.write_row;
    c.write_beat = s.write_beat;
    return c;
}

inline void sequence_outputs(const OutputsJob job, bool spectral, LineStream &lines,
                             LaneCommandStream &out) {
    if (!spectral) return;
    OutputsState s = first_output();
    LineCommand line = {0, 0, 0, 0, 0, false};
outputs:
    while (!s.done) {
#pragma HLS PIPELINE II = 1
        if (wants_line(s)) line = lines.read();
        const OutputsState n = next_output(job, s, line);
        LaneCommand c = command_of(job, s);
        c.ends = n.done;
        out.write(c);
        s = n;
    }
}

#endif
