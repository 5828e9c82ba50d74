// Sizes of this engine, from the contract: circnn_configuration.h is generated for one
// configuration, circnn_contract.h is the same for all.
#ifndef CIRCNN_CONFIG_HPP
#define CIRCNN_CONFIG_HPP

#include <stdint.h>

#include "circnn_configuration.h"
#include "circnn_contract.h"

constexpr int kLanes = CIRCNN_CONFIG_LANES;       // complex multiply-accumulate lanes
constexpr int kRow = 2 * kLanes;                  // words that all lanes take in one trip
constexpr int kBeat = 8;                          // words that the other units take in one trip
constexpr int kRowBeats = kRow / kBeat;
constexpr int kBanks = 16;                        // of the activation memory, one word wide
constexpr int kButterflies = 8;                   // of each transform unit
constexpr int kTripPoints = 2 * kButterflies;     // complex points that a transform trip takes
constexpr int kMaxBlock = 1 << CIRCNN_LIMIT_BLOCK_LOG2;
constexpr int kMaxPoints = kMaxBlock / 2;         // of a transform's batch
constexpr int kMaxBatchRows = 2 * kMaxPoints / kRow;

constexpr int kWeightRows = CIRCNN_CONFIG_WEIGHTS_WORDS / kRow;
constexpr int kSpectraRows = CIRCNN_CONFIG_SPECTRA_WORDS / kRow;
constexpr int kActivationWords = CIRCNN_CONFIG_ACTIVATION_WORDS;
constexpr int kActivationRows = kActivationWords / kBanks;
constexpr int kChannelWords = CIRCNN_CONFIG_CHANNEL_WORDS;  // scales, and as many biases
constexpr int kChannelRows = kChannelWords / kBeat;
constexpr int kMaxLayers = CIRCNN_CONFIG_LAYERS;
constexpr int kMaxStride = CIRCNN_ENGINE_STRIDE_MAX;
constexpr int kMaxPace = CIRCNN_ENGINE_PACE_MAX;
constexpr uint32_t kMaxTrips = 0xFFFFFFFFu;       // bound of loops that end by themselves

// The logarithm of a constant, a power of two.
constexpr int32_t log2_of(int32_t power) { return power == 1 ? 0 : 1 + log2_of(power / 2); }

// Bits of an address of the activation memory, and of a sum: of products of a word and of a sum or
// difference of two, a term for each row of weights at most.
constexpr int kAddressBits = CIRCNN_CONFIG_ADDRESS_BITS;
constexpr int kWordsBits = kAddressBits + 1;      // of a number of words
constexpr int kSumBits = CIRCNN_CONFIG_SUM_BITS;

static_assert(kActivationWords <= 1 << kAddressBits, "an address must reach every word");
static_assert(kSumBits <= 48 && kWeightRows <= 1 << (kSumBits - 32), "a sum must fit");

static_assert(kRow >= 16 && kRow <= 128 && (kRow & (kRow - 1)) == 0, "lanes: 8, 16, 32 or 64");
static_assert(CIRCNN_CONFIG_WEIGHTS_WORDS % kRow == 0, "weights must fill whole rows");
static_assert(CIRCNN_CONFIG_SPECTRA_WORDS % kRow == 0, "spectra must fill whole rows");
static_assert(kActivationWords % kBanks == 0, "activations must fill whole rows of banks");
static_assert(kChannelWords % kBeat == 0, "channels must fill whole rows");
static_assert(2 * kMaxPoints % kRow == 0, "a transform's batch must fill whole rows");
static_assert(kMaxPoints % kTripPoints == 0, "a transform's batch must take whole trips");

typedef int16_t Word;

#endif
