// Pooling, channel by channel; x (batch, in_h, in_w, C), y (batch, out_h, out_w, C), channels last with a pixel stride.
// Baked in: KH KW SH SW DH DW PH PW (kernel, stride, dilation, padding before); extents are arguments.
// MAX: maximum, otherwise the average of the pixels that exist. EXACT: the windows tile the input, each pixel once.
// BACKWARD: the way back, else forward.
#include "ocellus/matrix.cl"

// Tap (i, j) of window (oy, ox): the pixel (iy, ix).
#define TAP_Y(oy, i) ((int)(oy) * SH - PH + (i) * DH)
#define TAP_X(ox, j) ((int)(ox) * SW - PW + (j) * DW)

// Taps of the window at `first` (tap 0's coordinate) that lie inside [low, high), on one axis.
inline int taps_inside(int first, int dilation, int taps, int low, int high) {
  int n = 0;
  for (int i = 0; i < taps; ++i) n += first + i * dilation >= low && first + i * dilation < high;
  return n;
}

#ifndef BACKWARD
// rows = batch * out_h * out_w pixels. origins: int2 (y, x) of each item's pixel (0, 0) in an image of full_h x full_w;
// without them full_h, full_w are in_h, in_w.
__kernel MATRIX_ATTRIBUTES void pool_forward(MATRIX_PARAMETERS, __global const float* x, uint x_offset, uint x_stride,
                                             __global float* y, uint y_offset, uint y_stride, int in_h, int in_w,
                                             uint out_h, uint out_w, __global const int* origins, int full_h, int full_w) {
  __global const float* end = x + x_offset + (rows / (out_h * out_w) * in_h * in_w - 1) * x_stride + columns;
  FOR_EACH(pixel, c, n) {
    const uint ox = pixel % out_w, row = pixel / out_w, oy = row % out_h, item = row / out_h;
    int low_y = 0, low_x = 0, high_y = in_h, high_x = in_w;
    if (origins) {
      const int y0 = origins[2 * item], x0 = origins[2 * item + 1];
      low_y = max(0, -y0);
      low_x = max(0, -x0);
      high_y = min(in_h, full_h - y0);
      high_x = min(in_w, full_w - x0);
    }
    __global const float* image = x + x_offset + item * in_h * in_w * x_stride + c;
#ifdef MAX
    T result = -INFINITY;
#else
    T result = 0.0f;
#endif
    for (int i = 0; i < KH; ++i) {
      const int iy = TAP_Y(oy, i);
      if (iy < low_y || iy >= high_y) continue;
      for (int j = 0; j < KW; ++j) {
        const int ix = TAP_X(ox, j);
        if (ix < low_x || ix >= high_x) continue;
        const T v = LOAD_WIDE(image + (iy * in_w + ix) * x_stride, n, end);
#ifdef MAX
        result = v > result ? v : result;
#else
        result += v;
#endif
      }
    }
#ifndef MAX
    const int count = taps_inside(TAP_Y(oy, 0), DH, KH, low_y, high_y) * taps_inside(TAP_X(ox, 0), DW, KW, low_x, high_x);
    result /= (float)max(1, count);
#endif
    STORE(result, y + y_offset + pixel * y_stride + c, n);
  }
}

#else
#define BACKWARD_PARAMETERS                                                                              \
  __global const float *x, uint x_offset, uint x_stride, __global const float *y, uint y_offset, uint y_stride, \
      __global const float *dy, uint dy_offset, uint dy_stride, __global float *dx, uint dx_offset, uint dx_stride, \
      int in_h, int in_w, uint out_h, uint out_w, int accumulate

#ifdef TILED
// One element of dx a work-item: it asks each window that covers it. rows = batch * in_h * in_w.
__kernel MATRIX_ATTRIBUTES void pool_backward(MATRIX_PARAMETERS, BACKWARD_PARAMETERS) {
  FOR_EACH(pixel, c, n) {
    const int ix = pixel % in_w, iy = pixel / in_w % in_h;
    const uint item = pixel / (in_w * in_h);
    float sum = 0.0f;
    for (int i = KH - 1; i >= 0; --i) {  // windows in the order of their outputs
      const int sy = iy + PH - i * DH, oy = sy / SH;
      if (sy < 0 || sy % SH != 0 || oy >= (int)out_h) continue;
      for (int j = KW - 1; j >= 0; --j) {
        const int sx = ix + PW - j * DW, ox = sx / SW;
        if (sx < 0 || sx % SW != 0 || ox >= (int)out_w) continue;
        const uint window = (item * out_h + oy) * out_w + ox;
        const float g = dy[dy_offset + window * dy_stride + c];
#ifdef MAX
        const float top = y[y_offset + window * y_stride + c];
        __global const float* image = x + x_offset + item * in_h * in_w * x_stride + c;
        bool first = image[(iy * in_w + ix) * x_stride] == top;
        for (int t = 0; first && t < i * KW + j; ++t) {  // no earlier tap may hold the maximum
          const int ty = TAP_Y(oy, t / KW), tx = TAP_X(ox, t % KW);
          if (ty >= 0 && ty < in_h && tx >= 0 && tx < in_w) first = image[(ty * in_w + tx) * x_stride] != top;
        }
        if (first) sum += g;
#else
        sum += g / (float)(taps_inside(TAP_Y(oy, 0), DH, KH, 0, in_h) * taps_inside(TAP_X(ox, 0), DW, KW, 0, in_w));
#endif
      }
    }
    __global float* to = dx + dx_offset + pixel * dx_stride + c;
    *to = accumulate ? *to + sum : sum;
  }
}
#else
// Sixteen channels of a window at a time hand their gradient down. Work-item (z, y, x): item z of the batch, window rows
// [y * block_y, ...), channels [x * block_c, ...). Where windows overlap, block_y is out_h: nobody else adds to these pixels.
__attribute__((reqd_work_group_size(1, 1, 1))) __kernel void pool_backward(uint channels, uint block_y, uint block_c,
                                                                           BACKWARD_PARAMETERS) {
  const uint item = get_global_id(2), oy_begin = get_global_id(1) * block_y, oy_end = min(out_h, oy_begin + block_y);
  const uint c_begin = get_global_id(0) * block_c, c_end = min(channels, c_begin + block_c);
  const uint dx_base = dx_offset + item * in_h * in_w * dx_stride;
  const uint outputs = get_global_size(2) * out_h * out_w - 1;
#ifdef MAX
  const uint x_base = x_offset + item * in_h * in_w * x_stride;
  __global const float* x_end = x + x_offset + (get_global_size(2) * in_h * in_w - 1) * x_stride + channels;
  __global const float* y_end = y + y_offset + outputs * y_stride + channels;
#endif
  __global const float* dy_end = dy + dy_offset + outputs * dy_stride + channels;
#ifndef EXACT
  if (!accumulate) {  // the input rows from this block's first window to the next block's
    const int top = oy_begin == 0 ? 0 : max(0, TAP_Y(oy_begin, 0)), bottom = oy_end == out_h ? in_h : TAP_Y(oy_end, 0);
    for (uint p = top * in_w; p < (uint)max(top, min(in_h, bottom)) * in_w; ++p)
      for (uint c = c_begin; c < c_end; c += 16) store_n((float16)(0.0f), dx + dx_base + p * dx_stride + c, min(16u, c_end - c));
  }
#endif
  for (uint oy = oy_begin; oy < oy_end; ++oy)
    for (uint ox = 0; ox < out_w; ++ox)
      for (uint c = c_begin; c < c_end; c += 16) {
        const uint n = min(16u, c_end - c), window = (item * out_h + oy) * out_w + ox;
        float16 g = load_wide(dy + dy_offset + window * dy_stride + c, n, dy_end);
#ifdef MAX
        const float16 top = load_wide(y + y_offset + window * y_stride + c, n, y_end);
        int16 found = 0;
#else
        g /= (float)(taps_inside(TAP_Y(oy, 0), DH, KH, 0, in_h) * taps_inside(TAP_X(ox, 0), DW, KW, 0, in_w));
#endif
        for (int i = 0; i < KH; ++i)
          for (int j = 0; j < KW; ++j) {
            const int iy = TAP_Y(oy, i), ix = TAP_X(ox, j);
            if (iy < 0 || iy >= in_h || ix < 0 || ix >= in_w) continue;
            const uint p = iy * in_w + ix;
#ifdef MAX
            const int16 here = (load_wide(x + x_base + p * x_stride + c, n, x_end) == top) & ~found;
            found |= here;
            float16 d = as_float16(as_int16(g) & here);
#else
            float16 d = g;
#endif
            __global float* to = dx + dx_base + p * dx_stride + c;
#ifdef EXACT
            if (accumulate)
#endif
              d += load_n(to, n);
            store_n(d, to, n);
          }
      }
}
#endif
#endif
