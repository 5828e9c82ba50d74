// The order in which a layer's results leave its units, eight at a time, and where each eight go.
#ifndef CIRCNN_RESULTS_HPP
#define CIRCNN_RESULTS_HPP

#include "types.hpp"

// The position of a unit among the results.  For a spectral layer: group of samples, output row,
// column of the place, group of blocks, place, beat.  For others: sample (`group`), pixel (`x`),
// beat.
struct ResultCursor {
    int32_t group, y, x, rows, place, beat;
};

// Where eight results go: a pixel's channels from `channel` on, at `word` of the sample's output.
struct ResultPlace {
    int32_t sample, channel, word;
    int32_t count;  // how many of the eight exist
};

// A flat layer is one pixel with all its words.
inline int32_t pixels_of(const Layer &layer) {
    return traits_of(layer).flat ? 1 : layer.d.out_height * layer.d.out_width;
}

inline int32_t channels_of(const Layer &layer) {
    return traits_of(layer).flat ? layer.out_words : layer.d.out_channels;
}

// Channels of a pixel that come from the first operand: all, unless the layer is joined.
inline int32_t first_channels(const Layer &layer) {
    return traits_of(layer).joined ? layer.d.in_channels : channels_of(layer);
}

// Beats of a pixel; the channels of each operand begin with a new one.
inline int32_t pixel_beats(const Layer &layer) {
    const int32_t first = first_channels(layer);
    return ceil_div(first, kBeat) + ceil_div(channels_of(layer) - first, kBeat);
}

// Beats of all samples of the batch.
inline uint32_t result_beats(const Layer &layer, int32_t samples) {
    if (!traits_of(layer).spectral)
        return static_cast<uint32_t>(pixels_of(layer) * pixel_beats(layer)) *
               static_cast<uint32_t>(samples);
    const int32_t outputs = layer.d.out_height * layer.strip * layer.row_groups * layer.chunks;
    return static_cast<uint32_t>(sample_groups(layer, samples)) *
           static_cast<uint32_t>(outputs * kRowBeats);
}

inline ResultPlace result_place(const Layer &layer, const Batch &batch, const ResultCursor &c) {
    const circnn_descriptor &d = layer.d;
    ResultPlace p;
    if (!traits_of(layer).spectral) {
        const int32_t first = first_channels(layer), beats = ceil_div(first, kBeat);
        const bool second = c.beat >= beats;
        p.sample = c.group;
        p.channel = second ? first + (c.beat - beats) * kBeat : c.beat * kBeat;
        p.word = c.x * channels_of(layer) + p.channel;
        p.count = least((second ? channels_of(layer) : first) - p.channel, kBeat);
        return p;
    }
    const int32_t column = layer.by_sample ? c.x : c.place * layer.strip + c.x;
    p.sample = layer.by_sample ? c.group * layer.places + c.place : c.group;
    p.channel = ((c.rows * layer.side) << d.block_log2) + c.beat * kBeat;
    p.word = (c.y * d.out_width + column) * d.out_channels + p.channel;
    const bool exists = p.sample < batch.samples && column < d.out_width;
    p.count = exists ? clamp(d.out_channels - p.channel, 0, kBeat) : 0;
    return p;
}

inline void advance(const Layer &layer, ResultCursor &c) {
    const bool spectral = traits_of(layer).spectral;
    const int32_t beats = spectral ? ceil_div(layer.side << layer.d.block_log2, kBeat)
                                   : pixel_beats(layer);
    if (++c.beat < beats) return;
    c.beat = 0;
    if (!spectral) {
        if (++c.x < pixels_of(layer)) return;
        c.x = 0;
        c.group++;
        return;
    }
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

#endif
