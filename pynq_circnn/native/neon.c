/* The kernels for Arm processors with NEON: 32-bit ones compiled for it, and all 64-bit ones. */
#include "kernels.h"

#if defined(__ARM_NEON)
#include <arm_neon.h>

#define VECTOR_NEON
#define LANES 8
#define SLOTS 4
#define TILE 4

#define KERNELS circnn_neon_kernels
#define KERNELS_NAME "neon"
#define AVAILABLE 1
#include "kernel_set.h"
#endif
