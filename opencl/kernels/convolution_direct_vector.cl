// Convolution of few channels, vector family: a work-item keeps the whole kernel for its columns in private memory, and for each
// output row the h_kernel input rows with their padding. A register tile is ROWS pixels side by side: neighbours lie
// W_STRIDE * SLOTS floats apart in a line, so nothing is copied a second time for overlapping windows.
// SLOTS: channels of a group. W_STRIDE, W_DILATION. LINES, WEIGHTS: floats for the lines and for the kernel.
#define A_ROW (W_STRIDE * SLOTS)
#define A_K 1
#include "ocellus/tile.cl"
#include "ocellus/lines.cl"

#define AXIS(a) int a##_in, int a##_out, int a##_kernel, int a##_stride, int a##_dilation, int a##_pad, \
                int a##_origin, int a##_step, int a##_size

// As convolution_gemm_vector: kernel_ (h_kernel * w_kernel * SLOTS, all_columns), a group owns n columns; the result is a lattice.
// A work-item computes `height` rows of one image and `width` columns. A line holds `pixels` pixels.
__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void convolution_direct_vector(AXIS(h), AXIS(w), int n, int all_columns, __global const float* restrict x,
                               uint x_offset, uint x_stride, __global const float* restrict kernel_,
                               uint kernel_offset, __global float* restrict y, uint y_offset, uint y_stride,
                               int accumulate, int height, int width, int pixels EPILOGUE_PARAMETERS) {
  const int group = get_global_id(2);
  const int first = get_global_id(0) * width, end = min(n, first + width);
  const int chunks = (h_out + height - 1) / height;
  const int item = get_global_id(1) / chunks, row0 = get_global_id(1) % chunks * height;
  const int k = h_kernel * w_kernel * SLOTS, line = pixels * SLOTS;
  x += x_offset + (uint)group * SLOTS;
  kernel_ += kernel_offset;
  y += y_offset;

  float lines[LINES], weights[WEIGHTS];
  for (int column = first, t = 0; column < end; column += COLS, ++t)
    copy_tile(kernel_ + group * n, all_columns, column, n, 0, k, weights + t * k * COLS);

  for (int oh = row0; oh < min(h_out, row0 + height); ++oh) {
    for (int kh = 0; kh < h_kernel; ++kh) {
      const int ih = oh * h_stride - h_pad + kh * h_dilation;
      copy_line(x + (uint)(item * h_in + ih) * w_in * x_stride, ih >= 0 && ih < h_in, w_in, w_pad, x_stride, pixels,
                SLOTS, lines + kh * line);
    }
    const uint target = (uint)(item * h_size + h_origin + oh * h_step) * w_size + w_origin;
    for (int ow = 0; ow < w_out; ow += ROWS) {
      uint pixel[ROWS];
      for (int r = 0; r < ROWS; ++r) pixel[r] = target + (ow + r) * w_step;
      for (int column = first, t = 0; column < end; column += COLS, ++t) {
        prefetch_tile(y, y_stride, pixel, min(ROWS, w_out - ow), group * n + column EPILOGUE_ARGUMENTS);
        vec sums[ROWS][NV];
        clear(sums);
        for (int kh = 0; kh < h_kernel; ++kh) {
          const float* window = lines + kh * line + ow * A_ROW;
          const float* tap = weights + (t * k + kh * w_kernel * SLOTS) * COLS;
#if W_DILATION == 1  // the taps of a row are neighbours in the line as they are in the kernel
          multiply(w_kernel * SLOTS, window, tap, sums);
#else
          for (int kw = 0; kw < w_kernel; ++kw)
            multiply(SLOTS, window + kw * W_DILATION * SLOTS, tap + kw * SLOTS * COLS, sums);
#endif
        }
        store(sums, y, y_stride, pixel, min(ROWS, w_out - ow), group * n + column, group * n + n, accumulate,
              true EPILOGUE_ARGUMENTS);
      }
    }
  }
}
