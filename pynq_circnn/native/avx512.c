/* The kernels for x86 processors with AVX-512 (F, BW, DQ, VL) but without VNNI. */
#include "kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,avx512f,avx512bw,avx512dq,avx512vl"))), \
                             apply_to = function)
#else
#pragma GCC target("prefer-vector-width=512,avx2,avx512f,avx512bw,avx512dq,avx512vl")
#endif

#define VECTOR_X86
#define LANES 16
#define SLOTS 16
#define TILE 4
#define MULTIPLY_ADD_256(sum, a, b) _mm256_add_epi32(sum, _mm256_madd_epi16(a, b))
#define MULTIPLY_ADD_512(sum, a, b) _mm512_add_epi32(sum, _mm512_madd_epi16(a, b))

#define KERNELS circnn_avx512_kernels
#define KERNELS_NAME "avx512"
#define AVAILABLE                                                               \
    (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && \
     __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
#include "kernel_set.h"

#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
