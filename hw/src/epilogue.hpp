// The end of every layer, eight words a trip: a multiplication, an addition, a rounding shift, an
// activation.  What a kind has of it, its traits in the contract say; the rest is neutral: a factor
// of one, a bias of zero, no shift, the linear activation.
#ifndef CIRCNN_EPILOGUE_HPP
#define CIRCNN_EPILOGUE_HPP

#include "arithmetic.hpp"
#include "kinds.hpp"
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
    bool adds;  // the second operand's words
    uint16_t first_factor, second_factor;  // of the operands; of a sum, the first one's
    uint16_t reciprocals;  // where in the scales those for 1, 2, ... pixels begin
    uint8_t shift;
    uint8_t activation;
    Word clip, slope;
};

inline void epilogue_job(const int32_t numbers[kNumbers], EpilogueJob &j) {
    const int32_t opcode = numbers[steps::opcode];
    const bool activated = has(kActivated, opcode), swapped = swaps(numbers);
    j.beats = to_uint32(numbers[steps::result_beats]);
    j.spectral = has(kSpectral, opcode);
    j.scaled = has(kScaled, opcode);
    j.averaged = has(kAveraged, opcode);
    j.adds = combination_of(opcode).adds;
    const int32_t first_align = numbers[swapped ? steps::second_align : steps::first_align] & 15;
    j.first_factor = static_cast<uint16_t>(1 << first_align);
    j.second_factor = static_cast<uint16_t>(1 << (numbers[steps::second_align] & 15));
    j.reciprocals = to_uint16(numbers[steps::scales_offset]);
    const bool shifts = activated || j.averaged;
    j.shift = to_uint8(shifts ? numbers[steps::output_shift] & 31 : 0);
    j.activation = to_uint8(activated ? numbers[steps::activation] & 7 : CIRCNN_ACTIVATION_LINEAR);
    j.clip = static_cast<Word>(numbers[steps::clip]);
    j.slope = static_cast<Word>(numbers[steps::slope]);
}

// The logarithm of a number of pixels, given less one, rounded up.
inline uint8_t ceil_log2(uint16_t less_one) {
#pragma HLS INLINE
    uint8_t bits = 0;
    for (int i = 0; 1 << i < CIRCNN_LIMIT_POOL_AREA; i++) {
#pragma HLS UNROLL
        bits = (less_one & (1 << i)) != 0 ? static_cast<uint8_t>(i + 1) : bits;
    }
    return bits;
}

// -- the activation -----------------------------------------------------------------------------

// What a layer's activation does.
struct Ending {
    bool table, tanh;
    bool rectifies;  // negative values become zero,
    bool sloped;  // or are multiplied
    bool counted;  // whether saturations count: not below a clip
    Word clip, slope;
};

inline Ending ending_of(const EpilogueJob &j) {
    const bool clips = j.activation == CIRCNN_ACTIVATION_RELU6;
    Ending e;
    e.table = CIRCNN_IS_TABLE(j.activation);
    e.tanh = j.activation == CIRCNN_ACTIVATION_TANH;
    e.rectifies = clips || j.activation == CIRCNN_ACTIVATION_RELU;
    e.sloped = j.activation == CIRCNN_ACTIVATION_LEAKY_RELU;
    e.clip = clips ? j.clip : static_cast<Word>(CIRCNN_VALUE_MAX);
    e.slope = j.slope;
    e.counted = !e.table && e.clip == CIRCNN_VALUE_MAX;
    return e;
}

// An interval of a table: what its left end is, and how far the right one is above it.
struct Interval {
    int32_t left, rise;
};

constexpr int kTableStep = 1 << CIRCNN_TABLE_STEP_BITS;
constexpr int kTableEnd = (1 << (kWordBits - 2 - CIRCNN_TABLE_STEP_BITS)) - 1;

// The interval in which a value lies.  The tables have the points from zero on, even and odd ones in
// a memory each, so that both ends are read at once; those below zero are the mirror image, less
// than zero (tanh) or modulo 2^15 (sigmoid).
inline Interval interval(bool tanh, Word value) {
#pragma HLS INLINE
    const bool negative = value < 0;
    const int32_t at = (negative ? ~value : value) >> CIRCNN_TABLE_STEP_BITS;
    const int table = tanh ? 1 : 0;
    const Word at_zero = static_cast<Word>(tanh ? 0 : 1 << (kWordBits - 2));
    const Word stored = circnn_tables_even[table][((at + 1) >> 1) & kTableEnd];
    const Word even = at == 0 ? at_zero : stored;
    const Word odd = circnn_tables_odd[table][(at >> 1) & kTableEnd];
    const bool odd_first = (at & 1) != 0;  // counted from zero on
    const int32_t turn = odd_first ? 0 : -1, rise = (even ^ turn) - (odd ^ turn);
    const int32_t edge = odd_first != negative ? odd : even;
    const int32_t below = negative && tanh ? -(1 << (kWordBits - 1)) : 0;
    const int32_t mirrored = negative ? -edge : edge;
    return Interval{(mirrored & ((1 << (kWordBits - 1)) - 1)) | below, rise};
}

// What follows the sum of a channel, shifted and limited, `over` if that was; `limited` tells of a
// saturation that counts.
inline Word finished(const Ending &e, Word t, bool over, bool &limited) {
#pragma HLS INLINE
    const bool negative = t < 0;
    limited = over && e.counted && !(e.rectifies && negative);
    // a table's interpolation and leaky ReLU's slope share the multiplier
    const Interval i = interval(e.tanh, t);
    const int32_t a = e.table ? i.rise : t;
    const int32_t b = e.table ? t & (kTableStep - 1) : e.slope;
    const int32_t half = 1 << (CIRCNN_SLOPE_SHIFT - 1);
    const int32_t c = e.table ? i.left * kTableStep + kTableStep / 2 : half;
    const int32_t sum = a * b + c;
    const Word product = static_cast<Word>(e.table ? sum >> CIRCNN_TABLE_STEP_BITS
                                                   : sum >> CIRCNN_SLOPE_SHIFT);
    const Word value = e.table || (e.sloped && negative) ? product : t;
    const Word clipped = value > e.clip ? e.clip : value;
    return e.rectifies && negative ? static_cast<Word>(0) : clipped;
}

// -- the unit -----------------------------------------------------------------------------------

struct EpilogueState {
    uint32_t left;  // beats
    bool upper;  // the second eight of the totals come next
};

inline EpilogueState next_epilogue(const EpilogueState &s, bool wide) {
#pragma HLS INLINE
    return EpilogueState{s.left - 1, wide && !s.upper};
}

inline void epilogue(const EpilogueJob job, const Channels &channels, ValueStream &values,
                     TotalStream &totals, UpperStream &uppers, ResultCommandStream &commands,
                     ResultStream &out, Count &count) {
#pragma HLS BIND_STORAGE variable = circnn_tables_even type = rom_np impl = lutram
#pragma HLS BIND_STORAGE variable = circnn_tables_odd type = rom_np impl = lutram
    const Ending ending = ending_of(job);
    EpilogueState s = {job.beats, false};
    WindowEnd window = {0, false, false};
    uint32_t saturations = 0;
    CIRCNN_LOOP("epilogue");
epilogue:
    while (s.left != 0) {
#pragma HLS PIPELINE II = 1
        CIRCNN_TRIP();
        const ResultCommand c = commands.read();
        // the second eight totals, or the second operand's words
        int32_t value[kBeat], rest[kBeat];
        for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
            rest[i] = 0;
        }
        const bool upper = s.upper;
        if (upper | (job.adds & !job.spectral)) {
            const UpperBeat beat = uppers.read();
            for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
                rest[i] = in_bits<kTotalBits>(static_cast<int32_t>(beat.w[i]));
            }
        }
        if (job.spectral) {
            const ValueBeat beat = values.read();
            for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
                value[i] = beat.w[i];
            }
        } else if (upper) {
            for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
                value[i] = rest[i];
            }
        } else {
            const TotalBeat beat = totals.read();
            window = beat.end;
            for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
                value[i] = in_bits<kTotalBits>(static_cast<int32_t>(beat.w[i]));
            }
        }
        s = next_epilogue(s, window.wide);
        const uint16_t reciprocal = static_cast<uint16_t>(job.reciprocals + window.pixels);
        const uint16_t parameters = static_cast<uint16_t>(reciprocal / kBeat);
        const bool exists = c.count > 0;
        const bool reads_scales = job.averaged || (job.scaled && exists);
        const bool reads_biases = job.scaled && exists;
        // without use, the first row: no place outside of the memories is read
        const uint16_t own_row = static_cast<uint16_t>(reads_biases ? c.scales_row : 0);
        const uint16_t scales_row = job.averaged ? parameters : own_row;
        const uint16_t biases_row = static_cast<uint16_t>(reads_biases ? c.biases_row : 0);
        if (reads_scales) {
            CIRCNN_READS(&channels.scales, scales_row, kScales);
        }
        if (reads_biases) {
            CIRCNN_READS(&channels.biases, biases_row, kBiases);
        }
        Word scales[kBeat];
        int32_t biases[kBeat];
        for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
            scales[i] = channels.scales[i / 4][scales_row][i % 4];
            biases[i] = channels.biases[i / 2][biases_row][i % 2];
        }
        const int32_t aligned = window.second ? job.second_factor : job.first_factor;
        const int32_t common = job.averaged ? scales[reciprocal % kBeat] : aligned;
        const uint8_t shift = static_cast<uint8_t>(job.shift +
                                                   (job.averaged ? ceil_log2(window.pixels) : 0));
        const int64_t above = bits_above(shift);
        ResultBeat result;
        result.address = c.address;
        result.count = c.count;
        uint8_t all = 0;
        for (int i = 0; i < kBeat; i++) {
#pragma HLS UNROLL
            const int32_t factor = job.scaled ? scales[i] : common;
            const Word second = job.adds ? static_cast<Word>(rest[i]) : static_cast<Word>(0);
            const int32_t addend = job.scaled ? biases[i] : second;
            const int64_t sum = static_cast<int64_t>(value[i]) * factor + addend;
            bool over = false, limited = false;
            const Word t = shift_and_limit(sum, shift, above, over);
            result.w[i] = finished(ending, t, over, limited);
            all = static_cast<uint8_t>(all + (limited && i < c.count ? 1 : 0));
        }
        saturations += all;
        out.write(result);
    }
    count.trips = job.beats;
    count.saturations = saturations;
}

#endif
