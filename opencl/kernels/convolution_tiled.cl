// Convolution as a matrix product whose matrices are read out of the tensors: no im2col buffer. See ocellus/local_tile.cl.
// x (batch, in_h, in_w, groups * group_in), y (batch, out_h, out_w, groups * group_out), both with a pixel stride;
// kernel (KH, KW, group_in, groups * group_out). Baked in: KH KW SH SW DH DW PH PW (kernel, stride, dilation, padding before),
// the pass (FORWARD, BACKWARD_DATA or BACKWARD_WEIGHTS) and the tile. Work-group dimension 2: group + groups * part.
// The three kernels differ in their matrices and share what follows their #endif.
#include "ocellus/epilogue.cl"

#define GEOMETRY uint batch, int in_h, int in_w, int out_h, int out_w, uint groups, uint group_in, uint group_out

// Channel t % group_in, under tap t / group_in of the window of output pixel `pixel`; 0 in the padding.
inline float window_value(__global const float* x, uint x_stride, uint pixel, uint t, int in_h, int in_w, int out_h,
                          int out_w, uint group_in) {
  const uint tap = t / group_in, row = pixel / (uint)out_w;
  const int iw = (int)(pixel % (uint)out_w) * SW - PW + (int)(tap % KW) * DW;
  const int ih = (int)(row % (uint)out_h) * SH - PH + (int)(tap / KW) * DH;
  if (ih < 0 || ih >= in_h || iw < 0 || iw >= in_w) return 0.0f;
  return x[((row / (uint)out_h * in_h + ih) * in_w + iw) * x_stride + t % group_in];
}

// Channel t % group_out of the output pixel whose window has its tap t / group_out on input pixel `pixel`; 0 if none has.
inline float covering_value(__global const float* dy, uint y_stride, uint pixel, uint t, int in_h, int in_w, int out_h,
                            int out_w, uint group_out) {
  const uint tap = t / group_out, row = pixel / (uint)in_w;
  const int sw = (int)(pixel % (uint)in_w) + PW - (int)(tap % KW) * DW, ow = sw / SW;
  const int sh = (int)(row % (uint)in_h) + PH - (int)(tap / KW) * DH, oh = sh / SH;
  if (sh < 0 || sh % SH != 0 || oh >= out_h || sw < 0 || sw % SW != 0 || ow >= out_w) return 0.0f;
  return dy[((row / (uint)in_h * out_h + oh) * out_w + ow) * y_stride + t % group_out];
}

#ifdef FORWARD
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1)))
void convolution_tiled_forward(GEOMETRY, __global const float* restrict x, uint x_offset, uint x_stride,
                               __global const float* restrict weights, uint weights_offset, __global float* restrict y,
                               uint y_offset, uint y_stride EPILOGUE_PARAMETERS,
                               uint first_tile, uint first_product) {
  const uint group = first_product + get_group_id(2), pixels = batch * out_h * out_w, terms = KH * KW * group_in;
  __global const float* in = x + x_offset + group * group_in;
  __global const float* w = weights + weights_offset + group * group_out;
#define M pixels
#define N group_out
#define K_BEGIN 0
#define K_END terms
#define A_ALONG_K
#define A_VALUE(i, k) \
  ((i) < pixels && (k) < terms ? window_value(in, x_stride, i, k, in_h, in_w, out_h, out_w, group_in) : 0.0f)
#define B_VALUE(k, j) ((k) < terms && (j) < group_out ? w[(k) * (groups * group_out) + (j)] : 0.0f)
#define STORE_VALUE(i, j, v)                                                      \
  {                                                                               \
    const uint channel = group * group_out + (j);                                 \
    y[y_offset + (i) * y_stride + channel] = epilogue1(v, i, channel EPILOGUE_ARGUMENTS); \
  }

#elif defined(BACKWARD_DATA)
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1)))
void convolution_tiled_backward_data(GEOMETRY, __global float* restrict dx, uint x_offset, uint x_stride,
                                     __global const float* restrict weights, uint weights_offset,
                                     __global const float* restrict dy, uint y_offset, uint y_stride,
                                     int accumulate, uint first_tile, uint first_product) {
  const uint group = first_product + get_group_id(2), pixels = batch * in_h * in_w, terms = KH * KW * group_out;
  __global const float* gradient = dy + y_offset + group * group_out;
  __global const float* w = weights + weights_offset + group * group_out;
#define M pixels
#define N group_in
#define K_BEGIN 0
#define K_END terms
#define A_ALONG_K
#define B_ALONG_K
#define A_VALUE(i, k) \
  ((i) < pixels && (k) < terms ? covering_value(gradient, y_stride, i, k, in_h, in_w, out_h, out_w, group_out) : 0.0f)
#define B_VALUE(k, j)                                                                                              \
  ((k) < terms && (j) < group_in ? w[((k) / group_out * group_in + (j)) * (groups * group_out) + (k) % group_out] : 0.0f)
#define STORE_VALUE(i, j, v)                                                  \
  {                                                                           \
    const uint at = x_offset + (i) * x_stride + group * group_in + (j);       \
    dx[at] = accumulate ? dx[at] + (v) : (v);                                 \
  }

#else  // BACKWARD_WEIGHTS
// Part p sums over the pixels [p * part, (p + 1) * part) into weight set p of `dkernel`; with one part that is the result itself.
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1)))
void convolution_tiled_backward_weights(GEOMETRY, __global const float* restrict x, uint x_offset, uint x_stride,
                                        __global float* restrict dkernel, uint weights_offset,
                                        __global const float* restrict dy, uint y_offset, uint y_stride, int accumulate,
                                        uint part, uint first_tile, uint first_product) {
  const uint product = first_product + get_group_id(2), group = product % groups, first = product / groups * part;
  const uint last = min((uint)(batch * out_h * out_w), first + part), taps = KH * KW * group_in;
  __global const float* in = x + x_offset + group * group_in;
  __global const float* gradient = dy + y_offset + group * group_out;
  __global float* out = dkernel + weights_offset + product / groups * (taps * groups * group_out) + group * group_out;
#define M taps
#define N group_out
#define K_BEGIN first
#define K_END last
#define A_VALUE(i, k) \
  ((i) < taps && (k) < last ? window_value(in, x_stride, k, i, in_h, in_w, out_h, out_w, group_in) : 0.0f)
#define B_VALUE(k, j) ((k) < last && (j) < group_out ? gradient[(k) * y_stride + (j)] : 0.0f)
#define STORE_VALUE(i, j, v)                            \
  {                                                     \
    const uint at = (i) * (groups * group_out) + (j);   \
    out[at] = accumulate ? out[at] + (v) : (v);         \
  }
#endif

#include "ocellus/local_tile.cl"
}
