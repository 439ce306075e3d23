// All three passes of a convolution, one work-item a result, sums in a fixed order. For tests and as a last resort.
// x (batch, h_in, w_in, in_channels), kernel (h_kernel, w_kernel, in_channels / groups, out_channels), y (batch, h_out, w_out,
// out_channels); x and y with a pixel stride.
#include "ocellus/epilogue.cl"

#define AXIS(a) int a##_in, int a##_out, int a##_kernel, int a##_stride, int a##_dilation, int a##_pad
#define PROBLEM int batch, int in_channels, int out_channels, int groups, AXIS(h), AXIS(w)

__kernel __attribute__((reqd_work_group_size(64, 1, 1)))
void convolution_naive_forward(PROBLEM, __global const float* restrict x, uint x_offset, uint x_stride,
                               __global const float* restrict kernel_, uint kernel_offset,
                               __global float* restrict y, uint y_offset, uint y_stride EPILOGUE_PARAMETERS) {
  const uint id = get_global_id(0);
  if (id >= (uint)batch * h_out * w_out * out_channels) return;
  const int co = id % out_channels;
  const uint pixel = id / out_channels;
  const int ow = pixel % w_out, oh = pixel / w_out % h_out, n = pixel / w_out / h_out;
  const int group_in = in_channels / groups, first = co / (out_channels / groups) * group_in;
  float sum = 0.0f;
  for (int kh = 0; kh < h_kernel; ++kh) {
    const int ih = oh * h_stride - h_pad + kh * h_dilation;
    if (ih < 0 || ih >= h_in) continue;
    for (int kw = 0; kw < w_kernel; ++kw) {
      const int iw = ow * w_stride - w_pad + kw * w_dilation;
      if (iw < 0 || iw >= w_in) continue;
      const uint from = x_offset + (uint)((n * h_in + ih) * w_in + iw) * x_stride + first;
      const uint weight = kernel_offset + (uint)(kh * w_kernel + kw) * group_in * out_channels + co;
      for (int ci = 0; ci < group_in; ++ci) sum = fma(x[from + ci], kernel_[weight + ci * out_channels], sum);
    }
  }
  y[y_offset + pixel * y_stride + co] = epilogue1(sum, pixel, (uint)co EPILOGUE_ARGUMENTS);
}

// dx[i] gathers from the outputs o with o * stride - pad + k * dilation == i.
__kernel __attribute__((reqd_work_group_size(64, 1, 1)))
void convolution_naive_backward_data(PROBLEM, __global float* restrict dx, uint x_offset, uint x_stride,
                                     __global const float* restrict kernel_, uint kernel_offset,
                                     __global const float* restrict dy, uint y_offset, uint y_stride,
                                     int accumulate) {
  const uint id = get_global_id(0);
  if (id >= (uint)batch * h_in * w_in * in_channels) return;
  const int ci = id % in_channels;
  const uint pixel = id / in_channels;
  const int iw = pixel % w_in, ih = pixel / w_in % h_in, n = pixel / w_in / h_in;
  const int group_in = in_channels / groups, group_out = out_channels / groups;
  const int first = ci / group_in * group_out;
  float sum = 0.0f;
  for (int kh = 0; kh < h_kernel; ++kh) {
    const int sh = ih + h_pad - kh * h_dilation, oh = sh / h_stride;
    if (sh < 0 || sh % h_stride || oh >= h_out) continue;
    for (int kw = 0; kw < w_kernel; ++kw) {
      const int sw = iw + w_pad - kw * w_dilation, ow = sw / w_stride;
      if (sw < 0 || sw % w_stride || ow >= w_out) continue;
      const uint from = y_offset + (uint)((n * h_out + oh) * w_out + ow) * y_stride + first;
      const uint weight =
          kernel_offset + ((uint)(kh * w_kernel + kw) * group_in + ci % group_in) * out_channels + first;
      for (int co = 0; co < group_out; ++co) sum = fma(dy[from + co], kernel_[weight + co], sum);
    }
  }
  const uint at = x_offset + pixel * x_stride + ci;
  dx[at] = accumulate ? dx[at] + sum : sum;
}

__kernel __attribute__((reqd_work_group_size(64, 1, 1)))
void convolution_naive_backward_weights(PROBLEM, __global const float* restrict x, uint x_offset, uint x_stride,
                                        __global float* restrict dkernel, uint kernel_offset,
                                        __global const float* restrict dy, uint y_offset, uint y_stride,
                                        int accumulate) {
  const int group_in = in_channels / groups;
  const uint id = get_global_id(0);
  if (id >= (uint)h_kernel * w_kernel * group_in * out_channels) return;
  const int co = id % out_channels, ci = id / out_channels % group_in;
  const int kw = id / out_channels / group_in % w_kernel, kh = id / out_channels / group_in / w_kernel;
  const int from = co / (out_channels / groups) * group_in + ci;
  float sum = 0.0f;
  for (int n = 0; n < batch; ++n) {
    for (int oh = 0; oh < h_out; ++oh) {
      const int ih = oh * h_stride - h_pad + kh * h_dilation;
      if (ih < 0 || ih >= h_in) continue;
      float row = 0.0f;  // partial sums keep the rounding error small
      for (int ow = 0; ow < w_out; ++ow) {
        const int iw = ow * w_stride - w_pad + kw * w_dilation;
        if (iw < 0 || iw >= w_in) continue;
        row = fma(x[x_offset + (uint)((n * h_in + ih) * w_in + iw) * x_stride + from],
                  dy[y_offset + (uint)((n * h_out + oh) * w_out + ow) * y_stride + co], row);
      }
      sum += row;
    }
  }
  const uint at = kernel_offset + id;
  dkernel[at] = accumulate ? dkernel[at] + sum : sum;
}
