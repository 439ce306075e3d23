// y = a sparse matrix a row and one a column applied to an image, channels last: see opencl/resample.hpp.
#include "ocellus/matrix.cl"

// rows = batch * out_h * out_w pixels. Taps of output o: begin[o] to begin[o + 1].
__kernel MATRIX_ATTRIBUTES void resample(MATRIX_PARAMETERS, uint in_h, uint in_w, uint out_h, uint out_w,
                                         __global const int* h_begin, __global const int* h_index,
                                         __global const float* h_weight, __global const int* w_begin,
                                         __global const int* w_index, __global const float* w_weight,
                                         __global const float* x, uint x_offset, uint x_stride, __global float* y,
                                         uint y_offset, uint y_stride, float fill, int accumulate) {
  FOR_EACH(pixel, c, n) {
    const uint item = pixel / (out_h * out_w), oy = pixel / out_w % out_h, ox = pixel % out_w;
    __global const float* image = x + x_offset + item * in_h * in_w * x_stride + c;
    T sum = (T)(fill);
    for (int i = h_begin[oy]; i < h_begin[oy + 1]; ++i)
      for (int j = w_begin[ox]; j < w_begin[ox + 1]; ++j)
        sum += h_weight[i] * w_weight[j] * (LOAD(image + (h_index[i] * in_w + w_index[j]) * x_stride, n) - fill);
    __global float* to = y + y_offset + pixel * y_stride + c;
    if (accumulate) sum += LOAD(to, n);
    STORE(sum, to, n);
  }
}
