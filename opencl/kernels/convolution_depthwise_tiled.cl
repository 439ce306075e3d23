// Convolution of each channel by itself, tiled family: neighbouring work-items are neighbouring channels, so every load and store of
// a group is one run of memory; nothing is shared beyond what caches hold, and there is nothing to wait for.
// KH, KW, W_STRIDE, W_DILATION; GROUP work-items; WEIGHTS: the gradient by the kernel alone. M: outputs an input channel. A result channel c reads channel c / SPREAD * JOIN + m,
// m < JOIN: forward SPREAD = M, JOIN = 1; backward by data SPREAD = 1, JOIN = M.
#include "ocellus/epilogue.cl"
#define AXIS(a) int a##_in, int a##_out, int a##_stride, int a##_dilation, int a##_pad
#define PIXELS 4  // neighbouring outputs of a work-item: they share loads

#ifndef WEIGHTS
// As convolution_depthwise_vector; kernel_ has tap_channels floats a tap.
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1)))
void convolution_depthwise_tiled(int batch, AXIS(h), AXIS(w), int h_origin, int h_step, int h_size, int w_origin, int w_step,
                                 int w_size, int channels, __global const float* restrict x, uint x_offset, uint x_stride,
                                 __global const float* restrict kernel_, int kernel_offset, int tap_h, int tap_w,
                                 __global float* restrict y, uint y_offset, uint y_stride, int accumulate EPILOGUE_PARAMETERS) {
  const uint id = get_global_id(0), tiles = (w_out + PIXELS - 1) / PIXELS;
  const int c = id % channels;
  const uint tile = id / channels;
  if (tile >= (uint)batch * h_out * tiles) return;
  const int ow = tile % tiles * PIXELS, oh = tile / tiles % h_out, item = tile / tiles / h_out;
  const int ih = oh * h_stride - h_pad, iw = ow * W_STRIDE - w_pad, source = c / SPREAD * JOIN;
  float sums[PIXELS] = {0};
  for (int kh = 0; kh < KH; ++kh) {
    const int row = ih + kh * h_dilation;
    if (row < 0 || row >= h_in) continue;
    __global const float* line = x + x_offset + (uint)(item * h_in + row) * w_in * x_stride + source;
    for (int kw = 0; kw < KW; ++kw)
      for (int m = 0; m < JOIN; ++m) {
        const float tap = kernel_[kernel_offset + kh * tap_h + kw * tap_w + c * JOIN + m];
#pragma unroll
        for (int p = 0; p < PIXELS; ++p) {
          const int column = iw + p * W_STRIDE + kw * W_DILATION;
          if (column >= 0 && column < w_in) sums[p] = fma(tap, line[(uint)column * x_stride + m], sums[p]);
        }
      }
  }
  for (int p = 0; p < PIXELS && ow + p < w_out; ++p) {
    const uint pixel = (uint)(item * h_size + h_origin + oh * h_step) * w_size + w_origin + (ow + p) * w_step;
    __global float* to = y + y_offset + pixel * y_stride + c;
    const float sum = accumulate ? *to + sums[p] : sums[p];
    *to = epilogue1(sum, pixel, (uint)c EPILOGUE_ARGUMENTS);
  }
}

#else
// Gradient by the kernel: one weight and a run of `rows_each` output rows of the batch a work-item.
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1)))
void convolution_depthwise_weights_tiled(int batch, AXIS(h), AXIS(w), int channels, __global const float* restrict x,
                                         uint x_offset, uint x_stride, __global const float* restrict dy, uint dy_offset,
                                         uint dy_stride, __global float* restrict out, uint out_offset, uint run_stride,
                                         int accumulate, int rows_each) {
  const int id = get_global_id(0), c = id % channels, tap = id / channels;
  if (tap >= KH * KW) return;
  const int kh = tap / KW, kw = tap % KW;
  const int begin = get_global_id(1) * rows_each, end = min(batch * h_out, begin + rows_each);
  float sum = 0.0f;
  for (int row = begin; row < end; ++row) {
    const int ih = row % h_out * h_stride - h_pad + kh * h_dilation;
    if (ih < 0 || ih >= h_in) continue;
    __global const float* line = x + x_offset + (uint)(row / h_out * h_in + ih) * w_in * x_stride + c / SPREAD;
    __global const float* g = dy + dy_offset + (uint)row * w_out * dy_stride + c;
    float part = 0.0f;  // of a row: partial sums keep the rounding error small
    for (int ow = 0; ow < w_out; ++ow) {
      const int iw = ow * W_STRIDE - w_pad + kw * W_DILATION;
      if (iw >= 0 && iw < w_in) part = fma(line[(uint)iw * x_stride], g[(uint)ow * dy_stride], part);
    }
    sum += part;
  }
  __global float* to = out + out_offset + get_global_id(1) * run_stride + id;
  *to = accumulate ? *to + sum : sum;
}
#endif
