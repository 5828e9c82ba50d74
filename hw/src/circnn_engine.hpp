// The engine: CirCNN's inference engine for every model that fits its memories.
#ifndef CIRCNN_ENGINE_HPP
#define CIRCNN_ENGINE_HPP

#include "load.hpp"
#include "plan.hpp"

// The units whose trips are counted.
enum Unit { kRead, kForward, kSplit, kProduct, kInverse, kVector, kEpilogue, kWrite, kUnits };

// The engine's reply to a packet, which its registers repeat.
struct Report {
    uint32_t status, detail, samples, saturations, product_trips, beats_in, beats_out;
};

// All state that is kept from one packet to the next.
struct Engine {
    bool loaded;
    int32_t batch_samples;  // samples that the activation memory holds at once
    circnn_header header;
    LayerTable layers;
    int32_t numbers[kNumbers];  // of the layer that is checked or planned
    Plan plan, next_plan;
    uint32_t saturations[kMaxLayers + 1];  // of the input and of each layer
    Word activations[kBanks][kActivationRows];
    Word weights[kWeightRows][kRow];
    Word spectra[kSpectraRows][kRow];
    Channels channels;
    InputBytes input_bytes;
#ifdef CIRCNN_COUNT_TRIPS
    uint64_t trips[kMaxLayers][kUnits];  // of the last run, by layer
    uint64_t input_trips, output_trips, weight_trips;
#endif
};

// Take one packet from `in` and send one to `out`.
void engine_step(Engine &engine, AxiStream &in, AxiStream &out, Report &report);

#endif
