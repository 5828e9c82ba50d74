// The test bench of the step csim: whether the engine, compiled by the vendor's tools, answers.
// It identifies the engine, sends an invalid packet, a short one, a long one and a run without a
// program, and identifies it again. Results are tested elsewhere, with the same sources under g++.
#include <cstdio>

#include "circnn_top.hpp"

namespace {

// The result of one call: the engine's registers and its reply, the last four beats sent.
struct Answer {
    uint32_t status, detail, samples, saturations, product_trips, beats_in, beats_out, identity,
        version, configuration;
    uint32_t reply[8];
};

// Sends a packet of `beats` beats, its header first and zeros behind, and returns the answer.
Answer send(uint32_t magic, uint32_t kind, uint32_t count, uint32_t beats) {
    AxiStream in("in_stream"), out("out_stream");
    for (uint32_t i = 0; i < beats; i++) {
        uint64_t data = 0;
        if (i == 0) data = magic | static_cast<uint64_t>(kind) << 32;
        if (i == 1) data = count;
        axi_write(in, AxiBeat{data, 0xFF, i + 1 == beats});
    }
    Answer a = Answer();
    circnn_engine(in, out, a.status, a.detail, a.samples, a.saturations, a.product_trips,
                  a.beats_in, a.beats_out, a.identity, a.version, a.configuration);
    for (uint32_t i = 0; i < a.beats_out; i++) {
        const AxiBeat beat = axi_read(out);
        if (beat.last != (i + 1 == a.beats_out)) a.reply[0] = 0;
        if (i + 4 < a.beats_out) continue;
        const uint32_t word = 2 * (i + 4 - a.beats_out);
        a.reply[word] = static_cast<uint32_t>(beat.data);
        a.reply[word + 1] = static_cast<uint32_t>(beat.data >> 32);
    }
    return a;
}

int expect(const char *name, const Answer &a, uint32_t status, uint32_t beats) {
    const bool right = a.status == status && a.beats_in == beats && a.reply[1] == status &&
                       a.reply[0] == CIRCNN_ENGINE_REPLY_MAGIC &&
                       a.identity == CIRCNN_ENGINE_REPLY_MAGIC &&
                       a.version == CIRCNN_ENGINE_INTERFACE_VERSION &&
                       a.configuration == CIRCNN_CONFIG_DIGEST && a.reply[7] == a.configuration;
    std::printf("%s: status %u, expected %u: %s\n", name, static_cast<unsigned>(a.status),
                static_cast<unsigned>(status), right ? "ok" : "WRONG");
    return right ? 0 : 1;
}

}  // namespace

int main() {
    const uint32_t magic = CIRCNN_ENGINE_PACKET_MAGIC;
    const uint32_t identify = CIRCNN_PACKET_IDENTIFY, run = CIRCNN_PACKET_RUN;
    int wrong = expect("identify", send(magic, identify, 0, 2), CIRCNN_STATUS_OK, 2);
    wrong += expect("no packet", send(magic + 1, identify, 0, 2), CIRCNN_STATUS_BAD_PACKET, 2);
    wrong += expect("truncated", send(magic, identify, 0, 1), CIRCNN_STATUS_TRUNCATED, 1);
    wrong += expect("overlong", send(magic, identify, 0, 5), CIRCNN_STATUS_OVERLONG, 5);
    wrong += expect("no program", send(magic, run, 1, 2), CIRCNN_STATUS_NO_PROGRAM, 2);
    wrong += expect("identify", send(magic, identify, 0, 2), CIRCNN_STATUS_OK, 2);
    std::printf("%d of 6 answers wrong\n", wrong);
    return wrong;
}
