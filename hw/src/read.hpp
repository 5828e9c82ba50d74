// Moves words from the activation memory, or straight from the packet, to the units that compute.
#ifndef CIRCNN_READ_HPP
#define CIRCNN_READ_HPP

#include "kinds.hpp"
#include "memory.hpp"
#include "packet.hpp"

// -- input words --------------------------------------------------------------------------------

inline Word input_byte(const circnn_header &h, uint64_t beat, int index, uint32_t &count) {
    const int32_t byte = static_cast<int32_t>((beat >> (8 * index)) & 0xFF);
    const int32_t product = byte * h.byte_scale;
#pragma HLS BIND_OP variable = product op = mul impl = fabric
    return saturate(round_shift(product + h.byte_bias, h.byte_shift), count);
}

// `count` of the eight bytes of a beat as input words, the rest as zeros.
inline void input_bytes(const circnn_header &h, uint64_t beat, int32_t count, Word words[kBeat],
                        uint32_t &limited) {
    for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
        words[i] = i < count ? input_byte(h, beat, i, limited) : static_cast<Word>(0);
    }
}

// The same for two beats of 16-bit words; -32768 is not a valid word and is limited.
inline void input_words(uint64_t low, uint64_t high, int32_t count, Word words[kBeat],
                        uint32_t &limited) {
    for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
        const Word word = word_of(i < kBeat / 2 ? low : high, i % (kBeat / 2));
        words[i] = i < count ? saturate(word, limited) : static_cast<Word>(0);
    }
}

// -- blocks for the forward transform -----------------------------------------------------------

// Where the reader of blocks is: input row, column of the place, group of blocks, place, beat.
struct BlockCursor {
    int32_t group, row, phase, column, blocks, place, beat;
    int32_t batch_row;  // rows of the transform's batch that are complete
};

// The words at the cursor.
struct BlockPlace {
    int32_t image_column, sample, channel, count;
    bool exists;
};

// Sixteen words at once if a place has that many and they come from the memory.
inline bool wide_reads(const Layer &layer) {
    return !layer.from_stream && (layer.side << layer.d.block_log2) >= kBanks;
}

inline BlockPlace block_place(const Layer &layer, const Batch &batch, const BlockCursor &c) {
    const circnn_descriptor &d = layer.d;
    BlockPlace p;
    const int32_t offset = layer.by_sample ? 0 : c.place * layer.strip * d.stride_width;
    p.image_column = offset + c.column - d.pad_left;
    p.sample = layer.by_sample ? c.group * layer.places + c.place : c.group;
    p.channel = ((c.blocks * layer.side) << d.block_log2) + c.beat * kBeat;
    p.count = clamp(d.in_channels - p.channel, 0, wide_reads(layer) ? kBanks : kBeat);
    p.exists = p.image_column >= 0 && p.image_column < d.in_width && p.sample < batch.samples;
    return p;
}

// Whether the cursor's place counts the saturations of its column: one place does for each column.
inline bool owned(const Layer &layer, const BlockCursor &c) {
    if (layer.by_sample || c.place == layer.places - 1) return true;
    return c.column < layer.strip * layer.d.stride_width;
}

inline bool line_kept(const Layer &layer, const BlockCursor &c) {
    const circnn_descriptor &d = layer.d;
    const int32_t end = (d.out_height - 1) * d.stride_height - d.pad_top + d.kernel_height;
    return c.phase < d.kernel_height && c.row < end;
}

inline int32_t beats_of(const Layer &layer, int32_t blocks) {
    const int32_t left = layer.d.block_columns - blocks * layer.side;
    return ((least(left, layer.side) << layer.d.block_log2) + kBeat - 1) / kBeat;
}

// Which loops end with this beat, from the innermost on: beat, place, group of blocks, ...
struct BlockEnds {
    bool unit, layer, batch;
};

inline BlockEnds advance(const Layer &layer, int32_t groups, BlockCursor &c) {
    const circnn_descriptor &d = layer.d;
    BlockEnds ends = {false, false, false};
    c.beat += wide_reads(layer) ? 2 : 1;
    if (c.beat < beats_of(layer, c.blocks)) return ends;
    c.beat = 0;
    if (++c.place < layer.places) return ends;
    c.place = 0;
    ends.unit = true;
    c.batch_row += layer.chunks;
    ends.batch = c.batch_row == kMaxBatchRows;
    if (ends.batch) c.batch_row = 0;
    if (++c.blocks < layer.column_groups) return ends;
    c.blocks = 0;
    if (++c.column < layer.columns) return ends;
    c.column = 0;
    c.phase = c.phase + 1 == d.stride_height ? 0 : c.phase + 1;
    if (++c.row < d.in_height) return ends;
    c.row = 0;
    c.phase = d.pad_top % d.stride_height;
    ends.layer = ++c.group == groups;
    ends.batch = ends.batch || ends.layer;
    return ends;
}

// Rows that the first batch leaves out so that the last one is full: an earlier start of the first
// batch means an earlier end of the last.
inline int32_t skipped_rows(const Layer &layer, int32_t groups) {
    const circnn_descriptor &d = layer.d;
    const uint32_t a_batch = static_cast<uint32_t>(kMaxBatchRows / layer.chunks);
    const uint32_t units = static_cast<uint32_t>(groups) * static_cast<uint32_t>(d.in_height) *
                           static_cast<uint32_t>(layer.columns) *
                           static_cast<uint32_t>(layer.column_groups);
    return static_cast<int32_t>((0u - units) & (a_batch - 1)) * layer.chunks;
}

inline void read_blocks(const Layer &layer, const Batch &batch, const ActivationBank *memory,
                        AxiStream &in, PacketReader &packet, BlockStream &out, Count &count) {
    const circnn_descriptor &d = layer.d;
    const int32_t groups = sample_groups(layer, batch.samples);
    const int32_t place_beats = layer.places == 1 ? 0 : (layer.side << d.block_log2) / kBeat;
    BlockCursor c = {0, 0, d.pad_top % d.stride_height, 0, 0, 0, 0, skipped_rows(layer, groups)};
    uint64_t low = 0;
    bool have_low = false;
read_blocks:
    for (uint32_t trip = 0; trip < kMaxTrips; trip++) {
#pragma HLS PIPELINE II = 1
        count.trips++;
        const BlockPlace p = block_place(layer, batch, c);
        const bool wanted = p.exists && p.count > 0;
        uint64_t beat = 0;
        if (layer.from_stream && wanted) beat = packet_beat(packet, in);
        if (layer.from_stream && !batch.bytes && p.count > kBeat / 2 && !have_low) {
            low = beat;
            have_low = true;
            continue;  // a beat of the packet has four words: the next trip reads the rest
        }
        BlockBeat block = {};
        if (layer.from_stream) {
            if (batch.bytes)
                input_bytes(batch.header, beat, p.count, block.w, count.saturations);
            else
                input_words(have_low ? low : beat, beat, p.count, block.w, count.saturations);
        } else {
            Word words[kBanks];
            const int32_t pixel = c.row * d.in_width + p.image_column;
            const int32_t address = p.sample * batch.stride + d.input_address +
                                    pixel * d.in_channels + p.channel;
            read_words(memory, address, wanted ? p.count : 0, words);
            for (int i = 0; i < kBanks; i++) {
#pragma HLS UNROLL
                block.w[i] = words[i];
            }
        }
        have_low = false;
        block.wide = wide_reads(layer);
        block.position = static_cast<uint8_t>(c.batch_row * kRowBeats + c.place * place_beats +
                                              c.beat);
        block.counted = owned(layer, c);
        block.kept = c.column < layer.kept_columns && line_kept(layer, c);
        const BlockEnds ends = advance(layer, groups, c);
        block.batch_last = ends.batch;
        block.layer_last = ends.layer;
        out.write(block);
        if (ends.layer) break;
    }
}

// -- operands for the vector unit ---------------------------------------------------------------

// Where the reader of operands is: sample, output pixel, operand (a joined layer has a second one),
// group of channels, pixel of the window.
struct OperandCursor {
    int32_t sample, y, x;
    bool second;
    int32_t channel, u, v;
};

inline void read_windows(const Layer &layer, const Batch &batch, const ActivationBank *memory,
                         OperandStream &out, Count &count) {
    const circnn_descriptor &d = layer.d;
    const bool joined = traits_of(layer).joined;
    OperandCursor c = {0, 0, 0, false, 0, 0, 0};
read_windows:
    for (uint32_t trip = 0; trip < kMaxTrips; trip++) {
#pragma HLS PIPELINE II = 1
        count.trips++;
        const Extent e = extent_of(d, c.y, c.x);
        const int32_t row = e.top + c.u, column = e.left + c.v;
        const bool inside = row >= 0 && row < d.in_height && column >= 0 && column < d.in_width;
        const int32_t width = c.second ? d.out_channels - d.in_channels : d.in_channels;
        const int32_t begin = c.second ? d.second_address : d.input_address;
        const int32_t address = c.sample * batch.stride + begin +
                                (row * d.in_width + column) * width + c.channel;
        Word words[kBanks];
        const int32_t channels = least(width - c.channel, kBeat);
        read_words(memory, address, inside ? channels : 0, words);
        OperandBeat beat;
        for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
            beat.w[i] = words[i];
            beat.v[i] = 0;
        }
        beat.first = c.u == 0 && c.v == 0;
        beat.last = row + 1 == e.bottom && column + 1 == e.right;
        beat.second = c.second;
        out.write(beat);
        if (++c.v < e.right - e.left) continue;
        c.v = 0;
        if (++c.u < e.bottom - e.top) continue;
        c.u = 0;
        c.channel += kBeat;
        if (c.channel < width) continue;
        c.channel = 0;
        c.second = joined && !c.second;
        if (c.second) continue;
        if (++c.x < d.out_width) continue;
        c.x = 0;
        if (++c.y < d.out_height) continue;
        c.y = 0;
        if (++c.sample == batch.samples) break;
    }
}

// Two operands, alternately sixteen words of each: two beats in two trips.
inline void read_pairs(const Layer &layer, const Batch &batch, const ActivationBank *memory,
                       OperandStream &out, Count &count) {
    const circnn_descriptor &d = layer.d;
    int32_t sample = 0, at = 0;
    bool second = false;
    Word first_words[kBanks];
    OperandBeat upper;
    bool upper_waits = false;
read_pairs:
    for (uint32_t trip = 0; trip < kMaxTrips; trip++) {
#pragma HLS PIPELINE II = 1
        count.trips++;
        const int32_t address = sample * batch.stride + at +
                                (second ? d.second_address : d.input_address);
        Word words[kBanks];
        const int32_t wanted = sample < batch.samples ? least(layer.out_words - at, kBanks) : 0;
        read_words(memory, address, wanted, words);
        if (!second) {
            if (upper_waits) out.write(upper);
            upper_waits = false;
            if (sample == batch.samples) break;
            for (int i = 0; i < kBanks; i++) {
#pragma HLS UNROLL
                first_words[i] = words[i];
            }
        } else {
            OperandBeat lower;
            for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
                lower.w[i] = first_words[i];
                lower.v[i] = words[i];
                upper.w[i] = first_words[i + kBeat];
                upper.v[i] = words[i + kBeat];
            }
            lower.first = lower.last = upper.first = upper.last = true;
            lower.second = upper.second = false;
            out.write(lower);
            upper_waits = at + kBeat < layer.out_words;
            at += kBanks;
            if (at >= layer.out_words) {
                at = 0;
                sample++;
            }
        }
        second = !second;
    }
}

// -- the unit -----------------------------------------------------------------------------------

inline void read_layer(const Layer &layer, const Batch &batch, const ActivationBank *memory,
                       AxiStream &in, PacketReader &packet, BlockStream &blocks,
                       OperandStream &operands, Count &count) {
    if (traits_of(layer).spectral)
        read_blocks(layer, batch, memory, in, packet, blocks, count);
    else if (traits_of(layer).flat)
        read_pairs(layer, batch, memory, operands, count);
    else
        read_windows(layer, batch, memory, operands, count);
}

#endif
