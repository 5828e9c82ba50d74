#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arithmetic.h"
#include "circnn.h"
#include "program.h"

#if defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD != 0
#error "float32 expressions must be evaluated as float32 (on 32-bit x86: -msse2 -mfpmath=sse)"
#endif

enum { ALIGN_BYTES = 64 };

struct circnn_plan {
    circnn_header header;
    const circnn_kernels *kernels;
    size_t scratch_bytes; /* for one sample, the largest of all layers */
    uint8_t *data;        /* the program's scales and biases, and the prepared weights */
    circnn_layer layers[];
};

static size_t aligned(size_t bytes) {
    return (bytes + ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES;
}

/* -- making a plan -----------------------------------------------------------------------------*/

static size_t data_bytes(const circnn_plan *plan) {
    const circnn_header *h = &plan->header;
    size_t bytes = aligned(2 * (size_t)h->scales_words) + aligned(4 * (size_t)h->biases_words);
    for (int32_t i = 0; i < h->layers; i++)
        if (plan->layers[i].d.opcode == CIRCNN_OP_MATRIX)
            bytes += aligned(plan->kernels->prepared_bytes(&plan->layers[i]));
    return bytes + ALIGN_BYTES;
}

static uint8_t *align_pointer(uint8_t *pointer) {
    return pointer + (size_t)(-(uintptr_t)pointer % ALIGN_BYTES);
}

/* Copy what the kernels need out of the program, the weights in the order that they want. */
static int load(circnn_plan *plan, const circnn_program *program) {
    const circnn_header *h = &plan->header;
    int16_t *weights = malloc(2 * (size_t)h->weights_words + 2);
    plan->data = malloc(data_bytes(plan));
    if (!plan->data || !weights) {
        free(weights);
        return CIRCNN_STATUS_NO_MEMORY;
    }
    uint8_t *next = align_pointer(plan->data);
    int16_t *scales = (int16_t *)(void *)next;
    next += aligned(2 * (size_t)h->scales_words);
    int32_t *biases = (int32_t *)(void *)next;
    next += aligned(4 * (size_t)h->biases_words);
    memcpy(weights, program->weights, 2 * (size_t)h->weights_words);
    memcpy(scales, program->scales, 2 * (size_t)h->scales_words);
    memcpy(biases, program->biases, 4 * (size_t)h->biases_words);
    for (int32_t i = 0; i < h->layers; i++) {
        circnn_layer *layer = &plan->layers[i];
        layer->scales = scales + layer->d.scales_offset;
        layer->biases = biases + layer->d.biases_offset;
        if (layer->d.opcode != CIRCNN_OP_MATRIX) continue;
        layer->weights = weights + layer->d.weights_offset;
        layer->prepared = next;
        next += aligned(plan->kernels->prepared_bytes(layer));
        plan->kernels->prepare(layer);
        layer->weights = NULL;
        const size_t scratch = plan->kernels->scratch_bytes(layer);
        if (scratch > plan->scratch_bytes) plan->scratch_bytes = scratch;
    }
    free(weights);
    return CIRCNN_STATUS_OK;
}

int circnn_plan_create(const uint8_t *bytes, size_t size, circnn_plan **out, int32_t *layer) {
    circnn_program program;
    *out = NULL;
    *layer = -1;
    int status = circnn_program_open(bytes, size, &program);
    if (status != CIRCNN_STATUS_OK) return status;
    const size_t layers = (size_t)program.header.layers;
    circnn_plan *plan = calloc(1, sizeof *plan + layers * sizeof *plan->layers);
    if (!plan) return CIRCNN_STATUS_NO_MEMORY;
    plan->header = program.header;
    plan->kernels = circnn_portable_kernels();
    for (size_t i = 0; i < layers && status == CIRCNN_STATUS_OK; i++) {
        status = circnn_program_layer(&program, i, &plan->layers[i].d);
        *layer = status == CIRCNN_STATUS_OK ? -1 : (int32_t)i;
    }
    if (status == CIRCNN_STATUS_OK) status = load(plan, &program);
    if (status != CIRCNN_STATUS_OK) {
        circnn_plan_destroy(plan);
        return status;
    }
    *out = plan;
    return CIRCNN_STATUS_OK;
}

void circnn_plan_destroy(circnn_plan *plan) {
    if (!plan) return;
    free(plan->data);
    free(plan);
}

const char *circnn_plan_kernels(const circnn_plan *plan) { return plan->kernels->name; }

/* -- running it --------------------------------------------------------------------------------*/

static size_t sample_bytes(const circnn_plan *plan) {
    return 2 * (size_t)plan->header.activation_words + plan->scratch_bytes;
}

size_t circnn_plan_workspace_bytes(const circnn_plan *plan, size_t samples) {
    return 2 * ALIGN_BYTES + samples * sample_bytes(plan);
}

/* float32 to words: scaled exactly by a power of two, limited, rounded with halves to even. */
static int quantize(const circnn_header *h, const float *x, int16_t *words, size_t count,
                    int64_t *saturations) {
    const float scale = ldexpf(1.0f, -h->input_exponent);
    const float limit = CIRCNN_VALUE_MAX + 1;
    const float round = 12582912.0f; /* 1.5 * 2^23: adding it leaves no fraction bits */
    int32_t limited = 0, infinite = 0;
    for (size_t i = 0; i < count; i++) {
        infinite |= !(fabsf(x[i]) <= FLT_MAX);
        float v = x[i] * scale;
        v = v < limit ? v : limit; /* also takes care of NaN */
        v = v > -limit ? v : -limit;
        v = (v + round) - round;
        words[i] = circnn_saturate((int32_t)v, &limited);
    }
    *saturations += limited;
    return infinite;
}

static void quantize_bytes(const circnn_header *h, const uint8_t *x, int16_t *words, size_t count,
                           int64_t *saturations) {
    int32_t limited = 0;
    for (size_t i = 0; i < count; i++)
        words[i] = circnn_saturate(
            circnn_round_shift(x[i] * h->byte_scale + h->byte_bias, h->byte_shift), &limited);
    *saturations += limited;
}

/* Quantise a tile of samples; returns the number of finite ones in front. */
static size_t read_input(const circnn_plan *plan, const void *x, int format, int16_t *words,
                         size_t first, size_t samples, int64_t *saturations) {
    const size_t count = (size_t)plan->header.input_words;
    for (size_t i = 0; i < samples; i++, words += count) {
        const size_t at = (first + i) * count;
        if (format == CIRCNN_UINT8)
            quantize_bytes(&plan->header, (const uint8_t *)x + at, words, count, saturations);
        else if (quantize(&plan->header, (const float *)x + at, words, count, saturations))
            return i;
    }
    return samples;
}

static void run_layer(const circnn_plan *plan, const circnn_layer *layer, int16_t *memory,
                      size_t tile, size_t samples, void *scratch, int64_t *saturations) {
    const circnn_kernels *kernels = plan->kernels;
    const int16_t *in = memory + tile * (size_t)layer->d.input_address;
    int16_t *out = memory + tile * (size_t)layer->d.output_address;
    switch (layer->d.opcode) {
    case CIRCNN_OP_MATRIX:
        kernels->matrix(layer, in, out, samples, saturations, scratch);
        break;
    case CIRCNN_OP_MAX_POOL:
        kernels->max_pool(layer, in, out, samples, saturations);
        break;
    case CIRCNN_OP_AVERAGE_POOL:
        kernels->average_pool(layer, in, out, samples, saturations);
        break;
    case CIRCNN_OP_SCALE_BIAS:
        kernels->scale_bias(layer, in, out, samples, saturations);
        break;
    case CIRCNN_OP_PAD:
        kernels->pad(layer, in, out, samples, saturations);
        break;
    case CIRCNN_OP_ADD:
        kernels->add(layer, in, memory + tile * (size_t)layer->d.second_address, out, samples,
                     saturations);
        break;
    }
}

int circnn_plan_run(const circnn_plan *plan, const void *x, int format, float *y, size_t samples,
                    uint8_t *workspace, size_t workspace_bytes, int64_t *saturations,
                    size_t *bad_sample) {
    const circnn_header *h = &plan->header;
    if (format == CIRCNN_UINT8 && h->byte_scale == 0) return CIRCNN_STATUS_NO_BYTES;
    if (workspace_bytes < circnn_plan_workspace_bytes(plan, 1)) return CIRCNN_STATUS_NO_WORKSPACE;

    /* Layer by layer over a tile of samples.  A tensor at address a of one sample lies at
     * a * tile, the samples one behind the other. */
    const size_t fit = (workspace_bytes - 2 * ALIGN_BYTES) / sample_bytes(plan);
    const size_t tile = fit < samples ? fit : samples;
    uint8_t *base = align_pointer(workspace);
    int16_t *memory = (int16_t *)(void *)base;
    void *scratch = align_pointer(base + 2 * tile * (size_t)h->activation_words);
    const float scale = ldexpf(1.0f, h->output_exponent);
    int64_t unread = 0;

    for (size_t first = 0; first < samples; first += tile) {
        const size_t now = samples - first < tile ? samples - first : tile;
        int16_t *input = memory + tile * (size_t)h->input_address;
        const size_t finite = read_input(plan, x, format, input, first, now,
                                         saturations ? saturations : &unread);
        if (finite < now) {
            *bad_sample = first + finite;
            return CIRCNN_STATUS_NOT_FINITE;
        }
        for (int32_t i = 0; i < h->layers; i++)
            run_layer(plan, &plan->layers[i], memory, tile, now, scratch,
                      saturations ? saturations + 1 + i : &unread);
        const int16_t *output = memory + tile * (size_t)h->output_address;
        float *to = y + first * (size_t)h->output_words;
        for (size_t i = 0; i < now * (size_t)h->output_words; i++) to[i] = (float)output[i] * scale;
    }
    return CIRCNN_STATUS_OK;
}
