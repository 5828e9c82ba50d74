// What the simulation does about a mistake of the design, never of its input: it says so and stops.
#ifndef CIRCNN_FAULT_HPP
#define CIRCNN_FAULT_HPP

#include <cstdio>
#include <cstdlib>

[[noreturn]] inline void fault(const char *what, const char *where) {
    std::fprintf(stderr, "circnn_engine: %s%s\n", what, where);
    std::abort();
}

#endif
