/* Runs cases that the reference made (cases.py) with every set of kernels that is there: the same
 * bits, the same saturation counts.  Built with the sanitisers, and for other processors. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef THREADS
#include <pthread.h>
#endif

#include "circnn.h"

typedef struct {
    uint32_t bytes, samples, in_words, out_words, counters;
    const uint8_t *program;
    const float *x, *y;
    const int64_t *counts;
} test_case;

static void *checked(void *memory) {
    if (!memory) abort();
    return memory;
}

static uint8_t *read_file(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END)) abort();
    const long size = ftell(file);
    uint8_t *bytes = checked(malloc((size_t)size));
    rewind(file);
    if (fread(bytes, 1, (size_t)size, file) != (size_t)size) abort();
    fclose(file);
    return bytes;
}

/* Five numbers, the counts, inputs and outputs, and the program. */
static test_case parse(const uint8_t *file) {
    test_case t;
    memcpy(&t.bytes, file, 4);
    memcpy(&t.samples, file + 4, 4);
    memcpy(&t.in_words, file + 8, 4);
    memcpy(&t.out_words, file + 12, 4);
    memcpy(&t.counters, file + 16, 4);
    t.counts = (const int64_t *)(const void *)(file + 24);
    t.x = (const float *)(const void *)(t.counts + t.counters);
    t.y = t.x + (size_t)t.samples * t.in_words;
    t.program = (const uint8_t *)(t.y + (size_t)t.samples * t.out_words);
    return t;
}

typedef struct {
    const test_case *t;
    const circnn_plan *plan;
    int failures;
} job;

/* One run with a workspace for `tile` samples, with or without counting. */
static int differs(const job *j, size_t tile, int counting) {
    const test_case *t = j->t;
    const size_t values = (size_t)t->samples * t->out_words;
    float *y = checked(malloc(values * sizeof *y));
    int64_t *counts = checked(calloc(t->counters, sizeof *counts));
    circnn_call call = {0};
    call.workspace_bytes = circnn_plan_workspace_bytes(j->plan, tile);
    call.workspace = checked(malloc(call.workspace_bytes));
    memset(call.workspace, 0x80, call.workspace_bytes); /* what is left over must not matter */
    call.saturations = counting ? counts : NULL;
    const int status = circnn_plan_run(j->plan, t->x, CIRCNN_FLOAT32, y, t->samples, &call);
    const int bad = status || memcmp(y, t->y, values * sizeof *y) ||
                    (counting && memcmp(counts, t->counts, t->counters * sizeof *counts));
    free(call.workspace);
    free(counts);
    free(y);
    return bad;
}

static void *check(void *argument) {
    job *j = argument;
    j->failures = differs(j, j->t->samples, 1) + differs(j, j->t->samples, 0) + differs(j, 1, 1) +
                  differs(j, 2, 0);
    return NULL;
}

static int check_plan(const test_case *t, const circnn_plan *plan) {
    enum { JOBS = 4 };
    job jobs[JOBS];
    int failures = 0;
    for (int i = 0; i < JOBS; i++) jobs[i] = (job){t, plan, 0};
#ifdef THREADS
    pthread_t threads[JOBS];
    for (int i = 0; i < JOBS; i++)
        if (pthread_create(&threads[i], NULL, check, &jobs[i])) abort();
    for (int i = 0; i < JOBS; i++) pthread_join(threads[i], NULL);
#else
    check(&jobs[0]);
#endif
    for (int i = 0; i < JOBS; i++) failures += jobs[i].failures;
    return failures;
}

int main(int count, char **paths) {
    int failures = 0, runs = 0;
    const char *only = getenv("CIRCNN_KERNELS");
    for (int i = 1; i < count; i++) {
        uint8_t *file = read_file(paths[i]);
        const test_case t = parse(file);
        for (size_t k = 0; circnn_kernels_name(k); k++) {
            const char *name = circnn_kernels_name(k);
            circnn_plan *plan;
            int32_t layer;
            if (only && strcmp(only, name) != 0) continue;
            if (circnn_plan_create(t.program, t.bytes, name, &plan, &layer)) abort();
            const int bad = check_plan(&t, plan);
            if (bad) printf("%s with %s: %d runs differ\n", paths[i], name, bad);
            failures += bad;
            runs++;
            circnn_plan_destroy(plan);
        }
        free(file);
    }
    for (size_t k = 0; circnn_kernels_name(k); k++)
        if (!only || strcmp(only, circnn_kernels_name(k)) == 0)
            printf("kernels %s\n", circnn_kernels_name(k));
    printf("%d runs of %d cases, %d differ\n", runs, count - 1, failures);
    return failures || !runs;
}
