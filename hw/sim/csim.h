// One simulated engine behind a C interface, for the csim back end and the emulated board.
#ifndef CIRCNN_CSIM_H
#define CIRCNN_CSIM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct circnn_csim circnn_csim;

// Returns an engine in its state after reset, or NULL if there is too little memory.
circnn_csim *circnn_csim_create(void);

void circnn_csim_destroy(circnn_csim *csim);

// One start: takes a packet, with TLAST on its last beat, and returns the length in beats of the
// packet that the engine sends; at most `room` of these beats are stored.
size_t circnn_csim_step(circnn_csim *csim, const uint64_t *packet, size_t beats, uint64_t *reply,
                        size_t room);

// What the output registers hold: status, detail, samples, saturations, product_trips, beats_in,
// beats_out.
void circnn_csim_registers(const circnn_csim *csim, uint32_t registers[7]);

// Trips of every unit, summed over runs since they were cleared: layers x units (read, forward,
// product, inverse, vector, epilogue, write), and of the input, output and weights loops.
void circnn_csim_clear_trips(circnn_csim *csim);
void circnn_csim_trips(const circnn_csim *csim, uint64_t *layers, uint64_t *moves);

// How a spectral layer of the loaded program runs, as the engine worked it out: the values of the
// fields in the order of circnn_csim_layer_fields, whose names each end in a space.
const char *circnn_csim_layer_fields(void);
void circnn_csim_layer(const circnn_csim *csim, int32_t index, int32_t *fields);

#ifdef __cplusplus
}
#endif

#endif
