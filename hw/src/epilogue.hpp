// The end of every layer, eight words a trip: a multiplication, an addition, a rounding shift, an
// activation.  What a kind has of it, its traits in the contract say; the rest is neutral: a factor
// of one, a bias of zero, no shift, the linear activation.
#ifndef CIRCNN_EPILOGUE_HPP
#define CIRCNN_EPILOGUE_HPP

#include "arithmetic.hpp"
#include "results.hpp"
#include "write.hpp"

// Scales and biases, eight a row, in banks as wide as a beat of the stream.
struct Channels {
    Word scales[kBeat / 4][kChannelRows][4];
    int32_t biases[kBeat / 2][kChannelRows][2];
};

constexpr Ram kScales = {"scales", kChannelRows, 1, 1, 1};
constexpr Ram kBiases = {"biases", kChannelRows, 1, 1, 1};

struct EpilogueJob {
    uint32_t beats;
    bool spectral;  // the words come from the inverse transform, not from the vector unit
    bool scaled;  // a scale and a bias for each channel
    bool averaged;  // the factor is the reciprocal of the window's pixels
    uint16_t reciprocals;  // where in the scales those for 1, 2, ... pixels begin
    uint8_t shift;
    uint8_t activation;
    Word clip, slope;
};

inline void epilogue_job(const int32_t numbers[kNumbers], EpilogueJob &j) {
    const int32_t opcode = numbers[steps::opcode];
    const bool activated = has(kActivated, opcode);
    j.beats = to_uint32(numbers[steps::result_beats]);
    j.spectral = has(kSpectral, opcode);
    j.scaled = has(kScaled, opcode);
    j.averaged = has(kAveraged, opcode);
    j.reciprocals = to_uint16(numbers[steps::scales_offset]);
    const bool shifts = activated || j.averaged;
    j.shift = to_uint8(shifts ? numbers[steps::output_shift] & 31 : 0);
    j.activation = to_uint8(activated ? numbers[steps::activation] & 7 : CIRCNN_ACTIVATION_LINEAR);
    j.clip = static_cast<Word>(numbers[steps::clip]);
    j.slope = static_cast<Word>(numbers[steps::slope]);
}

inline uint8_t ceil_log2(uint16_t value) {
#pragma HLS INLINE
    uint8_t bits = 0;
    for (int i = 0; i < 12; i++) {
#pragma HLS UNROLL
        bits = (1 << i) < value ? static_cast<uint8_t>(i + 1) : bits;
    }
    return bits;
}

// The points at the two ends of an interval of a table.  Even and odd points have a memory each, so
// that both ends are read at once.
struct Interval {
    Word left, right;
};

inline Interval interval(const Word *even, const Word *odd, int32_t step) {
#pragma HLS INLINE
    const Word e = even[(step + 1) >> 1], o = odd[step >> 1];
    return (step & 1) == 0 ? Interval{e, o} : Interval{o, e};
}

// What follows the sum of a channel; `limited` tells of a saturation that counts.
inline Word finished(const EpilogueJob &j, int64_t sum, uint8_t shift, bool &limited) {
#pragma HLS INLINE
    bool over = false;
    const Word t = limit(round_shift(sum, shift), over);
    const bool negative = t < 0, clips = j.clip < CIRCNN_VALUE_MAX;
    const bool table = CIRCNN_IS_TABLE(j.activation);
    // a table's interpolation and leaky ReLU's slope share the multiplier
    const int bits = CIRCNN_TABLE_STEP_BITS;
    const int32_t at = (1 << (15 - bits)) + (t >> bits);
    const Interval sigmoid = interval(circnn_sigmoid_even, circnn_sigmoid_odd, at);
    const Interval tanh = interval(circnn_tanh_even, circnn_tanh_odd, at);
    const bool is_tanh = j.activation == CIRCNN_ACTIVATION_TANH;
    const Word left = is_tanh ? tanh.left : sigmoid.left;
    const Word right = is_tanh ? tanh.right : sigmoid.right;
    const int32_t a = table ? right - left : t;
    const int32_t b = table ? t & ((1 << bits) - 1) : j.slope;
    const int32_t product = a * b;
    const int32_t sloped = (product + (1 << (CIRCNN_SLOPE_SHIFT - 1))) >> CIRCNN_SLOPE_SHIFT;
    const int32_t between = left + ((product + (1 << (bits - 1))) >> bits);
    const Word positive = negative ? static_cast<Word>(0) : t;
    const Word clipped = positive > j.clip ? j.clip : positive;
    switch (j.activation) {
    case CIRCNN_ACTIVATION_RELU:
        limited = over && !negative;
        return positive;
    case CIRCNN_ACTIVATION_RELU6:
        limited = over && !negative && !clips;
        return clipped;
    case CIRCNN_ACTIVATION_LEAKY_RELU:
        limited = over;
        return negative ? static_cast<Word>(sloped) : t;
    case CIRCNN_ACTIVATION_SIGMOID:
    case CIRCNN_ACTIVATION_TANH:
        limited = false;
        return static_cast<Word>(between);
    default:
        limited = over;
        return t;
    }
}

inline bool next_upper(bool upper, bool wide) { return wide && !upper; }

inline void epilogue(const EpilogueJob job, const Channels &channels, ValueStream &values,
                     TotalStream &totals, ResultCommandStream &commands, ResultStream &out,
                     Count &count) {
#pragma HLS BIND_STORAGE variable = circnn_sigmoid_even type = rom_np impl = lutram
#pragma HLS BIND_STORAGE variable = circnn_sigmoid_odd type = rom_np impl = lutram
#pragma HLS BIND_STORAGE variable = circnn_tanh_even type = rom_np impl = lutram
#pragma HLS BIND_STORAGE variable = circnn_tanh_odd type = rom_np impl = lutram
    CountdownState s = {job.beats};
    TotalBeat total;
    bool upper = false;  // the second eight of the totals come next
    uint32_t saturations = 0;
    CIRCNN_LOOP("epilogue");
epilogue:
    for (uint32_t trip = 0; trip < kMaxTrips; trip++) {
#pragma HLS PIPELINE II = 1
        if (s.left == 0) break;
        CIRCNN_TRIP();
        const ResultCommand c = commands.read();
        int32_t value[kBeat];
        uint16_t pixels = 1;
        if (job.spectral) {
            const ValueBeat beat = values.read();
            for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
                value[i] = beat.w[i];
            }
        } else {
            if (!upper) total = totals.read();
            pixels = total.pixels;
            for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
                value[i] = upper ? total.w[i + kBeat] : total.w[i];
            }
            upper = next_upper(upper, total.wide);
        }
        const uint16_t reciprocal = static_cast<uint16_t>(job.reciprocals + pixels - 1);
        const uint16_t parameters = static_cast<uint16_t>(reciprocal / kBeat);
        const uint16_t scales_row = job.averaged ? parameters : c.scales_row;
        const bool exists = c.count > 0;
        const bool reads_scales = job.averaged || (job.scaled && exists);
        const bool reads_biases = job.scaled && exists;
        if (reads_scales) {
            CIRCNN_READS(&channels.scales, scales_row, kScales);
        }
        if (reads_biases) {
            CIRCNN_READS(&channels.biases, c.biases_row, kBiases);
        }
        Word scales[kBeat];
        int32_t biases[kBeat];
        for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
            scales[i] = reads_scales ? channels.scales[i / 4][scales_row][i % 4]
                                     : static_cast<Word>(1);
            biases[i] = reads_biases ? channels.biases[i / 2][c.biases_row][i % 2] : 0;
        }
        const Word multiplier = scales[reciprocal % kBeat];
        const uint8_t shift = static_cast<uint8_t>(job.shift +
                                                   (job.averaged ? ceil_log2(pixels) : 0));
        ResultBeat result;
        result.address = c.address;
        result.count = c.count;
        uint8_t all = 0;
        for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
            const Word factor = job.averaged ? multiplier : scales[i];
            const int64_t sum = static_cast<int64_t>(value[i]) * factor + biases[i];
            bool limited = false;
            result.w[i] = finished(job, sum, shift, limited);
            all = static_cast<uint8_t>(all + (limited && i < c.count ? 1 : 0));
        }
        saturations += all;
        out.write(result);
        s = next_countdown(s, 1);
    }
    count.trips = job.beats;
    count.saturations = saturations;
}

#endif
