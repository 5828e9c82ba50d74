/* Runs programs from a file through the native back end, for the sanitizers.
 *
 * The file holds records: program bytes, format, samples, workspace samples, bytes of x (uint32
 * each), then program and x.  For each the answer on standard output is: status, layers, values
 * (int32 each), then 1 + layers counters (int64) and the values (float).  A program that is
 * accepted but would take longer than WORK_MAX products, or too much memory, is not run: status
 * 100. */
#include <stdio.h>
#include <stdlib.h>

#include "circnn.h"
#include "program.h"

enum { NOT_RUN = 100 };
static const double WORK_MAX = 2e7, BYTES_MAX = 1e8;

static void *need(void *pointer) {
    if (!pointer) exit(3);
    return pointer;
}

static int32_t run(const uint8_t *bytes, const uint32_t *record, const void *x) {
    circnn_plan *plan;
    int32_t layer, answer[3] = {0, 0, 0};
    const uint32_t samples = record[2];
    int64_t *counts = NULL;
    float *y = NULL;
    answer[0] = circnn_plan_create(bytes, record[0], &plan, &layer);
    if (answer[0] == CIRCNN_STATUS_OK) {
        circnn_program program;
        double work = 0;
        if (circnn_program_open(bytes, record[0], &program)) exit(4);
        for (int32_t i = 0; i < program.header.layers; i++) {
            circnn_descriptor d;
            if (circnn_program_layer(&program, (size_t)i, &d)) exit(5);
            const double taps = d.opcode == CIRCNN_OP_MATRIX || d.opcode == CIRCNN_OP_MAX_POOL ||
                                        d.opcode == CIRCNN_OP_AVERAGE_POOL
                                    ? (double)d.kernel_height * d.kernel_width
                                    : 1;
            const double k = 1 << d.block_log2;
            work += ((double)circnn_out_words(&d) + k) * taps * (d.block_columns + 1) +
                    ((double)circnn_in_words(&d) + k) * d.block_log2;
        }
        const size_t size = circnn_plan_workspace_bytes(plan, record[3]);
        const size_t inputs = (size_t)program.header.input_words * samples *
                              (record[1] == CIRCNN_UINT8 ? 1 : sizeof(float));
        if (work * samples > WORK_MAX || (double)size > BYTES_MAX || inputs > record[4]) {
            answer[0] = NOT_RUN;
        } else {
            uint8_t *workspace = need(malloc(size + 1));
            size_t bad = 0;
            counts = need(calloc((size_t)program.header.layers + 1, sizeof *counts));
            y = need(calloc((size_t)program.header.output_words * samples + 1, sizeof *y));
            answer[1] = program.header.layers;
            answer[2] = (int32_t)((uint32_t)program.header.output_words * samples);
            answer[0] = circnn_plan_run(plan, x, (int)record[1], y, samples, workspace + 1, size,
                                        counts, &bad);
            if (circnn_plan_run(plan, x, (int)record[1], y, samples, workspace + 1, size, NULL,
                                &bad) != answer[0])
                exit(6);
            if (circnn_plan_run(plan, x, (int)record[1], y, samples, workspace + 1,
                                circnn_plan_workspace_bytes(plan, 1) - 1, NULL, &bad) == 0)
                exit(7);
            free(workspace);
        }
        circnn_plan_destroy(plan);
    }
    fwrite(answer, sizeof *answer, 3, stdout);
    if (counts) fwrite(counts, sizeof *counts, (size_t)answer[1] + 1, stdout);
    if (y) fwrite(y, sizeof *y, (size_t)answer[2], stdout);
    free(counts);
    free(y);
    return answer[0];
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
        run(program, record, x);
        free(program);
        free(x);
    }
    fclose(file);
    return 0;
}
