// The end of every layer: scale and bias, the rounding shift, the activation; means are divided.
// Eight words a trip, but one a trip through a table or a division, of which there is one each.
#ifndef CIRCNN_EPILOGUE_HPP
#define CIRCNN_EPILOGUE_HPP

#include "inverse.hpp"
#include "vector.hpp"

// Scales and biases, eight a row.
struct Channels {
    Word scales[kChannelRows][kBeat];
    int32_t biases[kChannelRows][kBeat];
};

// Where a result goes: sample, output row, column of the place, group of blocks, place, beat.
struct ResultCursor {
    int32_t group, y, x, rows, place, beat;
};

struct ResultPlace {
    int32_t sample, column, channel, count;
};

inline ResultPlace result_place(const Layer &layer, const Batch &batch, const ResultCursor &c) {
    const circnn_descriptor &d = layer.d;
    ResultPlace p;
    p.sample = layer.by_sample ? c.group * layer.places + c.place : c.group;
    p.column = layer.by_sample ? c.x : c.place * layer.strip + c.x;
    p.channel = ((c.rows * layer.side) << d.block_log2) + c.beat * kBeat;
    const bool exists = p.sample < batch.samples && p.column < d.out_width;
    p.count = exists ? clamp(d.out_channels - p.channel, 0, kBeat) : 0;
    return p;
}

inline void advance(const Layer &layer, ResultCursor &c) {
    if (++c.beat < (layer.side << layer.d.block_log2) / kBeat) return;
    c.beat = 0;
    if (++c.place < layer.places) return;
    c.place = 0;
    if (++c.rows < layer.row_groups) return;
    c.rows = 0;
    if (++c.x < layer.strip) return;
    c.x = 0;
    if (++c.y < layer.d.out_height) return;
    c.y = 0;
    c.group++;
}

// The same for layers that are no matrix: eight channels of a pixel, or eight words of a tensor.
struct FlatCursor {
    int32_t sample, pixel, channel;
};

inline int32_t flat_channels(const Layer &layer) {
    return layer.d.opcode == CIRCNN_OP_ADD ? layer.out_words : layer.d.out_channels;
}

inline int32_t flat_pixels(const Layer &layer) {
    return layer.d.opcode == CIRCNN_OP_ADD ? 1 : layer.d.out_height * layer.d.out_width;
}

inline void advance(const Layer &layer, FlatCursor &c) {
    c.channel += kBeat;
    if (c.channel < flat_channels(layer)) return;
    c.channel = 0;
    if (++c.pixel < flat_pixels(layer)) return;
    c.pixel = 0;
    c.sample++;
}

inline int32_t ceil_log2(int32_t value) {
    int32_t bits = 0;
ceil_log2:
    for (int i = 0; i < 12; i++) {
#pragma HLS UNROLL
        if ((1 << i) < value) bits = i + 1;
    }
    return bits;
}

// Sum times the reciprocal of the number of pixels, one rounding shift.
inline Word mean(const circnn_descriptor &d, int32_t total, int32_t pixels, Word multiplier,
                 uint32_t &count) {
    const int shift = d.output_shift + ceil_log2(pixels);
    return saturate64(round_shift64(static_cast<int64_t>(total) * multiplier, shift), count);
}

// The 32-bit sum that the activation reads.
inline int32_t activation_input(const circnn_descriptor &d, int32_t value, Word scale,
                                int32_t bias) {
    return d.opcode == CIRCNN_OP_ADD ? value : value * scale + bias;
}

// Eight at a time: activations without a table; the largest value and copies pass.
inline Word wide_element(const circnn_descriptor &d, int32_t value, Word scale, int32_t bias,
                         uint32_t &count) {
    if (d.opcode == CIRCNN_OP_MAX_POOL || d.opcode == CIRCNN_OP_PAD)
        return static_cast<Word>(value);
    return finish(d, activation_input(d, value, scale, bias), count);
}

// One at a time: tables and means.
inline Word serial_element(const circnn_descriptor &d, const TotalBeat &total, int32_t lane,
                           Word scale, int32_t bias, Word multiplier, uint32_t &count) {
    if (d.opcode == CIRCNN_OP_AVERAGE_POOL)
        return mean(d, total.w[lane], total.pixels, multiplier, count);
    return look_up(d, activation_input(d, total.w[lane], scale, bias));
}

inline void epilogue(const Layer &layer, const Batch &batch, const Channels &channels,
                     ValueStream &values, TotalStream &totals, ResultStream &out, Count &count) {
    const circnn_descriptor &d = layer.d;
    const bool matrix = d.opcode == CIRCNN_OP_MATRIX;
    const bool scaled = matrix || d.opcode == CIRCNN_OP_SCALE_BIAS;
    const bool activated = scaled || d.opcode == CIRCNN_OP_ADD;
    const bool serial =
        (activated && is_table(d.activation)) || d.opcode == CIRCNN_OP_AVERAGE_POOL;
    uint32_t left = matrix ? sum_beats(layer, batch.samples) : vector_beats(layer, batch.samples);
    ResultCursor c = {0, 0, 0, 0, 0, 0};
    FlatCursor flat = {0, 0, 0};
    TotalBeat total = {};
    int32_t lane = 0, row = 0, bias_row = 0, lanes = 0;
    ResultBeat result = {};
    Word multiplier = 0;
epilogue:
    for (uint32_t trip = 0; trip < kMaxTrips; trip++) {
#pragma HLS PIPELINE II = 1
        if (left == 0) break;
        count.trips++;
        if (lane == 0) {
            int32_t channel = 0;
            if (matrix) {
                const ResultPlace p = result_place(layer, batch, c);
                const ValueBeat beat = values.read();
                for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
                    total.w[i] = beat.w[i];
                }
                channel = p.channel;
                lanes = p.count;
                advance(layer, c);
            } else {
                total = totals.read();
                channel = flat.channel;
                lanes = least(flat_channels(layer) - flat.channel, kBeat);
                advance(layer, flat);
            }
            const int32_t scale_at = d.scales_offset + channel;
            row = scaled && lanes > 0 ? scale_at / kBeat : 0;
            bias_row = scaled && lanes > 0 ? (d.biases_offset + channel) / kBeat : 0;
            if (d.opcode == CIRCNN_OP_AVERAGE_POOL) {
                const int32_t at = d.scales_offset + total.pixels - 1;
                multiplier = channels.scales[at / kBeat][at % kBeat];
            }
            result.count = static_cast<uint8_t>(lanes);
        }
        const Word *scales = channels.scales[row];
        const int32_t *biases = channels.biases[bias_row];
        if (serial) {
            if (lane < lanes)
                result.w[lane] = serial_element(d, total, lane, scales[lane], biases[lane],
                                                multiplier, count.saturations);
        } else {
            for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
                if (i < lanes)
                    result.w[i] =
                        wide_element(d, total.w[i], scales[i], biases[i], count.saturations);
            }
        }
        lane++;
        if (!serial || lane >= lanes) {
            out.write(result);
            lane = 0;
            left--;
        }
    }
}

#endif
