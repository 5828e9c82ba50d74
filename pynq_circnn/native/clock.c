#include "clock.h"

#include <time.h>

void circnn_clock_lap(circnn_clock *clock, circnn_part part) {
    struct timespec time;
    timespec_get(&time, TIME_UTC);
    const int64_t now = (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
    if (part < CIRCNN_PARTS) clock->nanoseconds[part] += now - clock->last;
    clock->last = now;
}
