// Recurrences that hw/scripts/intervals.py schedules beside the loops' next functions: what goes
// from trip to trip without being a loop's state, by calling the sources' own functions.  And
// controls, which do not fit a cycle: they show that the check can tell.
#ifndef CIRCNN_RECURRENCES_HPP
#define CIRCNN_RECURRENCES_HPP

#include "load.hpp"
#include "product.hpp"
#include "vector.hpp"

// A count of trips or saturations: a trip adds a few.
inline uint32_t recurrence_counted(uint32_t count, uint8_t more) { return count + more; }

// The checksum; what it takes of the beat alone stands before the recurrence.
inline uint32_t recurrence_crc(uint32_t crc, uint32_t folded) { return crc_next(crc, folded); }

// A packet that is read, with a beat that the stream gives.
inline PacketReader recurrence_packet(const PacketReader &state, uint64_t data, uint8_t keep,
                                      bool last) {
    AxiStream in("in");
    axi_write(in, AxiBeat{data, keep, last});
    PacketReader next = state;
    packet_beat(next, in);
    return next;
}

// A lane's accumulators; its product is what the factor of one leaves of it.
inline LaneSums recurrence_lane(const LaneSums &sums, int32_t a, int32_t b, int32_t c, bool clear) {
    return LaneSums{accumulated(clear, sums.both, a, 1), accumulated(clear, sums.up, b, 1),
                    accumulated(clear, sums.down, c, 1)};
}

// The total of a window.
inline int32_t recurrence_total(bool maximum, bool first, Word word, int32_t total) {
    return with_pixel(maximum, first, total, word);
}

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
