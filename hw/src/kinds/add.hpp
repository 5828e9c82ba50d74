// The sum of two tensors, word by word.
#ifndef CIRCNN_KIND_ADD_HPP
#define CIRCNN_KIND_ADD_HPP

#include "kind_rules.hpp"

namespace kinds {
namespace add {

inline Windows windows(const circnn_descriptor &) { return single_pixels(); }

inline int32_t combine(const Combination &c, const OperandBeat &beat, int i, int32_t) {
    return aligned(beat.w[i], c.first_align) + aligned(beat.v[i], c.second_align);
}

}  // namespace add
}  // namespace kinds

#endif
