// Recurrences that hw/scripts/intervals.py schedules beside the loops' next functions: what goes
// from trip to trip without being a loop's state, by calling the sources' own functions.  And
// controls, which do not fit a cycle: they show that the check can tell.
#ifndef CIRCNN_RECURRENCES_HPP
#define CIRCNN_RECURRENCES_HPP

#include "load.hpp"

inline uint32_t recurrence_crc(uint32_t crc, uint64_t beat) { return crc_beat(crc, beat); }

// -- controls -----------------------------------------------------------------------------------

inline int32_t recurrence_multiplied(int32_t at, int32_t by, int32_t more) {
    return at * by + more;
}

// The end of an output as product once stepped it: the trips of an output were a product of three
// fields of the program, compared with the trip that the step itself counts.
struct OldProductJob {
    int32_t kernel_width, block_columns, chunks, row_groups, strip, row_beats;
};

struct OldProduct {
    int32_t begin, end, trip, chunk, rows, x;
    bool computing;
};

inline OldProduct recurrence_old_product(const OldProductJob &job, const OldProduct &state) {
    OldProduct next = state;
    const int32_t terms = (state.end - state.begin) * job.kernel_width * job.block_columns;
    const bool ends = state.trip + 1 == (terms > job.row_beats ? terms : job.row_beats);
    const bool last_chunk = state.chunk + 1 == job.chunks;
    const bool last_rows = state.rows + 1 == job.row_groups;
    next.trip = ends ? 0 : state.trip + 1;
    next.chunk = !ends ? state.chunk : last_chunk ? 0 : state.chunk + 1;
    next.rows = !(ends && last_chunk) ? state.rows : last_rows ? 0 : state.rows + 1;
    next.x = ends && last_chunk && last_rows ? state.x + 1 : state.x;
    next.computing = next.x != job.strip;
    return next;
}

#endif
