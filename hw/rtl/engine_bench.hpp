// Sends packets through the engine, one part of which is RTL, and compares every reply with the C
// simulation's.  Packets and replies come from packets.h; STEP is a call of the engine.
#include <stdio.h>

#include "packets.h"

int main() {
    static Engine engine;
    static Report report;
    static AxiStream in("in_stream"), out("out_stream");
    const uint64_t *packet = kPackets, *reply = kReplies;
    for (int i = 0; i < kCount; i++) {
        in.clear();
        out.clear();
        for (uint32_t beat = 0; beat < kPacketBeats[i]; beat++)
            axi_write(in, AxiBeat{*packet++, 0xFF, beat + 1 == kPacketBeats[i]});
        STEP(engine, in, out, report);
        bool equal = out.size() == kReplyBeats[i];
        for (uint32_t beat = 0; beat < kReplyBeats[i]; beat++, reply++)
            equal = equal && axi_read(out).data == *reply;
        printf("packet %d: status %u, reply %s\n", i, report.status, equal ? "equal" : "differs");
        if (!equal) return 1;
    }
    printf("bench: all equal\n");
    return 0;
}
