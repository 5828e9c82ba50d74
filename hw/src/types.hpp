// The data that the units exchange, and a decoded layer.
#ifndef CIRCNN_TYPES_HPP
#define CIRCNN_TYPES_HPP

#include "derive.hpp"
#include "axi.hpp"
#include "channels.hpp"
#include "numbers.hpp"

// Sixteen words of blocks on their way to the forward transform, or eight.
struct BlockBeat {
    Word w[kBanks];
    bool wide;         // sixteen
    uint8_t position;  // where in its batch, in beats of eight
    bool counted;      // whether saturations count: not for a pixel that is read again
    bool kept;         // whether any window needs it
    bool layer_last;   // whether it is the last one of all
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

// -- layers -------------------------------------------------------------------------------------

// The numbers of all layers that are kept: numbers.hpp.
constexpr int32_t kLayerNumberMask = (1 << 18) - 1;
typedef LayerNumber LayerTable[kMaxLayers][kLayerNumbers];

inline int32_t layer_number(const LayerTable layers, int32_t layer, int name) {
    return static_cast<int32_t>(layers[layer][name]);
}

static_assert(kMaxLayers + 2 <= 1 << 7, "a layer's number must fit 7 bits");

// The number of the next layer.
inline uint8_t next_layer(uint8_t layer) { return static_cast<uint8_t>((layer + 1) & 127); }

// The name of the next of a layer's numbers.
inline uint8_t next_number(uint8_t name) { return static_cast<uint8_t>((name + 1) & 63); }

static_assert(kLayerNumbers < 64, "a layer's numbers must have names of 6 bits");

// The opcodes that have one of the contract's traits, a bit each.
constexpr uint8_t opcodes_with(uint8_t circnn_traits::*trait) {
    uint8_t opcodes = 0;
    for (int i = 0; i < CIRCNN_OPCODES; i++)
        opcodes = static_cast<uint8_t>(opcodes | (circnn_opcode_traits[i].*trait != 0) << i);
    return opcodes;
}

constexpr uint8_t kTwoOperands = opcodes_with(&circnn_traits::two_operands);
constexpr uint8_t kScaled = opcodes_with(&circnn_traits::scaled);
constexpr uint8_t kActivated = opcodes_with(&circnn_traits::activated);
constexpr uint8_t kSpectral = opcodes_with(&circnn_traits::spectral);
constexpr uint8_t kAveraged = opcodes_with(&circnn_traits::averaged);
constexpr uint8_t kJoined = opcodes_with(&circnn_traits::joined);
constexpr uint8_t kFlat = opcodes_with(&circnn_traits::flat);

static_assert(CIRCNN_OPCODES <= 8, "opcodes must be bits of a byte");

inline bool has(uint8_t opcodes, int32_t opcode) {
    return (opcodes >> (opcode & (CIRCNN_OPCODES - 1)) & 1) != 0;
}

inline bool is_spectral(const LayerTable layers, int32_t layer) {
    return has(kSpectral, layer_number(layers, layer, steps::opcode));
}

// Whether the input comes straight from the packet, and the weights with every mini-batch.
inline bool from_stream(const LayerTable layers, int32_t layer) {
    return (layer_number(layers, layer, steps::stream) & CIRCNN_STREAM_INPUT) != 0;
}

inline bool streams_weights(const LayerTable layers, int32_t layer) {
    return (layer_number(layers, layer, steps::stream) & CIRCNN_STREAM_WEIGHTS) != 0;
}

// The samples that a layer processes, and where they are stored.
struct Batch {
    int32_t samples;
    int32_t stride;  // words of activation memory from one sample to the next
    bool bytes;  // the packet contains unscaled bytes
};

// Where the part of a value that a counter or a port needs is taken.
inline uint8_t to_uint8(int32_t value) { return static_cast<uint8_t>(value); }
inline uint16_t to_uint16(int32_t value) { return static_cast<uint16_t>(value); }
inline uint32_t to_uint32(int32_t value) { return static_cast<uint32_t>(value); }

#endif
