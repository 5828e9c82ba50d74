// What the silicon's memories allow in a pipelined loop, for the simulation to check.
//
// On the chip a write is under way for a while, and a memory has a fixed number of ports.  A loop
// that is told to start a trip every cycle, with a promise of the distance between a write and the
// read of what it wrote, computes wrong values without a word where the promise does not hold.  So
// every access to a memory in a pipelined loop is announced here; compiled with CIRCNN_SILICON the
// simulation stops at
//   - a read of a row while a write of it is under way: fewer trips after it than the latency,
//   - more reads or more writes of one memory in a trip than it has ports,
//   - a row outside the memory,
//   - a row that one unit writes and another one reads during the same layer.
// A memory is announced by its address and its kind: each bank of a partitioned array is one of its
// own, the rows of a reshaped array are one together.  Units that run one after the other may have
// memories of different kinds at the same address.
#ifndef CIRCNN_SILICON_HPP
#define CIRCNN_SILICON_HPP

#include <stdint.h>

#include "fault.hpp"

// What is counted for our simulation alone (pynq_circnn/simulation/build.py asks for it).  No tool of
// the vendor's sees it: what it simulates in C is what it synthesises.
#ifdef CIRCNN_COUNT_TRIPS
#define CIRCNN_COUNT(count) count
#else
#define CIRCNN_COUNT(count)
#endif

// A kind of memory: its ports, and the trips from a write to the first read that sees it.
struct Ram {
    const char *name;
    int rows, read_ports, write_ports, latency;
};

#ifdef CIRCNN_SILICON

#include <cstdio>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

namespace silicon {

struct Row {
    uint64_t written, loop_written;  // trip and loop of the last write
    uint64_t read_by;  // loop of the last read
};

// The accesses of one kind, in the last trip that had any.
struct Port {
    uint64_t loop, trip, uses;
};

struct Memory {
    std::vector<Row> rows;
    Port reads, writes;
};

// Trips are counted for each unit, from 1 on; every start of a loop has a number of its own, so
// that what an earlier loop left is known to have landed.
struct Clock {
    uint64_t trip, loop;
    const char *name;
};

inline Clock &clock() {
    static thread_local Clock now = {0, 0, "no loop"};
    return now;
}

inline std::mutex &lock() {
    static std::mutex mutex;
    return mutex;
}

inline uint64_t &last_loop() {
    static uint64_t loop = 0;
    return loop;
}

// The first loop of the units that run now: what was accessed by earlier ones is at rest.
inline uint64_t &first_loop() {
    static uint64_t loop = 0;
    return loop;
}

typedef std::pair<const void *, const Ram *> Name;

inline std::map<Name, Memory> &memories() {
    static std::map<Name, Memory> all;
    return all;
}

inline void begin_region() {
    std::lock_guard<std::mutex> guard(lock());
    first_loop() = last_loop() + 1;
    memories().clear();
}

inline void begin_loop(const char *name) {
    std::lock_guard<std::mutex> guard(lock());
    clock() = Clock{0, ++last_loop(), name};
}

inline void next_trip() { clock().trip++; }

[[noreturn]] inline void complain(const char *what, const Ram &ram, int64_t row) {
    char text[200];
    std::snprintf(text, sizeof text, "%s%s, row %lld, in trip %llu of ", what, ram.name,
                  static_cast<long long>(row), static_cast<unsigned long long>(clock().trip));
    fault(text, clock().name);
}

inline Memory &memory_at(const void *memory, const Ram &ram) {
    Memory &found = memories()[Name(memory, &ram)];
    if (found.rows.empty()) found.rows.resize(static_cast<size_t>(ram.rows), Row{0, 0, 0});
    return found;
}

inline void use(Port &port, int ports, const char *what, const Ram &ram, int64_t row) {
    const Clock &now = clock();
    if (port.loop != now.loop || port.trip != now.trip) port = Port{now.loop, now.trip, 0};
    if (++port.uses > static_cast<uint64_t>(ports)) complain(what, ram, row);
}

// Whether another unit that runs now has had a row in `loop`.
inline bool of_another(uint64_t loop) {
    return loop != clock().loop && loop >= first_loop() && loop != 0;
}

inline void read(const void *memory, int64_t row, const Ram &ram) {
    std::lock_guard<std::mutex> guard(lock());
    const Clock &now = clock();
    if (row < 0 || row >= ram.rows) complain("a read outside the memory ", ram, row);
    Memory &m = memory_at(memory, ram);
    use(m.reads, ram.read_ports, "more reads in a trip than ports: ", ram, row);
    Row &r = m.rows[static_cast<size_t>(row)];
    if (r.loop_written == now.loop && now.trip - r.written < static_cast<uint64_t>(ram.latency))
        complain("a read while a write is under way: ", ram, row);
    if (of_another(r.loop_written)) complain("a read of what another unit writes: ", ram, row);
    r.read_by = now.loop;
}

inline void write(const void *memory, int64_t row, const Ram &ram) {
    std::lock_guard<std::mutex> guard(lock());
    const Clock &now = clock();
    if (row < 0 || row >= ram.rows) complain("a write outside the memory ", ram, row);
    Memory &m = memory_at(memory, ram);
    use(m.writes, ram.write_ports, "more writes in a trip than ports: ", ram, row);
    Row &r = m.rows[static_cast<size_t>(row)];
    if (of_another(r.read_by)) complain("a write of what another unit reads: ", ram, row);
    r.written = now.trip;
    r.loop_written = now.loop;
}

}  // namespace silicon

// The units of a layer, or a loop outside of them, begin: everything before has landed.
#define CIRCNN_REGION() silicon::begin_region()
#define CIRCNN_LOOP(name) silicon::begin_loop(name)
#define CIRCNN_TRIP() silicon::next_trip()
#define CIRCNN_READS(memory, row, ram) silicon::read(memory, row, ram)
#define CIRCNN_WRITES(memory, row, ram) silicon::write(memory, row, ram)

#else

#define CIRCNN_REGION()
#define CIRCNN_LOOP(name)
#define CIRCNN_TRIP()
#define CIRCNN_READS(memory, row, ram)
#define CIRCNN_WRITES(memory, row, ram)

#endif

#endif
