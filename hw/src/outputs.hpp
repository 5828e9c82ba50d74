// The order in which the lanes compute the outputs of a layer, and in which they accept spectra.
//
// An image is computed a line of windows at a time.  While the rows of the image under one line are
// read, those that only the next line needs are accepted, one row of spectra every `pace` trips;
// the spectra memory is a ring of rows of the image, and a row is read only after its write has
// landed.  Two sequences make this: `lines`, one step a line, and `outputs`, one step a trip.
#ifndef CIRCNN_OUTPUTS_HPP
#define CIRCNN_OUTPUTS_HPP

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
    int32_t top, top_terms;  // of the windows' first row
    int32_t seen;  // rows of the image that earlier lines have used
    uint16_t ring_line;  // where in the ring the next fresh row goes
};

// One line of windows.
struct LineCommand {
    uint16_t rows;  // of the image under the windows
    uint16_t fresh;  // how many of these no earlier line has used
    uint16_t ring_line;  // of the first of them, in the ring
    uint16_t ring_row;  // and its first row of spectra
    uint32_t weights_row;  // of the first term that lies in the image
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

inline LinesState first_line(const LinesJob &j) {
    return LinesState{false, 0, 0, j.first_top, j.first_top_terms, 0, 0};
}

inline int32_t line_end(const LinesJob &j, const LinesState &s) {
#pragma HLS INLINE
    return most(least(s.top + j.kernel_height, j.in_height), most(s.top, 0));
}

inline int32_t fresh_rows(const LinesJob &j, const LinesState &s) {
#pragma HLS INLINE
    const int32_t end = line_end(j, s);
    return end - most(most(s.top, 0), least(s.seen, end));
}

inline LinesState next_line(const LinesJob &j, const LinesState &s) {
#pragma HLS INLINE
    const bool image = s.y == j.last_y;
    const int32_t ring_line = s.ring_line + fresh_rows(j, s);
    LinesState n;
    n.done = image && s.group == j.last_group;
    n.y = static_cast<uint16_t>(image ? 0 : s.y + 1);
    n.group = static_cast<uint16_t>(image ? s.group + 1 : s.group);
    n.top = image ? j.first_top : s.top + j.stride;
    n.top_terms = image ? j.first_top_terms : s.top_terms + j.stride_terms;
    n.seen = image ? 0 : line_end(j, s);
    n.ring_line = static_cast<uint16_t>(ring_line < j.ring_lines ? ring_line
                                                                 : ring_line - j.ring_lines);
    return n;
}

inline LineCommand command_of(const LinesJob &j, const LinesState &s, const LinesState &n) {
#pragma HLS INLINE
    const int32_t rows = line_end(j, s) - most(s.top, 0);
    const int32_t ring_line = n.ring_line - rows;
    LineCommand c;
    c.rows = static_cast<uint16_t>(rows);
    c.fresh = static_cast<uint16_t>(fresh_rows(j, s));
    c.ring_line = static_cast<uint16_t>(ring_line < 0 ? ring_line + j.ring_lines : ring_line);
    c.ring_row = static_cast<uint16_t>(c.ring_line * j.line_rows);
    c.weights_row = j.weights_row + static_cast<uint32_t>(most(-s.top_terms, 0));
    c.last = n.done;
    return c;
}

inline void sequence_lines(const LinesJob job, bool spectral, LineStream &out) {
    if (!spectral) return;
    LinesState s = first_line(job);
lines:
    for (uint32_t trip = 0; trip < kMaxTrips; trip++) {
#pragma HLS PIPELINE II = 6
        const LinesState n = next_line(job, s);
        out.write(command_of(job, s, n));
        if (n.done) break;
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
    uint32_t line_weights;
    // the next line
    bool ahead, ahead_last, ahead_empty;
    uint16_t ahead_last_u, ahead_ring_line, ahead_ring_row;
    uint32_t ahead_weights;
    // accepting: lines and rows that are missing for the next line, and where the next row goes
    uint16_t lines_left, line_row, write_row, write_line;
    uint16_t pace;  // trips until a row may be accepted
    uint8_t settling;  // trips until the last one has landed
    // the output: its trip, up to the beats of a row, its term and its place
    uint8_t trip;
    uint16_t side, block, v, u, chunk, rows, x;
    // rows of weights and of spectra: of the term, of the window's row, of the output's first term
    uint32_t weights_row, output_weights;
    uint16_t spectra_row, window_row, output_row;
    uint16_t ring_line;  // of the window's row
};

// One trip of the lanes.
struct LaneCommand {
    bool multiply;
    bool clear;  // the accumulators begin anew
    bool accept;  // a row of spectra
    bool keep;  // the sums are complete
    bool ends;
    bool first_chunk;
    uint16_t side;  // the term's block within its group
    uint16_t weights_row, spectra_row, write_row;
};

typedef Stream<LaneCommand, 16> LaneCommandStream;

// Trips from the one after an accepted row to the first that may decide to begin a line: the line's
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
    s.settling = s.trip = 0;
    s.side = s.block = s.v = s.u = s.chunk = s.rows = s.x = 0;
    s.weights_row = s.output_weights = 0;
    s.spectra_row = s.window_row = s.output_row = s.ring_line = 0;
    return s;
}

// Whether this trip learns what the next line is.
inline bool wants_line(const OutputsState &s) { return !s.ahead && !s.last; }

inline bool accepts(const OutputsState &s) {
    return s.lines_left != 0 && (!s.computing || s.pace == 0);
}

// Whether this trip is an output's last.
inline bool completes(const OutputsJob &j, const OutputsState &s) {
#pragma HLS INLINE
    const bool terms = s.block == j.last_block && s.v == j.last_v && s.u == s.last_u;
    return s.computing && s.trip == kRowBeats - 1 && (s.idle || terms);
}

// `line` is what the channel gave if the state wants a line.
inline OutputsState next_output(const OutputsJob &j, const OutputsState &s,
                                const LineCommand &line) {
#pragma HLS INLINE
    OutputsState n;
    // accept a row
    const bool accept = accepts(s);
    const bool line_row = accept && s.line_row == j.last_line_row;
    const bool ring = line_row && s.write_line == j.last_ring_line;
    const bool learn = wants_line(s);
    n.line_row = static_cast<uint16_t>(!accept ? s.line_row : line_row ? 0 : s.line_row + 1);
    n.write_row = static_cast<uint16_t>(!accept ? s.write_row : ring ? 0 : s.write_row + 1);
    n.write_line = static_cast<uint16_t>(!line_row ? s.write_line : ring ? 0 : s.write_line + 1);
    n.lines_left = static_cast<uint16_t>(learn      ? line.fresh
                                         : line_row ? s.lines_left - 1
                                                    : s.lines_left);
    n.settling = static_cast<uint8_t>(accept ? kSettling : s.settling == 0 ? 0 : s.settling - 1);
    // the term
    const bool multiply = s.computing && !s.idle;
    const bool block = s.block == j.last_block;
    const bool side = block || s.side == j.last_side;
    const bool v = block && s.v == j.last_v;
    const bool u = v && s.u == s.last_u;
    // the output
    const bool output = completes(j, s);
    const bool chunk = output && s.chunk == j.last_chunk;
    const bool rows = chunk && s.rows == j.last_rows;
    const bool x = rows && s.x == j.last_x;
    const bool ready = s.ahead && s.lines_left == 0 && s.settling == 0;
    const bool begin = ready && (x || !s.computing);  // the next line
    const bool fresh = output || begin;  // the next trip is an output's first
    n.computing = begin || (s.computing && !x);
    n.ends = s.ends || (x && s.last);
    n.done = s.ends && s.trip == kRowBeats - 1;
    n.last = begin ? s.ahead_last : s.last;
    n.empty = begin ? s.ahead_empty : s.empty;
    n.last_u = begin ? s.ahead_last_u : s.last_u;
    n.first_ring_line = begin ? s.ahead_ring_line : s.first_ring_line;
    n.line_weights = begin ? s.ahead_weights : s.line_weights;
    n.ahead = learn || (s.ahead && !begin);
    n.ahead_last = learn ? line.last : s.ahead_last;
    n.ahead_empty = learn ? line.rows == 0 : s.ahead_empty;
    n.ahead_last_u = static_cast<uint16_t>(learn ? line.rows - 1 : s.ahead_last_u);
    n.ahead_ring_line = learn ? line.ring_line : s.ahead_ring_line;
    n.ahead_ring_row = learn ? line.ring_row : s.ahead_ring_row;
    n.ahead_weights = learn ? line.weights_row : s.ahead_weights;
    n.pace = static_cast<uint16_t>(accept || begin ? j.pace : s.pace == 0 ? 0 : s.pace - 1);
    n.first = fresh || (s.first && !s.computing);
    n.idle = begin ? s.ahead_empty : output ? s.empty : s.idle || (multiply && u);
    n.trip = static_cast<uint8_t>(fresh ? 0 : s.trip == kRowBeats - 1 ? s.trip : s.trip + 1);
    n.side = static_cast<uint16_t>(fresh || (multiply && side) ? 0
                                   : multiply                  ? s.side + 1
                                                               : s.side);
    n.block = static_cast<uint16_t>(fresh || (multiply && block) ? 0
                                    : multiply                   ? s.block + 1
                                                                 : s.block);
    n.v = static_cast<uint16_t>(fresh || (multiply && v) ? 0 : multiply && block ? s.v + 1 : s.v);
    n.u = static_cast<uint16_t>(fresh ? 0 : multiply && v ? s.u + 1 : s.u);
    n.chunk = static_cast<uint16_t>(begin || chunk ? 0 : output ? s.chunk + 1 : s.chunk);
    n.rows = static_cast<uint16_t>(begin || rows ? 0 : chunk ? s.rows + 1 : s.rows);
    n.x = static_cast<uint16_t>(begin || x ? 0 : rows ? s.x + 1 : s.x);
    // addresses
    const uint32_t next_weights = begin  ? s.ahead_weights
                                  : rows ? s.line_weights
                                         : s.output_weights + j.terms;
    n.output_weights = fresh ? next_weights : s.output_weights;
    n.weights_row = fresh ? next_weights : s.weights_row + (multiply ? 1 : 0);
    const int32_t step = !chunk ? 1 : !rows ? j.step_rows : j.step_x;
    const uint16_t output_row = static_cast<uint16_t>(s.output_row + step);
    const uint16_t next_row = begin ? s.ahead_ring_row : output_row;
    const bool last_line = s.ring_line == j.last_ring_line;
    const int32_t step_line = last_line ? j.step_line_wrap : j.step_line_down;
    const bool down = multiply && v;
    const uint16_t below = static_cast<uint16_t>(s.window_row + step_line);
    const int32_t step_term = down ? step_line : multiply && side ? j.chunks : 0;
    const uint16_t term_row = static_cast<uint16_t>((down ? s.window_row : s.spectra_row) +
                                                    step_term);
    const uint16_t ring_below = static_cast<uint16_t>(last_line ? 0 : s.ring_line + 1);
    n.output_row = fresh ? next_row : s.output_row;
    n.ring_line = begin    ? s.ahead_ring_line
                  : output ? s.first_ring_line
                  : down   ? ring_below
                           : s.ring_line;
    n.window_row = fresh ? next_row : down ? below : s.window_row;
    n.spectra_row = fresh ? next_row : term_row;
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
    c.weights_row = static_cast<uint16_t>(s.weights_row);
    c.spectra_row = s.spectra_row;
    c.write_row = s.write_row;
    return c;
}

inline void sequence_outputs(const OutputsJob job, bool spectral, LineStream &lines,
                             LaneCommandStream &out) {
    if (!spectral) return;
    OutputsState s = first_output();
    LineCommand line = {0, 0, 0, 0, 0, false};
outputs:
    for (uint32_t trip = 0; trip < kMaxTrips; trip++) {
#pragma HLS PIPELINE II = 1
        if (wants_line(s)) line = lines.read();
        const OutputsState n = next_output(job, s, line);
        LaneCommand c = command_of(job, s);
        c.ends = n.done;
        out.write(c);
        if (n.done) break;
        s = n;
    }
}

#endif
