#define _POSIX_C_SOURCE 199309L

#include "exchange.h"

#include <time.h>

#include "circnn_contract.h"

enum { SEND = 0x00 / 4, RECEIVE = 0x30 / 4 }; /* MM2S and S2MM, in words */
enum { STATUS = 0x04 / 4, ADDRESS = 0x18 / 4, ADDRESS_HIGH = 0x1C / 4, LENGTH = 0x28 / 4 };
enum { CONTROL = 0, START = 1 }; /* of the engine */
enum { HALTED = 1, IDLE = 2, ERRORS = 0x70, DONE = 0x1000, CLEAR = 0x7000 };
enum { LENGTH_MASK = (1 << CIRCNN_ENGINE_DMA_LENGTH_BITS) - 1 };
enum { SPIN_NS = 200000, NAP_NS = 20000 }; /* poll without pause at first, then sleep in between */

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void transfer(volatile uint32_t *channel, uint64_t address, uint32_t bytes) {
    channel[ADDRESS] = (uint32_t)address;
    channel[ADDRESS_HIGH] = (uint32_t)(address >> 32);
    channel[LENGTH] = bytes; /* starts it */
}

int circnn_exchange_start(circnn_exchange *exchange) {
    volatile uint32_t *dma = exchange->dma;
    exchange->send_status = dma[SEND + STATUS];
    exchange->receive_status = dma[RECEIVE + STATUS];
    exchange->received = 0;
    if ((exchange->send_status | exchange->receive_status) & HALTED) return CIRCNN_EXCHANGE_HALTED;
    dma[SEND + STATUS] = CLEAR;
    dma[RECEIVE + STATUS] = CLEAR;
    __sync_synchronize(); /* buffers are in memory, the interrupt bits cleared */
    transfer(dma + RECEIVE, exchange->receive_address, exchange->receive_bytes);
    exchange->engine[CONTROL] = START;
    transfer(dma + SEND, exchange->send_address, exchange->send_bytes);
    return CIRCNN_EXCHANGE_OK;
}

static int complete(uint32_t status) { return (status & (IDLE | DONE)) == (IDLE | DONE); }

int circnn_exchange_wait(circnn_exchange *exchange, int64_t timeout_ns) {
    volatile uint32_t *dma = exchange->dma;
    const int64_t begin = now_ns();
    for (;;) {
        const int64_t passed = now_ns() - begin; /* before the registers: the last look counts */
        exchange->send_status = dma[SEND + STATUS];
        exchange->receive_status = dma[RECEIVE + STATUS];
        if ((exchange->send_status | exchange->receive_status) & ERRORS)
            return CIRCNN_EXCHANGE_ERROR;
        if (complete(exchange->receive_status) && complete(exchange->send_status)) break;
        if (passed > timeout_ns) return CIRCNN_EXCHANGE_LATE;
        if (passed > SPIN_NS) nanosleep(&(struct timespec){0, NAP_NS}, 0);
    }
    exchange->received = dma[RECEIVE + LENGTH] & LENGTH_MASK;
    __sync_synchronize(); /* the buffers are read after this */
    return CIRCNN_EXCHANGE_OK;
}

int circnn_exchange_run(circnn_exchange *exchange, int64_t timeout_ns) {
    const int result = circnn_exchange_start(exchange);
    return result ? result : circnn_exchange_wait(exchange, timeout_ns);
}
