// Winograd's convolution (convolution_winograd.cl) in one launch, for few channels: a work-item takes TILES tiles through all three
// steps, so that what lies between them never leaves its core's cache.
//   v (PLANES, TILES, A_ROW)  all channels of its tiles, transformed
//   m (PLANES, TILES, COLS)   their products with one strip of u (PLANES, strips, k, COLS), from winograd_kernel
// CHANNELS: channels read, rounded up to vectors. TILES: a multiple of ROWS.
#define A_ROW (CHANNELS + 16)
#define A_K 1
#define TILE_SPACE __global
#define WINOGRAD_SPACE
#include "ocellus/winograd.cl"
#include "ocellus/tile.cl"
// Planes lie an odd number of vectors apart, so that those of a tile do not fall into the same few sets of the cache.
#define ODD(floats) ((floats) | 16)
#define V_PLANE ODD(TILES * A_ROW)
#define M_PLANE ODD(TILES * COLS)

__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void winograd_fused(int tiles, int h_tiles, int w_tiles, int h_in, int w_in, int h_pad, int w_pad, int h_out, int w_out, int k, int n,
                    __global const float* restrict x, uint x_offset, uint x_stride, __global const float* restrict u, uint u_plane,
                    __global float* restrict y, uint y_offset, uint y_stride, int accumulate EPILOGUE_PARAMETERS) {
  const int first = get_global_id(0) * TILES, here = min(TILES, tiles - first);
  float v[PLANES * V_PLANE], m[PLANES * M_PLANE];
  for (int t = 0; t < TILES; ++t) {
    const int tile = first + min(t, here - 1);  // rows that nobody stores repeat the last one
    const int left = tile % w_tiles * TILE - w_pad, top = tile / w_tiles % h_tiles * TILE - h_pad;
    const __global float* image = x + x_offset + (uint)(tile / (w_tiles * h_tiles)) * h_in * w_in * x_stride;
    for (int c = 0; c < k; c += 16)
      input_tile(image + c, x_stride, k - c, top, left, h_in, w_in, v + t * A_ROW + c, V_PLANE);
  }
  for (int column = 0; column < n; column += COLS) {
    for (int p = 0; p < PLANES; ++p) {
      const __global float* strip = u + p * u_plane + (uint)column * k;
      for (int t = 0; t < TILES; t += ROWS) {
        vec sums[ROWS][NV];
        clear(sums);
        multiply(k, v + p * V_PLANE + t * A_ROW, strip, sums);
#pragma unroll
        for (int r = 0; r < ROWS; ++r)
#pragma unroll
          for (int i = 0; i < NV; ++i) *(loose*)(m + p * M_PLANE + (t + r) * COLS + i * LANES) = sums[r][i];
      }
    }
    for (int t = 0; t < here; ++t) {
      const int tile = first + t;
      const int left = tile % w_tiles * TILE, top = tile / w_tiles % h_tiles * TILE;
      const uint image = (uint)(tile / (w_tiles * h_tiles)) * h_out * w_out;
      for (int c = 0; c < COLS && column + c < n; c += 16)
        output_tile(m + t * COLS + c, M_PLANE, top, left, h_out, w_out, image, column + c, n, y + y_offset, y_stride,
                    accumulate EPILOGUE_ARGUMENTS);
    }
  }
}
