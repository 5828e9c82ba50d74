// Calls a leaf in RTL with random and extreme numbers; Bambu compares each call with the C++, and
// so does this bench.  LEAF is the function, `unit` the one that became RTL.
#include <mdpi/mdpi_user.h>
#include <stdio.h>

#include "leaves.hpp"

uint64_t unit(uint32_t a, uint32_t b, uint64_t c);

static uint64_t state = 88172645463325252ull;

static uint64_t random_word() {  // xorshift64*
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545F4914F6CDD1Dull;
}

// Half of the draws consist of the largest and smallest words and of zeros.
static uint64_t draw() {
    static const uint16_t extreme[4] = {0x7FFF, 0x8001, 0, 0xFFFF};
    if (random_word() >> 63) return random_word();
    uint64_t bits = 0;
    for (int i = 0; i < 4; i++) bits = bits << 16 | extreme[random_word() >> 62];
    return bits;
}

int main() {
    for (int i = 0; i < 500; i++) {
        const uint32_t a = static_cast<uint32_t>(draw()), b = static_cast<uint32_t>(draw());
        const uint64_t c = i % 2 ? random_word() : draw();
        if (unit(a, b, c) != LEAF(a, b, c)) {
            printf("call %d differs\n", i);
            return 1;
        }
    }
    printf("bench: all equal\n");
    return 0;
}
