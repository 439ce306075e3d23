// Random changes of images (N, H, W, C), contiguous: a work-item makes one row of one image. What happens to an image is
// drawn from Philox counter (0, sample, node, step), so it depends on nothing else.
#include "ocellus/philox.cl"

#ifndef GROUP
#define GROUP 8
#endif
#define KERNEL __kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void
#define PARAMETERS                                                                               \
  __global const float *restrict images, uint image_offset, __global float *restrict output,      \
      uint output_offset, __global const int *samples, int height, int width, int channels,       \
      uint key0, uint key1, uint node, uint step

#define BEGIN                                                                                    \
  const int y = get_global_id(0), n = get_global_id(1);                                          \
  if (y >= height) return;                                                                       \
  const float4 u =                                                                               \
      uniform4(philox4x32((uint4)(0, samples ? samples[n] : n, node, step), key0, key1));        \
  __global const float* image = images + image_offset + n * height * width * channels;           \
  __global float* out = output + output_offset + (n * height + y) * width * channels;

// `horizontal`, `vertical`: whether that flip may happen, each with probability 1/2.
KERNEL random_flip(PARAMETERS, int horizontal, int vertical) {
  BEGIN
  const int from = vertical && u.y < 0.5f ? height - 1 - y : y;
  __global const float* row = image + from * width * channels;
  if (horizontal && u.x < 0.5f) {
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < channels; ++c) out[x * channels + c] = row[(width - 1 - x) * channels + c];
  } else {
    for (int i = 0; i < width * channels; ++i) out[i] = row[i];
  }
}

// What stands outside the image: FILL 0 reflect (d c b a | a b c d | d c b a), 1 constant, 2 nearest, 3 wrap.
#ifndef FILL
#define FILL 0
#endif
#ifndef BILINEAR
#define BILINEAR 1
#endif

// The pixel that stands at place i of an axis of n pixels; -1: the constant.
inline int inside(int i, int n) {
#if FILL == 0
  const int period = 2 * n, m = ((i % period) + period) % period;
  return m < n ? m : period - 1 - m;
#elif FILL == 1
  return i >= 0 && i < n ? i : -1;
#elif FILL == 2
  return clamp(i, 0, n - 1);
#else
  return ((i % n) + n) % n;
#endif
}

inline float pixel(__global const float* image, int y, int x, int c, int width, int channels, float value) {
  return y < 0 || x < 0 ? value : image[(y * width + x) * channels + c];
}

// Moves an image down by `height` * uniform(low_y, high_y) pixels and right by `width` * uniform(low_x, high_x).
KERNEL random_translation(PARAMETERS, float low_y, float high_y, float low_x, float high_x, float value) {
  BEGIN
  const float source_y = (float)y - (low_y + u.x * (high_y - low_y)) * (float)height;
  const float shift_x = (low_x + u.y * (high_x - low_x)) * (float)width;
#if BILINEAR
  const float floor_y = floor(source_y), fy = source_y - floor_y;
  const int y0 = inside((int)floor_y, height), y1 = inside((int)floor_y + 1, height);
  for (int x = 0; x < width; ++x) {
    const float source_x = (float)x - shift_x, floor_x = floor(source_x), fx = source_x - floor_x;
    const int x0 = inside((int)floor_x, width), x1 = inside((int)floor_x + 1, width);
    for (int c = 0; c < channels; ++c) {
      const float top = mix(pixel(image, y0, x0, c, width, channels, value),
                            pixel(image, y0, x1, c, width, channels, value), fx);
      const float bottom = mix(pixel(image, y1, x0, c, width, channels, value),
                               pixel(image, y1, x1, c, width, channels, value), fx);
      out[x * channels + c] = mix(top, bottom, fy);
    }
  }
#else
  const int from = inside((int)floor(source_y + 0.5f), height);
  for (int x = 0; x < width; ++x) {
    const int at = inside((int)floor((float)x - shift_x + 0.5f), width);
    for (int c = 0; c < channels; ++c) out[x * channels + c] = pixel(image, from, at, c, width, channels, value);
  }
#endif
}
