/* Requests to the compiler: functions that are always inlined, loops that are unrolled wholly. */
#ifndef CIRCNN_COMPILER_H
#define CIRCNN_COMPILER_H

#define INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#endif
