// Feeds the engine mutated packets.  The engine must answer each with one packet that ends in a
// reply, and a good program and run after it must give the same results as before.
//
//   fuzz PACKETS SEED COUNT
//
// PACKETS holds, in 64-bit words, pairs of packets (a program and a run): length and beats each.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "circnn_engine.hpp"
#include "csim.h"

typedef std::vector<uint64_t> Beats;

static uint64_t state;

static uint64_t random_word() {  // xorshift64*
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545F4914F6CDD1Dull;
}

static size_t random_below(size_t bound) { return static_cast<size_t>(random_word() % bound); }

static std::vector<Beats> read_packets(const char *path) {
    std::vector<Beats> packets;
    std::FILE *file = std::fopen(path, "rb");
    if (!file) fault("cannot read ", path);
    uint64_t length;
    while (std::fread(&length, 8, 1, file) == 1) {
        Beats beats(static_cast<size_t>(length));
        if (std::fread(beats.data(), 8, beats.size(), file) != beats.size())
            fault("too short: ", path);
        packets.push_back(beats);
    }
    std::fclose(file);
    return packets;
}

// Correct length and checksum of a mutated program, so that the engine checks its fields.
static void mend(Beats &packet) {
    if (packet.size() < 2 + CIRCNN_PROGRAM_HEADER_WORDS / 2) return;
    const uint64_t bytes = 8 * (packet.size() - 2);
    uint32_t *words = reinterpret_cast<uint32_t *>(packet.data());
    words[2] = static_cast<uint32_t>(bytes);
    words[4 + 3] = static_cast<uint32_t>(bytes);
    words[4 + 4] = 0;
    uint32_t crc = 0xFFFFFFFFu;
    for (size_t i = 2; i < packet.size(); i++) crc = crc_beat(crc, packet[i]);
    words[4 + 4] = ~crc;
}

static void mutate(Beats &packet) {
    static const uint32_t interesting[] = {0,      1,      2,          3,          7,
                                           8,      255,    256,        257,        4096,
                                           32767,  32768,  65535,      65536,      67108864,
                                           131072, 0x7FFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF};
    const size_t changes = 1 + random_below(4);
    for (size_t i = 0; i < changes; i++) {
        uint32_t *words = reinterpret_cast<uint32_t *>(packet.data());
        // mostly where the fields are
        const size_t all = 2 * packet.size(), head = all < 420 ? all : 420;
        const size_t at = random_below(random_below(4) ? head : all);
        switch (random_below(5)) {
        case 0:
            words[at] ^= 1u << random_below(32);
            break;
        case 1:
            words[at] = interesting[random_below(sizeof interesting / sizeof *interesting)];
            break;
        case 2:
            words[at] = words[at] + static_cast<uint32_t>(random_below(9)) - 4;
            break;
        case 3:
            words[at] = words[random_below(head)];
            break;
        default:
            if (random_below(8) == 0)
                packet.resize(1 + random_below(packet.size()));
            else if (random_below(8) == 0)
                packet.resize(packet.size() + random_below(40), random_word());
        }
    }
    if (random_below(3) != 0 && packet.size() > 1 && (packet[0] >> 32) == CIRCNN_PACKET_PROGRAM)
        mend(packet);
}

static Beats step(circnn_csim *engine, const Beats &packet, uint32_t &status) {
    static Beats reply(1 << 20);
    const size_t sent = circnn_csim_step(engine, packet.data(), packet.size(), reply.data(),
                                         reply.size());
    uint32_t registers[7];
    circnn_csim_registers(engine, registers);
    if (sent < 4 || sent > reply.size()) fault("a packet out of a wrong length", "");
    const Beats answer(reply.begin(), reply.begin() + static_cast<std::ptrdiff_t>(sent));
    if (half_of(answer[sent - 4], 0) != CIRCNN_ENGINE_REPLY_MAGIC) fault("no reply", "");
    if (registers[6] != sent) fault("a wrong count of beats", "");
    status = registers[0];
    return answer;
}

int main(int argc, char **argv) {
    if (argc != 4) fault("usage: fuzz PACKETS SEED COUNT", "");
    const std::vector<Beats> packets = read_packets(argv[1]);
    state = std::strtoull(argv[2], nullptr, 10) * 2 + 1;
    const long count = std::strtol(argv[3], nullptr, 10);
    circnn_csim *engine = circnn_csim_create();
    uint32_t status = 0;
    std::vector<Beats> expected;
    for (size_t i = 0; i < packets.size(); i++) {
        expected.push_back(step(engine, packets[i], status));
        if (status != CIRCNN_STATUS_OK) fault("a good packet was refused", "");
    }
    long seen[64] = {};
    double longest = 0;
    for (long i = 0; i < count; i++) {
        const size_t chosen = random_below(packets.size());
        if (chosen % 2 == 1) step(engine, packets[chosen - 1], status);  // what the run runs
        Beats packet = packets[chosen];
        mutate(packet);
        const auto begin = std::chrono::steady_clock::now();
        step(engine, packet, status);
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
        if (took.count() > longest) longest = took.count();
        if (status < 64) seen[status]++;
        if (i % 16 == 0) {  // a clean state: the next good packets do what they always did
            const size_t pair = 2 * random_below(packets.size() / 2);
            for (size_t j = pair; j < pair + 2; j++)
                if (step(engine, packets[j], status) != expected[j])
                    fault("another result than before", "");
        }
    }
    circnn_csim_destroy(engine);
    std::printf("%ld mutated packets, longest %.2f s, status codes:", count, longest);
    for (int i = 0; i < 64; i++)
        if (seen[i]) std::printf(" %d:%ld", i, seen[i]);
    std::printf("\n");
    return 0;
}
