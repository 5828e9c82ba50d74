#ifndef CIRCNN_TOP_HPP
#define CIRCNN_TOP_HPP

#include "circnn_engine.hpp"

void circnn_engine(AxiStream &in_stream, AxiStream &out_stream, uint32_t &status, uint32_t &detail,
                   uint32_t &samples, uint32_t &saturations, uint32_t &product_trips,
                   uint32_t &beats_in, uint32_t &beats_out, uint32_t &identity, uint32_t &version,
                   uint32_t &configuration);

#endif
