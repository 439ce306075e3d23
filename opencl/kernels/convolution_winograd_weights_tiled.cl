// The gradient by a 3 x 3 kernel as Winograd's F(3x3, 4x4) for GPUs; see convolution_winograd_weights.cl for the method.
//   winograd_input_tiled     v (36, tiles, channels) = B^T d B, as in convolution_winograd_tiled.cl
//   winograd_gradient_tiled  d (36, tiles, n) = A dy A^T
//   gemm_tiled               m (36, parts, channels, n) = [m +] v^T d, each part a sum over its own tiles
//   winograd_weights_tiled   dkernel (9, channels, n) = [dkernel +] G^T (the sum of m's parts) G
// A work-item has one tile, or one weight, of one channel in its registers; neighbours have neighbouring channels.
#define WINOGRAD_REAL float
#include "ocellus/winograd_transforms.cl"

// Tiles from first_tile on; those at `count` and beyond, and pixels beyond the image, are zero.
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1)))
void winograd_gradient_tiled(uint first_tile, uint tiles, uint count, uint h_tiles, uint w_tiles, int h_out, int w_out, uint channels,
                             __global const float* restrict dy, uint dy_offset, uint dy_stride, __global float* restrict d,
                             uint d_offset, uint d_plane) {
  const uint item = get_global_id(0);
  if (item >= tiles * channels) return;
  const uint tile = first_tile + item / channels;
  const int left = tile % w_tiles * TILE, top = tile / w_tiles % h_tiles * TILE;
  dy += dy_offset + tile / (w_tiles * h_tiles) * (uint)(h_out * w_out) * dy_stride + item % channels;
  float x[TILE * TILE], half_done[EDGE * TILE], row[EDGE];
#pragma unroll
  for (int i = 0; i < TILE; ++i)
#pragma unroll
    for (int j = 0; j < TILE; ++j) {
      const bool inside = tile < count && top + i < h_out && left + j < w_out;
      x[TILE * i + j] = inside ? dy[(uint)((top + i) * w_out + left + j) * dy_stride] : 0.0f;
    }
#pragma unroll
  for (int j = 0; j < TILE; ++j) transform_gradient(x + j, TILE, half_done + j, TILE);
  d += d_offset + item;
#pragma unroll
  for (int i = 0; i < EDGE; ++i) {
    transform_gradient(half_done + TILE * i, 1, row, 1);
#pragma unroll
    for (int j = 0; j < EDGE; ++j) d[(EDGE * i + j) * d_plane] = row[j];
  }
}

// `size`: channels * n. One work-item: the nine taps of a channel and a column.
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1)))
void winograd_weights_tiled(uint size, uint parts, __global const float* restrict m, uint m_offset, __global float* restrict dkernel,
                            uint offset, int accumulate) {
  const uint item = get_global_id(0);
  if (item >= size) return;
  m += m_offset + item;
  float x[PLANES];
#pragma unroll
  for (int t = 0; t < PLANES; ++t) {
    x[t] = m[t * parts * size];
    for (uint part = 1; part < parts; ++part) x[t] += m[(t * parts + part) * size];
  }
#pragma unroll
  for (int j = 0; j < EDGE; ++j) transform_weights(x + j, EDGE);
  dkernel += offset + item;
#pragma unroll
  for (int i = 0; i < 3; ++i) {
    transform_weights(x + EDGE * i, 1);
#pragma unroll
    for (int j = 0; j < 3; ++j) {
      const uint at = (3 * i + j) * size;
      dkernel[at] = accumulate ? dkernel[at] + x[EDGE * i + j] : x[EDGE * i + j];
    }
  }
}
