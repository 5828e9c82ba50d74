/* The kernels for x86 processors with AVX2 (2013 and later). */
#include "kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC target("avx2")
#endif

#define VECTOR_X86
#define LANES 16
#define SLOTS 8
#define TILE 4
#define MULTIPLY_ADD_256(sum, a, b) _mm256_add_epi32(sum, _mm256_madd_epi16(a, b))

#define KERNELS circnn_avx2_kernels
#define KERNELS_NAME "avx2"
#define AVAILABLE __builtin_cpu_supports("avx2")
#include "kernel_set.h"

#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
