// A first-in first-out channel between two units, with the interface of the vendor's hls::stream,
// in whose place channels.hpp puts it.
//
// It holds any number of elements when the units run one after the other, and complains about
// reading from an empty channel; with CIRCNN_THREADS the units are threads, a channel holds
// `Depth` elements, and one that makes no progress for a while is reported as a deadlock.
#ifndef CIRCNN_STREAM_HPP
#define CIRCNN_STREAM_HPP

#include <cstddef>
#include <vector>

#include "fault.hpp"

#ifdef CIRCNN_THREADS
#include <chrono>
#include <condition_variable>
#include <mutex>
#ifndef CIRCNN_PATIENCE_MS
#define CIRCNN_PATIENCE_MS 60000
#endif
#endif

template <typename T, int Depth>
class Stream {
  public:
    explicit Stream(const char *name) : name_(name) {}
    Stream(const Stream &) = delete;
    Stream &operator=(const Stream &) = delete;

    void write(const T &value) {
#ifdef CIRCNN_THREADS
        std::unique_lock<std::mutex> lock(mutex_);
        const bool ready = changed_.wait_for(lock, patience(), [this] { return size() < Depth; });
        if (!ready) fault("deadlock: nobody reads from the full channel ", name_);
        compact();
        values_.push_back(value);
        changed_.notify_all();
#else
        values_.push_back(value);
#endif
    }

    T read() {
#ifdef CIRCNN_THREADS
        std::unique_lock<std::mutex> lock(mutex_);
        const bool ready = changed_.wait_for(lock, patience(), [this] { return size() > 0; });
        if (!ready) fault("deadlock: nobody writes to the empty channel ", name_);
        const T value = values_[head_++];
        changed_.notify_all();
        return value;
#else
        if (size() == 0) fault("read from the empty channel ", name_);
        const T value = values_[head_++];
        compact();
        return value;
#endif
    }

    // Only to be asked when no thread uses the channel.
    std::size_t size() const { return values_.size() - head_; }
    bool empty() const { return size() == 0; }

  private:
    void compact() {
        if (head_ == values_.size()) {
            values_.clear();
            head_ = 0;
        }
    }

    const char *name_;
    std::vector<T> values_;
    std::size_t head_ = 0;
#ifdef CIRCNN_THREADS
    static std::chrono::milliseconds patience() {
        return std::chrono::milliseconds(CIRCNN_PATIENCE_MS);
    }
    std::mutex mutex_;
    std::condition_variable changed_;
#endif
};

#endif
