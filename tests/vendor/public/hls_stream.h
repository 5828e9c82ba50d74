// The public hls_stream.h with the second parameter that UG1399 documents ("HLS Stream Library"):
// the depth, which a C simulation may ignore.
#ifndef HLS_STREAM_WITH_DEPTH_H
#define HLS_STREAM_WITH_DEPTH_H

#include <deque>
#include <iostream>
#include <queue>
#include <sstream>
#include <string>
#include <typeinfo>

#define stream unbounded_stream
#include_next <hls_stream.h>
#undef stream

namespace hls {

template <typename T, int Depth = 0>
class stream : public unbounded_stream<T> {
  public:
    stream() {}
    stream(const char *name) : unbounded_stream<T>(name) {}
};

}  // namespace hls

#endif
