/* Runs programs from a file through the native back end, for the sanitizers.
 *
 * The file holds records: program bytes, format, samples, workspace samples, bytes of x (uint32
 * each), then program and x.  For each the answer on standard output is: status, layers, values
 * (int32 each), then 1 + layers counters (int64) and the values (float).  A program that is
 * accepted but would take longer than WORK_MAX products, or too much memory, is not run: status
 * 100. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "circnn.h"
#include "program.h"

enum { NOT_RUN = 100 };
static const double WORK_MAX = 2e7, BYTES_MAX = 1e8;

static int run_plan(const circnn_plan *plan, const void *x, int format, float *y, size_t samples,
                    uint8_t *workspace, size_t bytes, int64_t *counts) {
    circnn_call call = {.workspace = workspace, .workspace_bytes = bytes, .saturations = counts};
    return circnn_plan_run(plan, x, format, y, samples, &call);
}

static void *need(void *pointer) {
    if (!pointer) exit(3);
    return pointer;
}

/* Products that a run takes, about. */
static double work_of(const uint8_t *bytes, size_t size, circnn_program *program) {
    double work = 0;
    size_t at = 0;
    if (circnn_program_open(bytes, size, program)) exit(4);
    for (int32_t i = 0; i < program->header.layers; i++) {
        circnn_descriptor d;
        if (circnn_program_next(program, &at, &d)) exit(5);
        const int windowed = circnn_opcode_traits[d.opcode].windowed;
        const double taps = windowed ? (double)d.kernel_height * d.kernel_width : 1;
        const double k = 1 << d.block_log2;
        work += ((double)circnn_out_words(&d) + k) * taps * (d.block_columns + 1) +
                ((double)circnn_in_words(&d) + k) * d.block_log2;
    }
    return work;
}

typedef struct {
    int32_t status, layers, values;
    int64_t *counts;
    float *y;
} answer;

/* Run one job with one set of kernels, with and without counting. */
static answer run(const uint8_t *bytes, const uint32_t *record, const void *x,
                  const char *kernels) {
    circnn_plan *plan;
    int32_t layer;
    const size_t samples = record[2];
    const int format = (int)record[1];
    answer a = {0, 0, 0, NULL, NULL};
    a.status = circnn_plan_create(bytes, record[0], kernels, &plan, &layer);
    if (a.status != CIRCNN_STATUS_OK) return a;

    circnn_program program;
    const double work = work_of(bytes, record[0], &program) * (double)samples;
    const size_t one = circnn_plan_workspace_bytes(plan, 1);
    const size_t size = circnn_plan_workspace_bytes(plan, record[3]);
    const size_t word = format == CIRCNN_UINT8 ? 1 : sizeof(float);
    const size_t values = (size_t)program.header.output_words * samples;
    if (work > WORK_MAX || (double)size > BYTES_MAX ||
        (size_t)program.header.input_words * samples * word > record[4]) {
        a.status = NOT_RUN;
    } else {
        uint8_t *workspace = need(malloc(size + 1));
        float *again = need(calloc(values + 1, sizeof *again));
        a.layers = program.header.layers;
        a.values = (int32_t)values;
        a.counts = need(calloc((size_t)a.layers + 1, sizeof *a.counts));
        a.y = need(calloc(values + 1, sizeof *a.y));
        memset(workspace, 0, size + 1);
        a.status = run_plan(plan, x, format, a.y, samples, workspace + 1, size, a.counts);
        memset(workspace, 0, size + 1);
        if (run_plan(plan, x, format, again, samples, workspace + 1, size, NULL) != a.status)
            exit(6);
        if (memcmp(a.y, again, values * sizeof *again)) exit(8);
        if (run_plan(plan, x, format, again, samples, workspace + 1, one - 1, NULL) == 0) exit(7);
        free(workspace);
        free(again);
    }
    circnn_plan_destroy(plan);
    return a;
}

static void free_answer(answer a) {
    free(a.counts);
    free(a.y);
}

/* Run one job with every set of kernels, which must agree, and write the answer. */
static void run_job(const uint8_t *bytes, const uint32_t *record, const void *x) {
    answer a = run(bytes, record, x, circnn_kernels_name(0));
    for (int set = 1; circnn_kernels_name(set); set++) {
        answer b = run(bytes, record, x, circnn_kernels_name(set));
        /* what one set has no memory for, another may */
        if (a.status == CIRCNN_STATUS_OK && b.status == CIRCNN_STATUS_OK &&
            (memcmp(a.y, b.y, (size_t)a.values * sizeof *a.y) ||
             memcmp(a.counts, b.counts, ((size_t)a.layers + 1) * sizeof *a.counts))) {
            fprintf(stderr, "%s and %s differ\n", circnn_kernels_name(0), circnn_kernels_name(set));
            exit(9);
        }
        free_answer(b);
    }
    fwrite(&a, sizeof a.status, 3, stdout);
    if (a.counts) fwrite(a.counts, sizeof *a.counts, (size_t)a.layers + 1, stdout);
    if (a.y) fwrite(a.y, sizeof *a.y, (size_t)a.values, stdout);
    free_answer(a);
}

int main(int argc, char **argv) {
    FILE *file = need(argc == 2 ? fopen(argv[1], "rb") : NULL);
    uint32_t record[5];
    while (fread(record, sizeof record, 1, file) == 1) {
        /* exact allocations, so that reading one byte too many is seen */
        uint8_t *program = need(malloc(record[0] ? record[0] : 1));
        uint8_t *x = need(malloc(record[4] ? record[4] : 1));
        if (fread(program, 1, record[0], file) != record[0]) return 2;
        if (fread(x, 1, record[4], file) != record[4]) return 2;
        run_job(program, record, x);
        free(program);
        free(x);
    }
    fclose(file);
    return 0;
}
