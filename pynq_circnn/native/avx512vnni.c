/* The kernels for x86 processors with AVX-512 and VNNI, which multiplies and adds in one step. */
#include "kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((                                                     \
                                 target("avx2,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"))), \
                             apply_to = function)
#else
#pragma GCC target("prefer-vector-width=512,avx2,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")
#endif

#define VECTOR_X86
#define LANES 16
#define SLOTS 16
#define TILE 4
#define MULTIPLY_ADD_256(sum, a, b) _mm256_dpwssd_epi32(sum, a, b)
#define MULTIPLY_ADD_512(sum, a, b) _mm512_dpwssd_epi32(sum, a, b)

#define KERNELS circnn_avx512vnni_kernels
#define KERNELS_NAME "avx512vnni"
#define AVAILABLE                                                                \
    (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&  \
     __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && \
     __builtin_cpu_supports("avx512vnni"))
#include "kernel_set.h"

#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
