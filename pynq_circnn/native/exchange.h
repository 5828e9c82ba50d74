/* One packet to the engine and one back, over mapped registers of engine and AXI DMA (PG021).
 *
 * The C twin of pynq_circnn/board/link.py: from Python a register access costs 27 to 42 us on a
 * PYNQ-Z2, here some cycles of the bus.  Nothing waits longer than it is told. */
#ifndef CIRCNN_EXCHANGE_H
#define CIRCNN_EXCHANGE_H

#include <stdint.h>

typedef struct {
    volatile uint32_t *engine, *dma; /* mapped registers */
    uint64_t send_address, receive_address;
    uint32_t send_bytes, receive_bytes;
    /* what came of it */
    uint32_t send_status, receive_status, received;
} circnn_exchange;

enum {
    CIRCNN_EXCHANGE_OK = 0,
    CIRCNN_EXCHANGE_LATE = 1,   /* the time is over */
    CIRCNN_EXCHANGE_ERROR = 2,  /* the DMA tells an error in a status */
    CIRCNN_EXCHANGE_HALTED = 3, /* a channel does not run */
};

int circnn_exchange_start(circnn_exchange *exchange);
int circnn_exchange_wait(circnn_exchange *exchange, int64_t timeout_ns);
int circnn_exchange_run(circnn_exchange *exchange, int64_t timeout_ns);

#endif
