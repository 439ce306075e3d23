// A tile of Winograd's convolutions, 16 channels at a time: the vector family's way from pixels to transformed tiles and back.
#define WINOGRAD_REAL float16
#include "ocellus/epilogue.cl"
#include "ocellus/vector.cl"
#include "ocellus/winograd_transforms.cl"

inline float16 load_some(const __global float* from, int count) {
  return count >= 16 ? *(const __global loose16*)from : count > 0 ? load_n(from, count) : 0.0f;
}

#ifndef WINOGRAD_SPACE
#define WINOGRAD_SPACE __global  // where transformed tiles and products lie
#endif
// v (PLANES) = B^T x B, planes `plane` floats apart, of 16 channels of the tile whose first pixel is (top, left) of an image of h x w
// pixels that begins at x; `count` channels are left there. Zeros beyond both.
inline void input_tile(const __global float* restrict x, uint stride, int count, int top, int left, int h, int w, WINOGRAD_SPACE float* v,
                       uint plane) {
  float16 d[PLANES];
  const bool whole = count >= 16 && top >= 0 && left >= 0 && top + EDGE <= h && left + EDGE <= w;
  for (int i = 0; i < EDGE; ++i) {
    const int ih = top + i;
    const __global float* row = x + (ih * w + left) * (int)stride;
    if (whole) {
#pragma unroll
      for (int j = 0; j < EDGE; ++j) d[EDGE * i + j] = *(const __global loose16*)(row + j * stride);
    } else {
      for (int j = 0; j < EDGE; ++j) {
        const bool inside = ih >= 0 && ih < h && left + j >= 0 && left + j < w;
        d[EDGE * i + j] = inside ? load_some(row + j * (int)stride, count) : 0.0f;
      }
    }
    transform_input(d + EDGE * i, 1);
  }
  for (int j = 0; j < EDGE; ++j) {
    transform_input(d + j, EDGE);
#pragma unroll
    for (int i = 0; i < EDGE; ++i) *(WINOGRAD_SPACE loose16*)(v + (EDGE * i + j) * plane) = d[EDGE * i + j];
  }
}

// Pixels (top, left) ... of an image of h x w pixels, the first of which is pixel `image` of y, = [y +] A^T m A with the epilogue, for
// 16 channels from `channel` on, or fewer where y has only `channels`.
inline void output_tile(const WINOGRAD_SPACE float* m, uint plane, int top, int left, int h, int w, uint image, int channel, int channels,
                        __global float* restrict y, uint stride, int accumulate EPILOGUE_PARAMETERS) {
  float16 d[TILE * EDGE];
  for (int j = 0; j < EDGE; ++j) {
    float16 column[EDGE];
#pragma unroll
    for (int i = 0; i < EDGE; ++i) column[i] = *(const WINOGRAD_SPACE loose16*)(m + (EDGE * i + j) * plane);
    transform_output(column, 1);
#pragma unroll
    for (int i = 0; i < TILE; ++i) d[EDGE * i + j] = column[i];
  }
  const int columns = min(TILE, w - left), rows = min(TILE, h - top), count = min(16, channels - channel);
  for (int i = 0; i < rows; ++i) {
    float16 row[EDGE];
#pragma unroll
    for (int j = 0; j < EDGE; ++j) row[j] = d[EDGE * i + j];
    transform_output(row, 1);
    for (int j = 0; j < columns; ++j) {
      const uint pixel = image + (top + i) * w + left + j;
      __global float* to = y + pixel * stride + channel;
      float16 value = row[j];
      if (count == 16) {
        if (accumulate) value += *(const __global loose16*)to;
        *(__global loose16*)to = epilogue16(value, pixel, (uint)channel EPILOGUE_ARGUMENTS);
      } else {
        float lanes[16];
        vstore16(value, 0, lanes);
        for (int l = 0; l < count; ++l) {
          const float sum = accumulate ? to[l] + lanes[l] : lanes[l];
          to[l] = epilogue1(sum, pixel, (uint)(channel + l) EPILOGUE_ARGUMENTS);
        }
      }
    }
  }
}
