// The channels of two tensors, one after the other.
#ifndef CIRCNN_KIND_CONCATENATE_HPP
#define CIRCNN_KIND_CONCATENATE_HPP

#include "kind_rules.hpp"

namespace kinds {
namespace concatenate {

inline Windows windows(const circnn_descriptor &) { return single_pixels(); }

inline int32_t combine(const Combination &c, const OperandBeat &beat, int i, int32_t) {
    return aligned(beat.w[i], beat.second ? c.second_align : c.first_align);
}

}  // namespace concatenate
}  // namespace kinds

#endif
