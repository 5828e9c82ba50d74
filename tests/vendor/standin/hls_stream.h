// Stands in for the vendor's hls_stream.h: what UG1399 documents of it and the engine uses.
#ifndef HLS_STREAM_H
#define HLS_STREAM_H

#include <cstddef>
#include <cstdlib>
#include <deque>
#include <type_traits>

namespace hls {

template <typename T, int Depth = 0>
class stream {
    static_assert(std::is_trivially_copyable<T>::value, "the vendor's copies elements as bytes");
    std::deque<T> values;

  public:
    stream() {}
    stream(const char *) {}
    stream(const stream &) = delete;
    stream &operator=(const stream &) = delete;

    void write(const T &value) { values.push_back(value); }
    T read() {
        if (values.empty()) std::abort();
        const T value = values.front();
        values.pop_front();
        return value;
    }
    bool empty() { return values.empty(); }
    std::size_t size() { return values.size(); }
};

}  // namespace hls

#endif
