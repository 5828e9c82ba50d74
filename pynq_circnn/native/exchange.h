/* One packet to the engine and one back, over mapped registers of engine and AXI DMA (PG021).
 *
 * In C what pynq_circnn/board/link.py is in Python: from Python a register access costs 27 to 42 us
 * on a PYNQ-Z2, here some cycles of the bus.  No function waits longer than its timeout. */
#ifndef CIRCNN_EXCHANGE_H
#define CIRCNN_EXCHANGE_H

#include <stdint.h>

typedef struct {
    volatile uint32_t *engine, *dma; /* mapped registers */
    uint64_t send_address, receive_address;
    uint32_t send_bytes, receive_bytes;
    /* the result */
    uint32_t send_status, receive_status, received;
} circnn_exchange;

enum {
    CIRCNN_EXCHANGE_OK = 0,
    CIRCNN_EXCHANGE_LATE = 1,   /* the timeout has passed */
    CIRCNN_EXCHANGE_ERROR = 2,  /* a DMA status reports an error */
    CIRCNN_EXCHANGE_HALTED = 3, /* a DMA channel is halted */
};

int circnn_exchange_start(circnn_exchange *exchange);
int circnn_exchange_wait(circnn_exchange *exchange, int64_t timeout_ns);
int circnn_exchange_run(circnn_exchange *exchange, int64_t timeout_ns);

#endif
