// The end of every layer: turns each total into a word by the rule of the layer's kind.  It takes
// eight words a trip, but only one through a table or a division, since there is one unit of each.
#ifndef CIRCNN_EPILOGUE_HPP
#define CIRCNN_EPILOGUE_HPP

#include "kinds.hpp"
#include "results.hpp"

// Scales and biases, eight a row.
struct Channels {
    Word scales[kChannelRows][kBeat];
    int32_t biases[kChannelRows][kBeat];
};

inline void epilogue(const Layer &layer, const Batch &batch, const Channels &channels,
                     ValueStream &values, TotalStream &totals, ResultStream &out, Count &count) {
    const circnn_descriptor &d = layer.d;
    const circnn_traits traits = traits_of(layer);
    const bool serial = traits.serial || (traits.activated && CIRCNN_IS_TABLE(d.activation));
    uint32_t left = result_beats(layer, batch.samples);
    ResultCursor c = {0, 0, 0, 0, 0, 0};
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
            if (traits.spectral) {
                const ValueBeat beat = values.read();
                for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
                    total.w[i] = beat.w[i];
                }
            } else {
                total = totals.read();
            }
            const ResultPlace p = result_place(layer, batch, c);
            advance(layer, c);
            lanes = p.count;
            row = traits.scaled && lanes > 0 ? (d.scales_offset + p.channel) / kBeat : 0;
            bias_row = traits.scaled && lanes > 0 ? (d.biases_offset + p.channel) / kBeat : 0;
            if (traits.serial) {
                const int32_t at = d.scales_offset + total.pixels - 1;
                multiplier = channels.scales[at / kBeat][at % kBeat];
            }
            result.count = static_cast<uint8_t>(lanes);
        }
        const Word *scales = channels.scales[row];
        const int32_t *biases = channels.biases[bias_row];
        if (serial) {
            const Total t = {total.w[lane], total.pixels, scales[lane], biases[lane], multiplier};
            if (lane < lanes) result.w[lane] = serial_result_of(d, t, count.saturations);
        } else {
            for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
                const Total t = {total.w[i], total.pixels, scales[i], biases[i], multiplier};
                if (i < lanes) result.w[i] = result_of(d, t, count.saturations);
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
