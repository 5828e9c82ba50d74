// Takes the place of src/stream.hpp where Bambu compiles the sources: a channel that is an array
// long enough for a whole layer, since the units run one after the other.
#ifndef CIRCNN_STREAM_HPP
#define CIRCNN_STREAM_HPP

#include <stdint.h>

#include "fault.hpp"

constexpr uint32_t kChannelRoom = 8192;

template <typename T, int Depth>
class Stream {
  public:
    explicit Stream(const char *) : read_(0), written_(0) {}
    void write(const T &value) { values_[written_++ % kChannelRoom] = value; }
    T read() { return values_[read_++ % kChannelRoom]; }
    uint32_t size() const { return written_ - read_; }
    bool empty() const { return read_ == written_; }
    void clear() { read_ = written_ = 0; }

  private:
    uint32_t read_, written_;
    T values_[kChannelRoom];
};

#endif
