/* Plans: a program made ready for a set of kernels, and its runs (see circnn.h). */
#include <stdlib.h>
#include <string.h>

#include "circnn.h"
#include "kernels.h"
#include "program.h"
#include "sizes.h"

#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ != 0
#error "float32 expressions must be evaluated as float32 (on 32-bit x86: -msse2 -mfpmath=sse)"
#endif

struct circnn_plan {
    circnn_header header;
    const circnn_kernels *kernels;
    circnn_tables tables;
    size_t scratch_bytes; /* the largest of all layers */
    uint8_t *data;        /* the program's scales and biases, and the prepared weights */
    circnn_layer layers[];
};

/* -- sets of kernels ---------------------------------------------------------------------------*/

static const circnn_kernels *const all_kernels[] = {
#if defined(__x86_64__)
    &circnn_avx512vnni_kernels, &circnn_avx512_kernels,
    &circnn_avx2_kernels,
#elif defined(__ARM_NEON)
    &circnn_neon_kernels,
#endif
    &circnn_portable_kernels,   NULL,
};

static const circnn_kernels *available_kernels(size_t number) {
    for (const circnn_kernels *const *kernels = all_kernels; *kernels; kernels++)
        if ((*kernels)->available() && number-- == 0) return *kernels;
    return NULL;
}

static const circnn_kernels *kernels_named(const char *name) {
    const circnn_kernels *kernels = available_kernels(0);
    for (size_t i = 0; name && kernels && strcmp(kernels->name, name) != 0; i++)
        kernels = available_kernels(i + 1);
    return kernels;
}

const char *circnn_kernels_name(size_t number) {
    const circnn_kernels *kernels = available_kernels(number);
    return kernels ? kernels->name : NULL;
}

/* -- making a plan -----------------------------------------------------------------------------*/

/* The twiddles of both ways from the contract's table, and the orders of bit reversal. */
static void fill_tables(circnn_tables *tables) {
    for (int m = 0; m < CIRCNN_MAX_POINTS; m++) {
        const int16_t re = circnn_twiddles_re[m], im = circnn_twiddles_im[m];
        const circnn_twiddle forward = {{re, (int16_t)-im}, {im, re}};
        const circnn_twiddle inverse = {{re, im}, {(int16_t)-im, re}};
        tables->forward[m] = forward;
        tables->inverse[m] = inverse;
    }
    for (int bits = 0; bits < CIRCNN_LIMIT_BLOCK_LOG2; bits++)
        for (int n = 0; n < 1 << bits; n++) {
            int reversed = 0;
            for (int bit = 0; bit < bits; bit++) reversed |= (n >> bit & 1) << (bits - 1 - bit);
            tables->reversed[bits][n] = (uint8_t)reversed;
        }
}

static const circnn_kind *kind_of(const circnn_plan *plan, const circnn_layer *layer) {
    return plan->kernels->kinds[layer->d.opcode];
}

static const circnn_traits *traits_of(const circnn_layer *layer) {
    return &circnn_opcode_traits[layer->d.opcode];
}

static size_t data_bytes(const circnn_plan *plan) {
    const circnn_header *h = &plan->header;
    size_t bytes = aligned(2 * (size_t)h->scales_words) + aligned(4 * (size_t)h->biases_words);
    for (int32_t i = 0; i < h->layers; i++) {
        const circnn_layer *layer = &plan->layers[i];
        if (traits_of(layer)->spectral)
            bytes += aligned(kind_of(plan, layer)->prepared_bytes(layer));
    }
    return bytes + ALIGN_BYTES;
}

static uint8_t *align_pointer(uint8_t *pointer) {
    return pointer + (size_t)(-(uintptr_t)pointer % ALIGN_BYTES);
}

/* Where a word of a block stands in a program for an engine, whose rows hold 2^share_log2 words of
 * a layer: pynq_circnn/program/arrangement.py has the rule. */
static size_t place_in_rows(const circnn_layer *layer, size_t terms, size_t block, size_t term,
                            size_t word) {
    const int log2 = layer->d.block_log2, share = layer->d.share_log2;
    if (log2 > 1) word = 2u * layer->tables->reversed[log2 - 1][word / 2] + word % 2;
    if (log2 > share) { /* a block takes several rows */
        block = (block << (log2 - share)) + (word >> share);
        return ((block * terms + term) << share) + word % ((size_t)1 << share);
    }
    const size_t side = (size_t)1 << (share - log2); /* blocks of a row */
    return ((block / side * terms + term) << share) + (block % side << log2) + word;
}

/* Return a layer's weights in natural order: (block row, term, word).  `room` takes them if the
 * program has them in another order, and has at least as many words as all weights of it. */
static const int16_t *natural_weights(const circnn_layer *layer, const int16_t *weights,
                                      int16_t *room) {
    const circnn_descriptor *d = &layer->d;
    if (d->share_log2 == 0) return weights;
    const size_t k = (size_t)1 << d->block_log2;
    const size_t terms = (size_t)d->kernel_height * (size_t)d->kernel_width *
                         (size_t)d->block_columns;
    int16_t *next = room;
    for (size_t block = 0; block < (size_t)d->block_rows; block++)
        for (size_t term = 0; term < terms; term++)
            for (size_t word = 0; word < k; word++)
                *next++ = weights[place_in_rows(layer, terms, block, term, word)];
    return room;
}

/* Copy what the kernels need out of the program, the weights in the order of their reading. */
static int load(circnn_plan *plan, const circnn_program *program) {
    const circnn_header *h = &plan->header;
    const size_t weight_bytes = 2 * (size_t)h->weights_words;
    int16_t *weights = malloc(2 * weight_bytes + 2); /* and as much room to order them */
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
    memcpy(weights, program->weights, weight_bytes);
    memcpy(scales, program->scales, 2 * (size_t)h->scales_words);
    memcpy(biases, program->biases, 4 * (size_t)h->biases_words);
    for (int32_t i = 0; i < h->layers; i++) {
        circnn_layer *layer = &plan->layers[i];
        layer->scales = scales + layer->d.scales_offset;
        layer->biases = biases + layer->d.biases_offset;
        if (!traits_of(layer)->spectral) continue;
        const circnn_kind *kind = kind_of(plan, layer);
        layer->tables = &plan->tables;
        layer->weights = natural_weights(layer, weights + layer->d.weights_offset,
                                         weights + h->weights_words);
        layer->prepared = next;
        next += aligned(kind->prepared_bytes(layer));
        kind->prepare(layer);
        layer->weights = NULL;
        const size_t scratch = kind->scratch_bytes(layer);
        if (scratch > plan->scratch_bytes) plan->scratch_bytes = scratch;
    }
    free(weights);
    return CIRCNN_STATUS_OK;
}

/* Whether a place holds a whole tensor once so many layers have run: the last that wrote there wrote
 * exactly it.  Samples lie apart by the size of a tile, so parts of tensors cannot be read. */
static int holds_tensor(const circnn_plan *plan, size_t layers, int64_t address, int64_t words) {
    int whole = circnn_is_input(&plan->header, address, words);
    for (size_t i = 0; i < layers; i++) {
        const circnn_descriptor *d = &plan->layers[i].d;
        const int writes = circnn_writes(d, (int64_t)circnn_out_words(d), address, words);
        if (writes) whole = writes > 0;
    }
    return whole;
}

static int reads_tensors(const circnn_plan *plan, size_t index) {
    const circnn_descriptor *d = &plan->layers[index].d;
    const int64_t words = (int64_t)d->in_height * d->in_width * d->in_channels;
    return holds_tensor(plan, index, d->input_address, words) &&
           (!traits_of(&plan->layers[index])->two_operands ||
            holds_tensor(plan, index, d->second_address, circnn_second_words(d)));
}

int circnn_plan_create(const uint8_t *bytes, size_t size, const char *kernels, circnn_plan **out,
                       int32_t *layer) {
    circnn_program program;
    *out = NULL;
    *layer = -1;
    if (!kernels_named(kernels)) return CIRCNN_STATUS_NO_KERNELS;
    int status = circnn_program_open(bytes, size, &program);
    if (status != CIRCNN_STATUS_OK) return status;
    const size_t layers = (size_t)program.header.layers;
    circnn_plan *plan = calloc(1, sizeof *plan + layers * sizeof *plan->layers);
    if (!plan) return CIRCNN_STATUS_NO_MEMORY;
    plan->header = program.header;
    plan->kernels = kernels_named(kernels);
    fill_tables(&plan->tables);
    size_t at = 0;
    for (size_t i = 0; i < layers && status == CIRCNN_STATUS_OK; i++) {
        status = circnn_program_next(&program, &at, &plan->layers[i].d);
        if (status == CIRCNN_STATUS_OK && !reads_tensors(plan, i))
            status = CIRCNN_STATUS_BAD_ADDRESS;
        *layer = status == CIRCNN_STATUS_OK ? -1 : (int32_t)i;
    }
    const circnn_header *h = &plan->header;
    if (status == CIRCNN_STATUS_OK) status = circnn_program_end(&program, at);
    if (status == CIRCNN_STATUS_OK &&
        !holds_tensor(plan, layers, h->output_address, h->output_words))
        status = CIRCNN_STATUS_BAD_ADDRESS;
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

/* The workspace holds the activations of the samples, slack for reading in vectors, and the scratch
 * memory of the kernels. */
static size_t sample_bytes(const circnn_plan *plan) {
    return 2 * (size_t)plan->header.activation_words;
}

static size_t shared_bytes(const circnn_plan *plan) {
    return 3 * ALIGN_BYTES + 2 * CIRCNN_SLACK_WORDS + plan->scratch_bytes;
}

size_t circnn_plan_workspace_bytes(const circnn_plan *plan, size_t samples) {
    return shared_bytes(plan) + samples * sample_bytes(plan);
}

/* Quantise a tile of samples; returns the number of finite ones in front. */
static size_t read_input(const circnn_plan *plan, const void *x, int format, int16_t *words,
                         size_t first, size_t samples, int64_t *saturations) {
    const circnn_header *h = &plan->header;
    const size_t count = (size_t)h->input_words;
    for (size_t i = 0; i < samples; i++, words += count) {
        const size_t at = (first + i) * count;
        if (format == CIRCNN_UINT8)
            plan->kernels->quantize_bytes(h, (const uint8_t *)x + at, words, count, saturations);
        else if (!plan->kernels->quantize(h, (const float *)x + at, words, count, saturations))
            return i;
    }
    return samples;
}

/* The activation memory of a call, for a tile of samples.  What one sample has at address a begins
 * at a * tile; the samples lie one behind the other. */
typedef struct {
    int16_t *words;
    size_t tile;
} activations;

static int16_t *tensor_at(const activations *memory, int32_t address) {
    return memory->words + memory->tile * (size_t)address;
}

static void run_layer(const circnn_plan *plan, const circnn_layer *layer, const activations *memory,
                      size_t samples, const circnn_work *work) {
    const circnn_descriptor *d = &layer->d;
    const int32_t addresses[CIRCNN_MAX_OPERANDS] = {d->input_address, d->second_address};
    const int16_t *operands[CIRCNN_MAX_OPERANDS] = {NULL};
    int16_t *out = tensor_at(memory, d->output_address);
    for (int i = 0; i < 1 + traits_of(layer)->two_operands; i++)
        operands[i] = tensor_at(memory, addresses[i]);
    kind_of(plan, layer)->run(layer, operands, out, samples, work);
    if (!traits_of(layer)->spectral) circnn_lap(work->clock, CIRCNN_OTHER);
}

int circnn_plan_run(const circnn_plan *plan, const void *x, int format, float *y, size_t samples,
                    circnn_call *call) {
    const circnn_header *h = &plan->header;
    const size_t bytes = call->workspace_bytes;
    if (format == CIRCNN_UINT8 && h->byte_scale == 0) return CIRCNN_STATUS_NO_BYTES;
    if (bytes < circnn_plan_workspace_bytes(plan, 1)) return CIRCNN_STATUS_NO_WORKSPACE;

    circnn_clock clock = {0, call->nanoseconds};
    int64_t *saturations = call->saturations;
    uint8_t *base = align_pointer(call->workspace);
    const size_t fit = (bytes - shared_bytes(plan)) / sample_bytes(plan);
    const activations memory = {(int16_t *)(void *)base, least(fit, samples)};
    circnn_work work = {.clock = call->nanoseconds ? &clock : NULL};
    work.scratch = align_pointer(base + memory.tile * sample_bytes(plan) + 2 * CIRCNN_SLACK_WORDS);

    circnn_lap(work.clock, CIRCNN_PARTS);
    for (size_t first = 0; first < samples; first += memory.tile) {
        const size_t now = least(samples - first, memory.tile);
        int16_t *input = tensor_at(&memory, h->input_address);
        const size_t finite = read_input(plan, x, format, input, first, now, saturations);
        if (finite < now) {
            call->bad_sample = first + finite;
            return CIRCNN_STATUS_NOT_FINITE;
        }
        circnn_lap(work.clock, CIRCNN_CONVERSION);
        for (int32_t i = 0; i < h->layers; i++) {
            if (saturations) work.saturations = saturations + 1 + i;
            run_layer(plan, &plan->layers[i], &memory, now, &work);
        }
        plan->kernels->dequantize(h, tensor_at(&memory, h->output_address),
                                  y + first * (size_t)h->output_words,
                                  now * (size_t)h->output_words);
        circnn_lap(work.clock, CIRCNN_CONVERSION);
    }
    return CIRCNN_STATUS_OK;
}

int64_t circnn_plan_multiply_adds(const circnn_plan *plan, size_t rounds) {
    return plan->kernels->multiply_adds(rounds);
}
