// A test bench around the top function: "packets IN OUT" sends the packets of a file one by one and
// writes the answers into another, each as its length and its beats, all 64-bit words.
#include <cstdio>

#include "circnn_top.hpp"

int main(int argc, char **argv) {
    std::FILE *from = argc == 3 ? std::fopen(argv[1], "rb") : nullptr;
    std::FILE *to = argc == 3 ? std::fopen(argv[2], "wb") : nullptr;
    if (!from || !to) return 2;
    uint64_t length = 0, data = 0;
    while (std::fread(&length, 8, 1, from) == 1) {
        AxiStream in("in_stream"), out("out_stream");
        for (uint64_t i = 0; i < length; i++) {
            if (std::fread(&data, 8, 1, from) != 1) return 2;
            axi_write(in, AxiBeat{data, 0xFF, i + 1 == length});
        }
        uint32_t status, detail, samples, saturations, product_trips, beats_in, beats_out;
        uint32_t identity, version, configuration;
        circnn_engine(in, out, status, detail, samples, saturations, product_trips, beats_in,
                      beats_out, identity, version, configuration);
        length = beats_out;
        std::fwrite(&length, 8, 1, to);
        for (uint64_t i = 0; i < length; i++) {
            const AxiBeat beat = axi_read(out);
            if (beat.keep != 0xFF || beat.last != (i + 1 == length)) return 3;
            std::fwrite(&beat.data, 8, 1, to);
        }
        if (!in.empty() || !out.empty()) return 4;
    }
    std::fclose(from);
    return std::fclose(to);
}
