// The data that the units exchange, and a decoded layer.
#ifndef CIRCNN_TYPES_HPP
#define CIRCNN_TYPES_HPP

#include "derive.hpp"
#include "axi.hpp"
#include "channels.hpp"

// Sixteen words of blocks on their way to the forward transform, or eight.
struct BlockBeat {
    Word w[kBanks];
    bool wide;         // sixteen
    uint8_t position;  // where in its batch, in beats of eight
    bool counted;      // whether saturations count: not for a pixel that is read again
    bool kept;         // whether any window needs it
    bool batch_last, layer_last;
};

// Four points between the stages of the forward transform and the split.
struct PointBeat {
    Word w[kBeat];
    bool counted;  // whether their saturations count
    bool kept;     // whether any window needs what comes of them
    bool last;     // of the layer
};

// Eight words of a row of the spectra memory.
struct SpectraBeat {
    Word w[kBeat];
};

// Eight sums of products, as words, on their way to the inverse transform.  Padding is zero.
struct SumBeat {
    Word w[kBeat];
    bool last;  // of the layer
};

// Eight values on their way to the epilogue, from the inverse transform.
struct ValueBeat {
    Word w[kBeat];
};

// What the reader sends to the vector unit: eight words of each of two operands, or eight or sixteen
// of one.
struct OperandBeat {
    Word w[kBeat], v[kBeat];
    bool first, last;  // of a window
    bool second;       // of a joined layer's second operand
    bool wide;         // sixteen words of one operand
};

constexpr int kTotalBits = kWordBits + log2_of(CIRCNN_LIMIT_POOL_AREA);

static_assert(kTotalBits == 28, "channels.hpp must have the width of a total");

// What the vector unit says of a window beside its totals.
struct WindowEnd {
    uint16_t pixels;  // less one
    bool second;      // of a joined layer's second operand
    bool wide;        // eight more totals follow
};

// Eight of the vector unit's totals, or the first operand's words of a pair.
struct TotalBeat {
    Total w[kBeat];
    WindowEnd end;
};

// The next eight of a window that is wide, or the second operand's words of a pair.
struct UpperBeat {
    Total w[kBeat];
};

// Eight results on their way to the activation memory.
struct ResultBeat {
    Word w[kBeat];
    Address address;
    uint8_t count;  // how many of them are channels of an existing pixel
};

typedef Stream<BlockBeat, 16> BlockStream;
typedef Stream<PointBeat, 2> PointStream;
typedef Stream<SpectraBeat, 16> RowStream;
typedef Stream<SumBeat, 16> SumStream;
typedef Stream<ValueBeat, 16> ValueStream;
typedef Stream<OperandBeat, 16> OperandStream;
typedef Stream<TotalBeat, 16> TotalStream;
typedef Stream<UpperBeat, 16> UpperStream;
typedef Stream<ResultBeat, 16> ResultStream;

// What every unit counts.
struct Count {
    uint32_t trips;
    uint32_t saturations;
};

// A descriptor and its derived values.  A row of the spectra memory holds `side` blocks of each of
// `places` pixels: side * places * k = kRow for k < kRow.  The image is cut into as many strips
// of columns as there are places, and each place works on one strip, with the columns beside it
// that its windows reach; of an image one pixel wide, each place works on a sample of the batch.
struct Layer {
    circnn_descriptor d;
    int32_t in_words, out_words;
    int32_t side;              // blocks of one pixel side by side in the lanes
    int32_t places;            // pixels or samples side by side in the lanes
    bool by_sample;            // the places are samples
    int32_t chunks;            // rows that one block takes: k / kRow, at least 1
    int32_t row_groups;        // output blocks of a pixel, `side` at a time
    int32_t column_groups;     // input blocks of a pixel, `side` at a time
    int32_t terms;             // products summed for one output
    int32_t strip;             // output columns of a place
    int32_t columns;           // input columns that a place transforms
    int32_t kept_columns;      // windows reach only the first so many of these columns
    int32_t line_rows;         // rows of spectra memory for one row of the image
    int32_t ring_lines;  // rows of the image in the spectra memory, the oldest replaced first
    int32_t pace;  // product trips from eight accepted words of spectra to the next
    int32_t first_phase;  // of the image's rows: the number of the first, modulo the stride
    int32_t weights_row;  // first row in the weights memory
    int32_t weights_rows;  // rows that its weights take
    bool from_stream;  // the input comes straight from the packet
    bool streamed;  // the weights come with every mini-batch
};

// The contract's traits of the layer's opcode.
inline const circnn_traits &traits_of(const Layer &layer) {
    return circnn_opcode_traits[layer.d.opcode];
}

// The samples that a layer processes, and where they are stored.
struct Batch {
    int32_t samples;
    int32_t stride;  // words of activation memory from one sample to the next
    bool bytes;  // the packet contains unscaled bytes
};

// Samples side by side in the places of a layer, and the groups of them.
inline int32_t samples_at_once(const Layer &layer) { return layer.by_sample ? layer.places : 1; }

inline int32_t sample_groups(const Layer &layer, int32_t samples) {
    return layer.by_sample ? ceil_shift(samples, kRowLog2 - layer.d.share_log2) : samples;
}

#endif
