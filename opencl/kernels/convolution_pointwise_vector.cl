// A 1x1 convolution without padding: y (pixels, n) = epilogue(x . kernel), a product whose left side, (pixels, k), is read where it lies.
// Copying it into panels, as convolution_gemm_vector.cl does, costs as much as a strip of columns takes to multiply a few times over.
// packed is (strips, k, COLS) from convolution_pack. A work-item computes `height` pixels of `width` columns, KC deep at a time, so that
// a slice of a strip stays in the first level of cache. Vector family.
#define TILE_SPACE __global
#include "ocellus/tile.cl"

__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void convolution_pointwise_vector(int pixels, int h_in, int h_out, int h_stride, int w_in, int w_out, int w_stride, int k, int n,
                                  __global const float* restrict x, uint x_offset, uint x_stride,
                                  __global const float* restrict packed, __global float* restrict y, uint y_offset,
                                  uint y_stride, int height, int width EPILOGUE_PARAMETERS) {
  const int column0 = get_global_id(0) * width, column1 = min(n, column0 + width);
  const int row0 = get_global_id(1) * height, row1 = min(pixels, row0 + height);
  x += x_offset;
  y += y_offset;

  // Where each pixel's window begins in x; rows that nobody stores repeat the last one.
  uint source[PANELS * ROWS];
  int ow = row0 % w_out, oh = row0 / w_out % h_out, item = row0 / w_out / h_out;
  for (int r = 0; r < PANELS * ROWS && r < row1 - row0 + ROWS; ++r) {
    source[r] = (uint)((item * h_in + oh * h_stride) * w_in + ow * w_stride) * x_stride;
    if (row0 + r + 1 >= row1 || ++ow < w_out) continue;
    ow = 0;
    if (++oh < h_out) continue;
    oh = 0;
    ++item;
  }

  for (int k0 = 0; k0 < k; k0 += KC) {
    const int depth = min(KC, k - k0);
    for (int column = column0; column < column1; column += COLS) {
      const __global float* tile = packed + (uint)column * k + k0 * COLS;
      for (int row = row0; row < row1; row += ROWS) {
        const int rows = min(ROWS, row1 - row);
        uint target[ROWS];
        const __global float* from[ROWS];
#pragma unroll
        for (int r = 0; r < ROWS; ++r) {
          target[r] = row + r;
          from[r] = x + source[row - row0 + r] + k0;
        }
        prefetch_tile(y, y_stride, target, rows, column EPILOGUE_ARGUMENTS);
        vec sums[ROWS][NV];
        clear(sums);
        multiply_rows(depth, from, tile, sums);
        store(sums, y, y_stride, target, rows, column, n, k0 > 0, k0 + depth >= k EPILOGUE_ARGUMENTS);
      }
    }
  }
}
