// How the units of a layer run in simulation: one after the other, or with CIRCNN_THREADS all at
// once, each in a thread of its own.  Under synthesis the dataflow region does it.
#ifndef CIRCNN_PARALLEL_HPP
#define CIRCNN_PARALLEL_HPP

#if defined(CIRCNN_THREADS) && !defined(__SYNTHESIS__)
#include <thread>
#include <vector>
#define CIRCNN_PARALLEL_BEGIN std::vector<std::thread> threads;
#define CIRCNN_UNIT(call) threads.emplace_back([&] { call; });
#define CIRCNN_PARALLEL_END \
    for (std::thread &thread : threads) thread.join();
#else
#define CIRCNN_PARALLEL_BEGIN
#define CIRCNN_UNIT(call) call;
#define CIRCNN_PARALLEL_END
#endif

#endif
