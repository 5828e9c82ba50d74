// What the units need of a layer: worked out before it runs, so that no pipelined loop multiplies
// to find an address.  Each unit and each sequence has a job of its own.  While a layer runs, the
// next one is planned.
#ifndef CIRCNN_PLAN_HPP
#define CIRCNN_PLAN_HPP

#include "epilogue.hpp"
#include "forward.hpp"
#include "inverse.hpp"
#include "product.hpp"
#include "read.hpp"
#include "split.hpp"
#include "vector.hpp"

struct Plan {
    bool spectral;
    ReadJob read;
    ForwardJob forward;
    SplitJob split;
    InverseJob inverse;
    LinesJob lines;
    OutputsJob outputs;
    LanesJob lanes;
    ResultJob results;
    VectorJob vector;
    EpilogueJob ending;
};

inline ReadJob read_job(const Layer &layer, const Batch &batch) {
    ReadJob j = ReadJob();
    j.reads = reads_of(layer);
    if (j.reads == Reads::blocks)
        j.blocks = blocks_job(layer, batch);
    else if (j.reads == Reads::joined)
        j.joined = joined_job(layer, batch);
    else if (j.reads == Reads::pairs)
        j.pairs = pairs_job(layer, batch);
    else
        j.windows = windows_job(layer, batch);
    return j;
}

// Of no layer: the units have nothing to do, but the first layer is planned.
inline Plan plan_nothing() {
    Plan plan = Plan();
    plan.spectral = false;
    plan.read.reads = Reads::nothing;
    return plan;
}

// The products are made one after the other, in one multiplier.
inline void plan_layer(const Layer &layer, const Batch &batch, Plan &plan) {
#pragma HLS ALLOCATION operation instances = mul limit = 1
    plan.spectral = traits_of(layer).spectral != 0;
    plan.read = read_job(layer, batch);
    plan.results = result_job(layer, batch);
    plan.lanes = lanes_job(layer);
    plan.forward = forward_job(layer);
    plan.split = split_job(layer);
    plan.inverse = inverse_job(layer);
    plan.lines = plan.spectral ? lines_job(layer, batch) : LinesJob();
    plan.outputs = plan.spectral ? outputs_job(layer) : OutputsJob();
    plan.vector = vector_job(layer, plan.results.beats);
    plan.ending = epilogue_job(layer, plan.results.beats);
}

#endif
