// What the simulation does about a mistake of the design, never of its input: it says so and stops.
#ifndef CIRCNN_FAULT_HPP
#define CIRCNN_FAULT_HPP

#include <cstdio>
#include <cstdlib>

[[noreturn]] inline void fault(const char *what, const char *where) {
    std::fprintf(stderr, "circnn_engine: %s%s\n", what, where);
    std::abort();
}

// A statement of the design that the simulation checks and synthesis leaves out.
#ifdef __SYNTHESIS__
#define CIRCNN_CHECK(holds, what, where)
#else
#define CIRCNN_CHECK(holds, what, where) \
    if (!(holds)) fault(what, where)
#endif

#endif
