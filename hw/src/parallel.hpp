// How the units of a layer run: one after the other, which the vendor's tool makes a dataflow region
// of, or in our simulation with CIRCNN_THREADS all at once, each in a thread of its own.
#ifndef CIRCNN_PARALLEL_HPP
#define CIRCNN_PARALLEL_HPP

#ifdef CIRCNN_THREADS
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
