/* The windows of a pool: which part of one lies in the image. */
#ifndef CIRCNN_WINDOW_H
#define CIRCNN_WINDOW_H

#include "kernels.h"

/* Rows top ... bottom - 1 and columns left ... right - 1 of the image. */
typedef struct {
    int64_t top, bottom, left, right;
} extent;

/* The part inside the image of the window of output pixel (y, x). */
static inline extent window_at(const circnn_descriptor *d, int64_t y, int64_t x) {
    const int64_t top = y * d->stride_height - d->pad_top;
    const int64_t left = x * d->stride_width - d->pad_left;
    extent e = {top < 0 ? 0 : top, top + d->kernel_height, left < 0 ? 0 : left,
                left + d->kernel_width};
    if (e.bottom > d->in_height) e.bottom = d->in_height;
    if (e.right > d->in_width) e.right = d->in_width;
    return e;
}

/* The words of pixel (y, x) of an input image. */
static inline const int16_t *pixel_at(const circnn_descriptor *d, const int16_t *image, int64_t y,
                                      int64_t x) {
    return image + ((size_t)y * (size_t)d->in_width + (size_t)x) * (size_t)d->in_channels;
}

#endif
