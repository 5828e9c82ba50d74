// How the units of a layer run: one after the other, which the vendor's tool makes a dataflow region
// of, or in our simulation with CIRCNN_THREADS all at once, each in a thread of its own.
#ifndef CIRCNN_PARALLEL_HPP
#define CIRCNN_PARALLEL_HPP

#include "silicon.hpp"

#ifdef CIRCNN_THREADS
#include <thread>
#include <vector>
#define CIRCNN_PARALLEL_BEGIN \
    CIRCNN_REGION();          \
    std::vector<std::thread> threads;
#define CIRCNN_UNIT(call) threads.emplace_back([&] { call; });
#define CIRCNN_PARALLEL_END                            \
    for (std::thread &thread : threads) thread.join(); \
    CIRCNN_REGION();
#else
#define CIRCNN_PARALLEL_BEGIN CIRCNN_REGION();
#define CIRCNN_UNIT(call) call;
#define CIRCNN_PARALLEL_END CIRCNN_REGION();
#endif

#endif
