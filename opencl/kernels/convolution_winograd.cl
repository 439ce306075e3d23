// Winograd's F(2x2, 3x3), F(4x4, 3x3) and F(6x6, 3x3) (Lavin and Gray, CVPR 2016): a tile of 2 x 2 results takes 16 multiplications a
// pair of channels instead of 36, one of 4 x 4 takes 36 instead of 144, one of 6 x 6 takes 64 instead of 324.
//   winograd_kernel   u (PLANES, strips, k, strip) = G g G^T of the weights, in strips of columns, made once for given weights
//   winograd_input    v (PLANES, tiles, v_stride) = B^T d B of tiles of EDGE x EDGE input pixels, which overlap by 2
//   gemm_vector       m (PLANES, tiles, m_stride) = v u, PLANES products
//   winograd_output   y = A^T m A with the epilogue
// Vector family: one work-item a tile, 16 channels at a time.
#include "ocellus/winograd.cl"

// Element (i, j, row, column) of the 3 x 3 x k x n kernel is at offset + (3 * i + j) * k * n + row * n + column; or, turned as the
// gradient by x wants it, at offset + (8 - (3 * i + j)) * k * n + column * k + row. One work-item: 16 rows of 16 columns, zeros
// beyond n.
__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void winograd_kernel(int k, int n, __global const float* restrict weights, uint offset, int turned,
                     __global float* restrict u, uint u_plane, int strip) {
  const int first = get_global_id(0) * 16, row0 = get_global_id(1) * 16, rows = min(16, k - row0);
  float taps[9][16][16];
  for (int t = 0; t < 9; ++t) {
    const __global float* from = weights + offset + (uint)(turned ? 8 - t : t) * k * n;
    for (int i = 0; i < 16; ++i) {
      if (turned) {
        float lanes[16];
        vstore16(first + i < n ? load_some(from + (uint)(first + i) * k + row0, rows) : 0.0f, 0, lanes);
        for (int r = 0; r < 16; ++r) taps[t][r][i] = lanes[r];
      } else if (i < rows) {
        vstore16(load_some(from + (uint)(row0 + i) * n + first, n - first), 0, taps[t][i]);
      }
    }
  }
  u += (uint)(first / strip * k + row0) * strip + first % strip;
  for (int r = 0; r < rows; ++r) {
    float16 columns[3 * EDGE], row[EDGE];
#pragma unroll
    for (int j = 0; j < 3; ++j)
      transform_kernel(vload16(0, taps[j][r]), vload16(0, taps[3 + j][r]), vload16(0, taps[6 + j][r]), columns + EDGE * j);
#pragma unroll
    for (int i = 0; i < EDGE; ++i) {
      transform_kernel(columns[i], columns[EDGE + i], columns[2 * EDGE + i], row);
#pragma unroll
      for (int j = 0; j < EDGE; ++j) vstore16(row[j], 0, u + (EDGE * i + j) * u_plane + (uint)r * strip);
    }
  }
}

// Tiles first_tile ... of the batch; tile t is at row t / w_tiles % h_tiles and column t % w_tiles of image t / (h_tiles * w_tiles).
__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void winograd_input(int first_tile, int h_tiles, int w_tiles, int h_in, int w_in, int h_pad, int w_pad,
                    int channels, __global const float* restrict x, uint x_offset, uint x_stride,
                    __global float* restrict v, uint v_stride, uint plane) {
  const int local_tile = get_global_id(0), tile = first_tile + local_tile;
  const int left = tile % w_tiles * TILE - w_pad, top = tile / w_tiles % h_tiles * TILE - h_pad;
  x += x_offset + (uint)(tile / (w_tiles * h_tiles)) * h_in * w_in * x_stride;
  v += local_tile * v_stride;
  for (int c = 0; c < channels; c += 16)
    input_tile(x + c, x_stride, channels - c, top, left, h_in, w_in, v + c, plane);
}

__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void winograd_output(int first_tile, int h_tiles, int w_tiles, int h_out, int w_out, int channels,
                     __global const float* restrict m, uint m_offset, uint m_stride, uint plane, __global float* restrict y,
                     uint y_offset, uint y_stride, int accumulate EPILOGUE_PARAMETERS) {
  const int local_tile = get_global_id(0), tile = first_tile + local_tile;
  const int left = tile % w_tiles * TILE, top = tile / w_tiles % h_tiles * TILE;
  const uint image = (uint)(tile / (w_tiles * h_tiles)) * h_out * w_out;
  m += m_offset + local_tile * m_stride;
  for (int c = 0; c < channels; c += 16)
    output_tile(m + c, plane, top, left, h_out, w_out, image, c, channels, y + y_offset, y_stride,
                accumulate EPILOGUE_ARGUMENTS);
}
