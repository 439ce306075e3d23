// Winograd's F(2x2, 3x3) and F(4x4, 3x3) (Lavin and Gray, CVPR 2016) for GPUs; see convolution_winograd.cl for the method.
//   winograd_kernel_tiled   u (PLANES, k, n) = G g G^T of the weights, made once for given weights
//   winograd_input_tiled    v (PLANES, tiles, channels) = B^T d B of tiles of EDGE x EDGE input pixels, which overlap by 2
//   gemm_tiled              m (PLANES, tiles, n) = v u, PLANES products
//   winograd_output_tiled   y = A^T m A with the epilogue
// A work-item has one tile of one channel in its registers (PLANES floats); neighbours have neighbouring channels, so the loads and stores
// of a group are runs of memory. Planes lie u_plane, v_plane, m_plane floats apart.
#define WINOGRAD_REAL float
#include "ocellus/epilogue.cl"
#include "ocellus/winograd_transforms.cl"

// Element (i, j, row, column) of the 3 x 3 x k x n kernel is at offset + (3 * i + j) * k * n + row * n + column; or, turned as the
// gradient by x wants it, at offset + (8 - (3 * i + j)) * k * n + column * k + row. One work-item: one row and column.
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1)))
void winograd_kernel_tiled(uint k, uint n, __global const float* restrict weights, uint offset, int turned, __global float* restrict u,
                           uint u_plane) {
  const uint item = get_global_id(0);
  if (item >= k * n) return;
  weights += offset + (turned ? item % n * k + item / n : item);
  float columns[3 * EDGE], row[EDGE];
#pragma unroll
  for (int j = 0; j < 3; ++j) {
    float taps[3];
#pragma unroll
    for (int i = 0; i < 3; ++i) taps[i] = weights[(uint)(turned ? 8 - (3 * i + j) : 3 * i + j) * k * n];
    transform_kernel(taps[0], taps[1], taps[2], columns + EDGE * j);
  }
  u += item;
#pragma unroll
  for (int i = 0; i < EDGE; ++i) {
    transform_kernel(columns[i], columns[EDGE + i], columns[2 * EDGE + i], row);
#pragma unroll
    for (int j = 0; j < EDGE; ++j) u[(EDGE * i + j) * u_plane] = row[j];
  }
}

// `tiles` tiles of the batch from first_tile on; tile t is at row t / w_tiles % h_tiles and column t % w_tiles of image
// t / (h_tiles * w_tiles). Tiles at `count` and beyond, and pixels beyond the image, are zero.
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1)))
void winograd_input_tiled(uint first_tile, uint tiles, uint count, uint h_tiles, uint w_tiles, int h_in, int w_in, int h_pad, int w_pad,
                          uint channels, __global const float* restrict x, uint x_offset, uint x_stride,
                          __global float* restrict v, uint v_plane) {
  const uint item = get_global_id(0);
  if (item >= tiles * channels) return;
  const uint tile = first_tile + item / channels;
  const int left = (int)(tile % w_tiles * TILE) - w_pad, top = (int)(tile / w_tiles % h_tiles * TILE) - h_pad;
  x += x_offset + tile / (w_tiles * h_tiles) * (uint)(h_in * w_in) * x_stride + item % channels;
  float d[PLANES];
#pragma unroll
  for (int i = 0; i < EDGE; ++i) {
    const bool row_inside = tile < count && top + i >= 0 && top + i < h_in;
#pragma unroll
    for (int j = 0; j < EDGE; ++j) {
      const bool inside = row_inside && left + j >= 0 && left + j < w_in;
      d[EDGE * i + j] = inside ? x[(uint)((top + i) * w_in + left + j) * x_stride] : 0.0f;
    }
    transform_input(d + EDGE * i, 1);
  }
  v += item;
#pragma unroll
  for (int j = 0; j < EDGE; ++j) {
    transform_input(d + j, EDGE);
#pragma unroll
    for (int i = 0; i < EDGE; ++i) v[(EDGE * i + j) * v_plane] = d[EDGE * i + j];
  }
}

__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1)))
void winograd_output_tiled(uint first_tile, uint tiles, uint h_tiles, uint w_tiles, int h_out, int w_out, uint channels,
                           __global const float* restrict m, uint m_offset, uint m_plane, __global float* restrict y, uint y_offset,
                           uint y_stride, int accumulate EPILOGUE_PARAMETERS) {
  const uint item = get_global_id(0);
  if (item >= tiles * channels) return;
  const uint tile = first_tile + item / channels, channel = item % channels;
  const int left = tile % w_tiles * TILE, top = tile / w_tiles % h_tiles * TILE;
  const uint image = tile / (w_tiles * h_tiles) * (uint)(h_out * w_out);
  m += m_offset + item;
  float d[TILE * EDGE];
#pragma unroll
  for (int j = 0; j < EDGE; ++j) {
    float column[EDGE];
#pragma unroll
    for (int i = 0; i < EDGE; ++i) column[i] = m[(EDGE * i + j) * m_plane];
    transform_output(column, 1);
#pragma unroll
    for (int i = 0; i < TILE; ++i) d[EDGE * i + j] = column[i];
  }
#pragma unroll
  for (int i = 0; i < TILE; ++i) {
    transform_output(d + EDGE * i, 1);
#pragma unroll
    for (int j = 0; j < TILE; ++j) {
      if (top + i >= h_out || left + j >= w_out) continue;
      const uint pixel = image + (uint)((top + i) * w_out + left + j);
      const uint at = y_offset + pixel * y_stride + channel;
      const float sum = accumulate ? y[at] + d[EDGE * i + j] : d[EDGE * i + j];
      y[at] = epilogue1(sum, pixel, channel EPILOGUE_ARGUMENTS);
    }
  }
}
