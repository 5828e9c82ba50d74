// What the simulation does about a mistake in the design, never in its input: a message and a stop.
#ifndef CIRCNN_FAULT_HPP
#define CIRCNN_FAULT_HPP

#include <cstdio>
#include <cstdlib>

[[noreturn]] inline void fault(const char *what, const char *where) {
    std::fprintf(stderr, "circnn_engine: %s%s\n", what, where);
    std::abort();
}

// What CIRCNN_ANY_CONTENT puts into a point, with or without a mark that its saturations count.
#ifdef CIRCNN_SILICON
constexpr int kFilling = 23130;
#else
constexpr int kFilling = 0;
#endif

template <typename T>
inline auto fill(T &point, int) -> decltype(point.counted, void()) {
    point = T{kFilling, -kFilling - 1, kFilling != 0};
}

template <typename T>
inline void fill(T &point, long) {
    point = T{kFilling, -kFilling - 1};
}

// Statements of the design that the simulation checks and synthesis leaves out.  They are the one
// thing that __SYNTHESIS__ changes, and stand in bodies of functions alone.
//
// CIRCNN_ANY_CONTENT: it does not matter what banks of points hold at first.  The simulation
// fills them, so that it does the same in every run, and with CIRCNN_SILICON fills them with values
// that would show if they mattered.
//
// CIRCNN_ADDRESS: the bits of an address of the activation memory that a tool builds.  Where no word
// is read or written an address may be anything.  The simulation keeps all bits, so that one beyond
// the memory is seen where it is used; with CIRCNN_SILICON it drops them as well.
//
// CIRCNN_IF_USED: a word of a memory, which a tool reads whether it is used or not.  The simulation
// leaves out what is not used, since another unit may write there; with CIRCNN_SILICON it gives a
// value that would show if it mattered.
#if defined(__SYNTHESIS__) || defined(CIRCNN_SILICON)
#define CIRCNN_ADDRESS(value) ((value) & ((1u << kAddressBits) - 1))
#else
#define CIRCNN_ADDRESS(value) (value)
#endif

#ifdef __SYNTHESIS__
#define CIRCNN_IF_USED(used, word) (word)
#define CIRCNN_CHECK(holds, what, where)
#define CIRCNN_ANY_CONTENT(banks)
#else
#define CIRCNN_CHECK(holds, what, where) \
    if (!(holds)) fault(what, where)
#define CIRCNN_IF_USED(used, word) ((used) ? (word) : static_cast<Word>(kFilling))
#define CIRCNN_ANY_CONTENT(banks) \
    for (auto &bank : banks)      \
        for (auto &element : bank) fill(element, 0)
#endif

#endif
