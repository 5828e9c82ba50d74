/* The kernels in nothing but C and vector extensions, for any processor. */
#define LANES 8
#define SLOTS 4
#define TILE 4

#define KERNELS circnn_portable_kernels
#define KERNELS_NAME "portable"
#define AVAILABLE 1
#include "kernel_set.h"
