// The multiply-accumulate lanes, with the memories of spectra and weights.
//
// In every trip the lanes take one row of weights and one of spectra and add the products to their
// accumulators (output-stationary: the sum of one output is finished before the next is begun).
// The sums move to a holding register, from which they leave eight a trip, so that one output
// takes at least kRow / 8 trips.  While the rows of the image under one line of windows are read,
// those that only the next line needs are accepted from the transform, one every `pace` trips;
// the spectra memory is a ring of rows of the image, and no row is read and written at once.
#ifndef CIRCNN_PRODUCT_HPP
#define CIRCNN_PRODUCT_HPP

#include "kinds.hpp"

// One line of windows: the rows of the image that lie in it.
struct Line {
    int32_t group, y;
    int32_t begin, end;  // rows of the image under the windows
    int32_t fresh;       // how many of these no earlier line has used
};

inline Line line_at(const circnn_descriptor &d, int32_t group, int32_t y, int32_t seen) {
    Line line;
    const Extent e = kinds::matrix::extent(d, y, 0);
    line.group = group;
    line.y = y;
    line.begin = e.top;
    line.end = most(e.bottom, e.top);
    line.fresh = line.end - most(line.begin, least(seen, line.end));
    return line;
}

inline Line next_line(const circnn_descriptor &d, const Line &line) {
    const bool wraps = line.y + 1 == d.out_height;
    return line_at(d, line.group + (wraps ? 1 : 0), wraps ? 0 : line.y + 1, wraps ? 0 : line.end);
}

// The place within a line being computed: column, group of output blocks, chunk, term.
struct OutputCursor {
    int32_t x, rows, chunk;
    int32_t trip;             // of this output
    int32_t u, v, block;      // the term
    int32_t lane_block;       // block % side
    int32_t group_of_blocks;  // block / side
};

// Lanes that hold two real products: slot 0 of each block, and every one for k = 1.
inline bool real_lane(int lane, int32_t block_log2, int32_t chunk) {
    const int32_t slots = block_log2 == 0 ? 1 : 1 << (block_log2 - 1);
    return chunk == 0 && (lane & (slots - 1)) == 0;
}

// One complex product, or two real ones; three multipliers with adders in front of them.  A tool
// may keep the three sums apart until the output is finished, each in its DSP's accumulator, since
// the result modulo 2^48 is the same.
inline void lane(Word w_re, Word w_im, Word x_re, Word x_im, bool real, bool first, int64_t &acc_re,
                 int64_t &acc_im) {
    const int64_t re = static_cast<int64_t>(w_re) * x_re;
    const int64_t im = static_cast<int64_t>(w_im) * x_im;
    const int64_t both = static_cast<int64_t>(w_re + w_im) * (x_re + x_im);
    const int64_t add_re = real ? re : re - im;
    const int64_t add_im = real ? im : both - re - im;
    acc_re = (first ? 0 : acc_re) + add_re;
    acc_im = (first ? 0 : acc_im) + add_im;
}

// Spread block `block` of each place over all blocks of the place: every bit of a word's position
// that counts blocks is replaced, in a network of two-way switches.
inline void spread(const Layer &layer, int32_t block, const Word from[kRow], Word to[kRow]) {
    if (layer.chunks > 1 || layer.side == 1) {
        for (int i = 0; i < kRow; i++) {
#pragma HLS UNROLL
            to[i] = from[i];
        }
        return;
    }
    const int32_t k = 1 << layer.d.block_log2;
    const int32_t mask = (layer.side - 1) << layer.d.block_log2;
    const int32_t chosen = block * k;
    for (int i = 0; i < kRow; i++) {
#pragma HLS UNROLL
        to[i] = from[(i & ~mask) | chosen];
    }
}

inline void multiply(const Layer &layer, const OutputCursor &c, const Word weights[kRow],
                     const Word row[kRow], int64_t sums[kRow]) {
    Word x[kRow];
    spread(layer, c.lane_block, row, x);
lanes:
    for (int i = 0; i < kLanes; i++) {
#pragma HLS UNROLL
        lane(weights[2 * i], weights[2 * i + 1], x[2 * i], x[2 * i + 1],
             real_lane(i, layer.d.block_log2, c.chunk), c.trip == 0, sums[2 * i], sums[2 * i + 1]);
    }
}

// Sums that wait to be sent, and the outputs that they belong to.
struct Holding {
    int64_t sums[kRow];
    int32_t sent;  // beats; kRowBeats: nothing is held
    int32_t group, x, rows;
};

// How many words of a beat belong to existing blocks and pixels: others are not counted.
inline int32_t counted_words(const Layer &layer, int32_t samples, const Holding &held) {
    const circnn_descriptor &d = layer.d;
    if (layer.chunks > 1) return kBeat;
    const int32_t place_words = layer.side << d.block_log2;
    const int32_t word = held.sent * kBeat;
    const int32_t place = word / place_words;
    const int32_t sample = layer.by_sample ? held.group * layer.places + place : held.group;
    const int32_t x = layer.by_sample ? held.x : place * layer.strip + held.x;
    if (sample >= samples || x >= d.out_width) return 0;
    const int32_t channel = ((held.rows * layer.side) << d.block_log2) + word % place_words;
    return clamp((d.block_rows << d.block_log2) - channel, 0, kBeat);
}

inline void send_sums(const Layer &layer, int32_t samples, Holding &held, SumStream &out) {
    if (held.sent == kRowBeats) return;
    SumBeat beat;
    beat.counted = static_cast<uint8_t>(counted_words(layer, samples, held));
    for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
        beat.w[i] = held.sums[held.sent * kBeat + i];
    }
    out.write(beat);
    held.sent++;
}

// Step to the next term of the output: kernel row, kernel column, block.
inline void next_term(const Layer &layer, OutputCursor &c) {
    const circnn_descriptor &d = layer.d;
    c.block++;
    c.lane_block = c.lane_block + 1 == layer.side ? 0 : c.lane_block + 1;
    if (c.lane_block == 0) c.group_of_blocks++;
    if (c.block < d.block_columns) return;
    c.block = c.lane_block = c.group_of_blocks = 0;
    if (++c.v < d.kernel_width) return;
    c.v = 0;
    c.u++;
}

// Step to the next output; returns whether the line is finished.
inline bool next_output(const Layer &layer, OutputCursor &c) {
    c.trip = c.u = c.v = c.block = c.lane_block = c.group_of_blocks = 0;
    if (++c.chunk < layer.chunks) return false;
    c.chunk = 0;
    if (++c.rows < layer.row_groups) return false;
    c.rows = 0;
    return ++c.x == layer.strip;
}

inline int32_t wrapped(int32_t line, int32_t lines) { return line >= lines ? line - lines : line; }

inline void product(const Layer &layer, const Batch &batch, const Word weights[kWeightRows][kRow],
                    Word spectra[kSpectraRows][kRow], RowStream &in, SumStream &out, Count &count) {
    if (!traits_of(layer).spectral) return;
#pragma HLS DEPENDENCE variable = spectra inter false
    const circnn_descriptor &d = layer.d;
    const int32_t groups = sample_groups(layer, batch.samples);
    int64_t sums[kRow] = {};
#pragma HLS ARRAY_PARTITION variable = sums complete
    Holding held = {};
#pragma HLS ARRAY_PARTITION variable = held.sums complete
    held.sent = kRowBeats;
    Line line = {-1, 0, 0, 0, 0}, next = line_at(d, 0, 0, 0);
    OutputCursor c = {};
    bool computing = false;        // whether a line is being computed
    int32_t lines_left = next.fresh, rows_left = 0;  // to be accepted for the next line
    int32_t write_line = 0, write_row = 0;           // where in the ring
    int32_t first_line = 0;                          // ring line of line.begin
    int32_t pace = 0;
product:
    for (uint32_t trip = 0; trip < kMaxTrips; trip++) {
#pragma HLS PIPELINE II = 1
        if (!computing && lines_left == 0 && rows_left == 0) {
            // everything that the next line of windows needs has arrived
            if (next.group == groups) {
                if (held.sent == kRowBeats) break;
            } else {
                line = next;
                next = next_line(d, line);
                lines_left = next.group < groups ? next.fresh : 0;
                const int32_t back = line.end - line.begin;
                first_line = wrapped(write_line - back + layer.ring_lines, layer.ring_lines);
                computing = true;
                pace = layer.pace;
                c = OutputCursor{};
            }
        }
        count.trips++;
        // accept a row
        pace--;
        if ((lines_left > 0 || rows_left > 0) && (!computing || pace <= 0)) {
            const SpectraRow row = in.read();
            const int32_t address = write_line * layer.line_rows + write_row;
            for (int i = 0; i < kRow; i++) {
#pragma HLS UNROLL
                spectra[address][i] = row.w[i];
            }
            if (write_row == 0) {
                lines_left--;
                rows_left = layer.line_rows;
            }
            rows_left--;
            write_row = write_row + 1 == layer.line_rows ? 0 : write_row + 1;
            if (write_row == 0) write_line = wrapped(write_line + 1, layer.ring_lines);
            pace = layer.pace;
        }
        // send sums
        send_sums(layer, batch.samples, held, out);
        // multiply and accumulate
        if (computing) {
            const int32_t lines = line.end - line.begin;
            const int32_t output_trips = most(lines * d.kernel_width * d.block_columns, kRowBeats);
            if (c.u < lines) {
                const int32_t top = line.y * d.stride_height - d.pad_top;
                const int32_t position = (line.begin - top + c.u) * d.kernel_width + c.v;
                const int32_t weights_row = layer.weights_row +
                                            (c.rows * layer.chunks + c.chunk) * layer.terms +
                                            position * d.block_columns + c.block;
                const int32_t column = c.x * d.stride_width + c.v;
                const int32_t spectra_row =
                    wrapped(first_line + c.u, layer.ring_lines) * layer.line_rows +
                    (column * layer.column_groups + c.group_of_blocks) * layer.chunks + c.chunk;
                multiply(layer, c, weights[weights_row], spectra[spectra_row], sums);
                next_term(layer, c);
            } else if (c.trip == 0) {
                for (int i = 0; i < kRow; i++) {
#pragma HLS UNROLL
                    sums[i] = 0;  // a window that lies outside the image altogether
                }
            }
            if (++c.trip == output_trips) {
                for (int i = 0; i < kRow; i++) {
#pragma HLS UNROLL
                    held.sums[i] = sums[i];
                }
                held.sent = 0;
                held.group = line.group;
                held.x = c.x;
                held.rows = c.rows;
                computing = !next_output(layer, c);
            }
        }
    }
}

#endif
