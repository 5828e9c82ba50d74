// Shows that a channel that nobody reads, and leftovers in one, are reported: "stuck full" writes
// one element too many, "stuck empty" reads one, "stuck left" leaves one behind.
#include <string>

#include "channels.hpp"
#include "fault.hpp"

int main(int argc, char **argv) {
    const std::string what = argc > 1 ? argv[1] : "";
    Stream<int, 4> channel("test");
    const int elements = what == "full" ? 5 : what == "left" ? 1 : 0;
    for (int i = 0; i < elements; i++) channel.write(i);
    if (what == "empty") return channel.read();
    CIRCNN_CHECK(channel.empty(), "leftovers in the channel ", "test");
    return 0;
}
