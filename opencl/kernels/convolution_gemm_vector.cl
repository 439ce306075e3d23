// Convolution as a matrix product whose left side, (pixels, taps * channels), is never stored: a work-item copies the slice
// that it needs into private panels, zeros where the window hangs over the border. Vector family; see gemm_vector.cl.
// PACKED_B: the kernel comes from convolution_pack. Result pixel (n, origin + step * o) for o in [0, out): the lattice lets a strided backward pass be several of these.
#ifdef PACKED_B
#define TILE_SPACE __global
#endif
#include "ocellus/tile.cl"

// A tile of at most so many rows is made row by row, which is as fast as its share of a whole tile: a few rows left over
// need no tile of their own height, and no program of its own.
#define FEW (ROWS / 3)
inline void multiply_row(int depth, const float* a, const TILE_SPACE float* b, vec sums[NV]) {
  for (int k = 0; k < depth; ++k)
#pragma unroll
    for (int v = 0; v < NV; ++v) sums[v] += a[k * A_K] * LOAD(v, b + k * COLS);
}

#define AXIS(a) int a##_in, int a##_out, int a##_kernel, int a##_stride, int a##_dilation, int a##_pad, \
                int a##_origin, int a##_step, int a##_size

// kernel_ is (h_kernel * w_kernel * channels, all_columns), of which a group owns n consecutive columns and, of x's pixels,
// `channels` consecutive channels.
__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void convolution_gemm_vector(int pixels, AXIS(h), AXIS(w), int channels, int n, int all_columns,
                             __global const float* restrict x, uint x_offset, uint x_stride,
                             __global const float* restrict kernel_, uint kernel_offset,
                             __global float* restrict y, uint y_offset, uint y_stride, int accumulate, int height,
                             int width EPILOGUE_PARAMETERS) {
  const int group = get_global_id(2);
  const int first = get_global_id(0) * width, end = min(n, first + width);
  const int row0 = get_global_id(1) * height, rows = min(height, pixels - row0);
  const int k = h_kernel * w_kernel * channels;
  x += x_offset + (uint)group * channels;
  kernel_ += kernel_offset;
  y += y_offset;

  // Where each pixel's window begins in x, and where its result goes.
  int image[PANELS * ROWS], top[PANELS * ROWS], left[PANELS * ROWS];
  uint target[PANELS * ROWS];
  // Counted on from row to row: a division would cost as much as many multiply-adds.
  int ow = row0 % w_out, oh = row0 / w_out % h_out, item = row0 / w_out / h_out;
  for (int r = 0; r < rows; ++r) {
    image[r] = item * h_in;
    top[r] = oh * h_stride - h_pad;
    left[r] = ow * w_stride - w_pad;
    target[r] = (uint)(item * h_size + h_origin + oh * h_step) * w_size + w_origin + ow * w_step;
    if (++ow < w_out) continue;
    ow = 0;
    if (++oh < h_out) continue;
    oh = 0;
    ++item;
  }

  float panels[PANELS * PANEL];
#ifdef PACKED_B
  kernel_ += (uint)group * ((n + COLS - 1) / COLS) * COLS * k;
#else
  float tile[KC * COLS];
#endif
  int k0 = 0, channel0 = 0, kw0 = 0, kh0 = 0;  // the first of a panel's depth
  do {
    const int depth = min(KC, k - k0);
    int channel = channel0, kw = kw0, kh = kh0;
    // A part of a strided backward pass may see no taps at all: then there is nothing to divide by either.
    for (int r = 0; depth > 0 && r < rows; ++r) {
      float* to = panels + r / ROWS * PANEL + r % ROWS * A_ROW;
      channel = channel0, kw = kw0, kh = kh0;
      for (int l = 0; l < depth;) {
        const int run = min(channels - channel, depth - l);
        const int ih = top[r] + kh * h_dilation, iw = left[r] + kw * w_dilation;
        if (ih >= 0 && ih < h_in && iw >= 0 && iw < w_in)
          copy_row(x + (uint)((image[r] + ih) * w_in + iw) * x_stride + channel, to + l, run);
        else
          zero_row(to + l, run);
        l += run;
        channel += run;
        if (channel < channels) continue;
        channel = 0;
        if (++kw == w_kernel) kw = 0, ++kh;
      }
    }
    channel0 = channel, kw0 = kw, kh0 = kh;
    for (int r = rows; r % ROWS; ++r) zero_row(panels + r / ROWS * PANEL + r % ROWS * A_ROW, depth);

    for (int column = first; column < end; column += COLS) {
#ifdef PACKED_B
      const __global float* tile = kernel_ + (uint)column * k + k0 * COLS;
#else
      copy_tile(kernel_ + group * n, all_columns, column, n, k0, depth, tile);
#endif
      for (int row = 0, p = 0; row < rows; row += ROWS, ++p) {
        prefetch_tile(y, y_stride, target + row, min(ROWS, rows - row), group * n + column EPILOGUE_ARGUMENTS);
        vec sums[ROWS][NV];
        clear(sums);
        if (rows - row > FEW) {
          multiply(depth, panels + p * PANEL, tile, sums);
        } else {
#pragma unroll
          for (int r = 0; r < FEW; ++r)
            if (r < rows - row) multiply_row(depth, panels + p * PANEL + r * A_ROW, tile, sums[r]);
        }
        store(sums, y, y_stride, target + row, min(ROWS, rows - row), group * n + column, group * n + n,
              accumulate || k0 > 0, k0 + depth >= k EPILOGUE_ARGUMENTS);
      }
    }
    k0 += KC;
  } while (k0 < k);
}
