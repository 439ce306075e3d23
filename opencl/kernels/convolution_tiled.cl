// Convolution as a matrix product whose matrices are read out of the tensors: no im2col buffer. See ocellus/local_tile.cl.
// x (batch, in_h, in_w, groups * group_in), y (batch, out_h, out_w, groups * group_out), both with a pixel stride;
// kernel (KH, KW, group_in, groups * group_out). Baked in: the pass (FORWARD, BACKWARD_DATA or BACKWARD_WEIGHTS), the tile, and but for
// BACKWARD_DATA KH KW SH SW DH DW PH PW (kernel, stride, dilation, padding before). Work-group dimension 2: group + groups * part.
// The three kernels differ in their matrices and share what follows their #endif.
#include "ocellus/epilogue.cl"

#define GEOMETRY uint batch, int in_h, int in_w, int out_h, int out_w, uint groups, uint group_in, uint group_out

// Where channel t % channels under tap t / channels of the window of output pixel `pixel` lies in x; -1 in the padding. The window
// has kw taps across, and its first lies at output * stride - pad.
inline int window_at(uint x_stride, uint pixel, uint t, int in_h, int in_w, int out_h, int out_w, uint channels, uint kw, int sh, int sw,
                     int dh, int dw, int ph, int pw) {
  const uint tap = t / channels, row = pixel / (uint)out_w;
  const int iw = (int)(pixel % (uint)out_w) * sw - pw + (int)(tap % kw) * dw;
  const int ih = (int)(row % (uint)out_h) * sh - ph + (int)(tap / kw) * dh;
  if (ih < 0 || ih >= in_h || iw < 0 || iw >= in_w) return -1;
  return ((row / (uint)out_h * in_h + ih) * in_w + iw) * x_stride + t % channels;
}

inline float value_at(__global const float* x, int at) { return at < 0 ? 0.0f : x[at]; }
inline float4 four_at(__global const float* x, int at) { return at < 0 ? (float4)(0.0f) : *(__global const float4*)(x + at); }

// Four channels lie together, and at 16 bytes, where a tensor's first element, its stride and a group's channels allow it.
#define FOURS(offset, stride, channels) (((offset) | (stride) | (channels)) % 4 == 0)

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
#define A_AT(i, k) \
  ((i) < pixels && (k) < terms ? window_at(x_stride, i, k, in_h, in_w, out_h, out_w, group_in, KW, SH, SW, DH, DW, PH, PW) : -1)
#define A_VALUE(i, k) value_at(in, A_AT(i, k))
#define A_VALUE4(i, k) four_at(in, A_AT(i, k))
#define A_FOURS FOURS(x_offset, x_stride, group_in)
#define B_AT(k, j) ((k) < terms && (j) < group_out ? (int)((k) * (groups * group_out) + (j)) : -1)
#define B_VALUE(k, j) value_at(w, B_AT(k, j))
#define B_VALUE4(k, j) four_at(w, B_AT(k, j))
#define B_FOURS FOURS(weights_offset, 0, group_out)
#define C_FOURS FOURS(y_offset, y_stride, group_out)
#define STORE_VALUE(i, j, v)                                                      \
  {                                                                               \
    const uint channel = group * group_out + (j);                                 \
    y[y_offset + (i) * y_stride + channel] = epilogue1(v, i, channel EPILOGUE_ARGUMENTS); \
  }
#define STORE_VALUE4(i, j, v)                                                     \
  {                                                                               \
    const uint channel = group * group_out + (j);                                 \
    *(__global float4*)(y + y_offset + (i) * y_stride + channel) = epilogue4(v, i, channel EPILOGUE_ARGUMENTS); \
  }

#elif defined(BACKWARD_DATA)
// One part of backward_parts() (convolution_part.hpp): a convolution of dy (batch, out_h, out_w) with stride 1 by the taps of a phase.
// Its result pixel o is the pixel origin + step * o of dx, and its tap t the kernel's row last - tap_step * t.
#define PART(a) int a##_size, int a##_taps, int a##_dilation, int a##_pad, int a##_origin, int a##_step, int a##_last, int a##_tap_step

__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1)))
void convolution_tiled_backward_data(GEOMETRY, PART(h), PART(w), int w_kernel, __global float* restrict dx, uint x_offset,
                                     uint x_stride, __global const float* restrict weights, uint weights_offset,
                                     __global const float* restrict dy, uint y_offset, uint y_stride, int accumulate,
                                     uint first_tile, uint first_product) {
  const uint group = first_product + get_group_id(2), pixels = batch * h_size * w_size, terms = h_taps * w_taps * group_out;
  __global const float* gradient = dy + y_offset + group * group_out;
  __global const float* w = weights + weights_offset + group * group_out;
#define M pixels
#define N group_in
#define K_BEGIN 0
#define K_END terms
#define A_ALONG_K
#define B_ALONG_K
#define A_AT(i, k)                                                                                                             \
  ((i) < pixels && (k) < terms ? window_at(y_stride, i, k, out_h, out_w, h_size, w_size, group_out, w_taps, 1, 1, h_dilation, \
                                           w_dilation, h_pad, w_pad)                                                          \
                               : -1)
#define A_VALUE(i, k) value_at(gradient, A_AT(i, k))
#define A_VALUE4(i, k) four_at(gradient, A_AT(i, k))
#define A_FOURS FOURS(y_offset, y_stride, group_out)
#define TAP_ROW(k) ((h_last - (int)((k) / group_out / w_taps) * h_tap_step) * w_kernel + w_last - (int)((k) / group_out % w_taps) * w_tap_step)
#define B_AT(k, j) \
  ((k) < terms && (j) < group_in ? (int)(((uint)TAP_ROW(k) * group_in + (j)) * (groups * group_out) + (k) % group_out) : -1)
#define B_VALUE(k, j) value_at(w, B_AT(k, j))
#define B_VALUE4(k, j) four_at(w, B_AT(k, j))
#define B_FOURS FOURS(weights_offset, 0, group_out)
#define C_FOURS FOURS(x_offset, x_stride, group_in)
#define PIXEL_OF(i) \
  (((i) / w_size / h_size * in_h + h_origin + (i) / w_size % h_size * h_step) * in_w + w_origin + (i) % w_size * w_step)
#define STORE_VALUE(i, j, v)                                               \
  {                                                                        \
    const uint at = x_offset + PIXEL_OF(i) * x_stride + group * group_in + (j); \
    dx[at] = accumulate ? dx[at] + (v) : (v);                              \
  }
#define STORE_VALUE4(i, j, v)                                                                                        \
  {                                                                                                                  \
    __global float4* at = (__global float4*)(dx + x_offset + PIXEL_OF(i) * x_stride + group * group_in + (j));       \
    *at = accumulate ? *at + (v) : (v);                                                                              \
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
#define A_AT(i, k) \
  ((i) < taps && (k) < last ? window_at(x_stride, k, i, in_h, in_w, out_h, out_w, group_in, KW, SH, SW, DH, DW, PH, PW) : -1)
#define A_VALUE(i, k) value_at(in, A_AT(i, k))
#define A_VALUE4(i, k) four_at(in, A_AT(i, k))
#define A_FOURS FOURS(x_offset, x_stride, group_in)
#define B_AT(k, j) ((k) < last && (j) < group_out ? (int)((k) * y_stride + (j)) : -1)
#define B_VALUE(k, j) value_at(gradient, B_AT(k, j))
#define B_VALUE4(k, j) four_at(gradient, B_AT(k, j))
#define B_FOURS FOURS(y_offset, y_stride, group_out)
#define C_FOURS FOURS(weights_offset, 0, group_out)
#define STORE_VALUE(i, j, v)                            \
  {                                                     \
    const uint at = (i) * (groups * group_out) + (j);   \
    out[at] = accumulate ? out[at] + (v) : (v);         \
  }
#define STORE_VALUE4(i, j, v)                                                          \
  {                                                                                    \
    __global float4* at = (__global float4*)(out + (i) * (groups * group_out) + (j));  \
    *at = accumulate ? *at + (v) : (v);                                                \
  }
#endif

#include "ocellus/local_tile.cl"
}
