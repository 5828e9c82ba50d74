// What the simulation does about a mistake in the design, never in its input: a message and a stop.
#ifndef CIRCNN_FAULT_HPP
#define CIRCNN_FAULT_HPP

#include <cstdio>
#include <cstdlib>

[[noreturn]] inline void fault(const char *what, const char *where) {
    std::fprintf(stderr, "circnn_engine: %s%s\n", what, where);
    std::abort();
}

// A statement of the design that the simulation checks and synthesis leaves out.  It is the one
// thing that __SYNTHESIS__ changes, and stands in bodies of functions alone.
#ifdef __SYNTHESIS__
#define CIRCNN_CHECK(holds, what, where)
#else
#define CIRCNN_CHECK(holds, what, where) \
    if (!(holds)) fault(what, where)
#endif

#endif
