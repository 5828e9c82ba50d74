/* The kernels for one target, under the names that the including source gives them:
 *
 *   KERNELS       the name of the set as a variable
 *   KERNELS_NAME  and as a text
 *   AVAILABLE     whether this machine can run them
 *
 * circnn_kinds.h is generated: it includes kinds/NAME.h for every opcode of the contract, each of
 * which defines NAME_kind. */
#include "circnn_kinds.h"
#include "conversion.h"
#include "kernels.h"
#include "peak.h"

static int available(void) { return AVAILABLE; }

static int quantize(const circnn_header *h, const float *x, int16_t *out, size_t count,
                    int64_t *saturations) {
    const float scale = power_of_two(-h->input_exponent);
    int32_t limited = 0;
    if (!saturations) return words_of_floats(scale, x, out, count, NULL);
    const int finite = words_of_floats(scale, x, out, count, &limited);
    *saturations += limited;
    return finite;
}

static void quantize_bytes(const circnn_header *h, const uint8_t *x, int16_t *out, size_t count,
                           int64_t *saturations) {
    int32_t limited = 0;
    words_of_bytes(h, x, out, count, &limited);
    if (saturations) *saturations += limited;
}

static void dequantize(const circnn_header *h, const int16_t *in, float *y, size_t count) {
    floats_of_words(power_of_two(h->output_exponent), in, y, count);
}

#define KIND(NAME, name) [CIRCNN_OP_##NAME] = &name##_kind,

const circnn_kernels KERNELS = {
    .name = KERNELS_NAME,
    .available = available,
    .kinds = {CIRCNN_FOR_OPCODES(KIND)},
    .quantize = quantize,
    .quantize_bytes = quantize_bytes,
    .dequantize = dequantize,
    .multiply_adds = multiply_adds,
};

#undef KIND
