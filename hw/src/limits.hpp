// The limits of a 16-bit word.
#ifndef CIRCNN_LIMITS_HPP
#define CIRCNN_LIMITS_HPP

#include "config.hpp"

// Limit a number of any size to +-CIRCNN_VALUE_MAX.
inline Word limit_wide(int64_t v, bool &limited) {
#pragma HLS INLINE
    const bool low = v<-CIRCNN_VALUE_MAX, high = v> CIRCNN_VALUE_MAX;
    limited = low || high;
    return static_cast<Word>(low ? -CIRCNN_VALUE_MAX : high ? CIRCNN_VALUE_MAX : v);
}

#endif
