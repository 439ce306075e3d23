// Winograd's F(4x4, 3x3) (Lavin and Gray, CVPR 2016): a tile of 4 x 4 results takes 36 multiplications a channel instead of 144.
//   winograd_kernel   u (36, strips, k, strip) = G g G^T of the weights, in strips of columns, made once for given weights
//   winograd_input    v (36, tiles, v_stride) = B^T d B of tiles of 6 x 6 input pixels, which overlap by 2
//   gemm_vector       m (36, tiles, m_stride) = v u, 36 products
//   winograd_output   y = A^T m A with the epilogue
// Vector family: one work-item a tile, 16 channels at a time.
#include "ocellus/epilogue.cl"
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
    float16 columns[18], row[6];
#pragma unroll
    for (int j = 0; j < 3; ++j)
      transform_kernel(vload16(0, taps[j][r]), vload16(0, taps[3 + j][r]), vload16(0, taps[6 + j][r]), columns + 6 * j);
#pragma unroll
    for (int i = 0; i < 6; ++i) {
      transform_kernel(columns[i], columns[6 + i], columns[12 + i], row);
#pragma unroll
      for (int j = 0; j < 6; ++j) vstore16(row[j], 0, u + (6 * i + j) * u_plane + (uint)r * strip);
    }
  }
}

// Tiles first_tile ... of the batch; tile t is at row t / w_tiles % h_tiles and column t % w_tiles of image t / (h_tiles * w_tiles).
__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void winograd_input(int first_tile, int h_tiles, int w_tiles, int h_in, int w_in, int h_pad, int w_pad,
                    int channels, __global const float* restrict x, uint x_offset, uint x_stride,
                    __global float* restrict v, uint v_stride, uint plane) {
  const uint local_tile = get_global_id(0);
  const int tile = first_tile + local_tile;
  const int left = tile % w_tiles * 4 - w_pad, top = tile / w_tiles % h_tiles * 4 - h_pad;
  const uint image = (uint)(tile / (w_tiles * h_tiles)) * h_in;
  x += x_offset;
  v += local_tile * v_stride;
  for (int c = 0; c < channels; c += 16) {
    float16 d[36];
#pragma unroll
    for (int i = 0; i < 6; ++i) {
      const int ih = top + i;
#pragma unroll
      for (int j = 0; j < 6; ++j) {
        const int iw = left + j;
        const bool inside = ih >= 0 && ih < h_in && iw >= 0 && iw < w_in;
        d[6 * i + j] = inside ? load_some(x + ((image + ih) * w_in + iw) * x_stride + c, channels - c) : 0.0f;
      }
    }
#pragma unroll
    for (int j = 0; j < 6; ++j) transform_input(d + j, 6);
#pragma unroll
    for (int i = 0; i < 6; ++i) transform_input(d + 6 * i, 1);
#pragma unroll
    for (int t = 0; t < 36; ++t) vstore16(d[t], 0, v + t * plane + c);
  }
}

__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void winograd_output(int first_tile, int h_tiles, int w_tiles, int h_out, int w_out, int channels,
                     __global const float* restrict m, uint m_offset, uint m_stride, uint plane, __global float* restrict y,
                     uint y_offset, uint y_stride, int accumulate EPILOGUE_PARAMETERS) {
  const uint local_tile = get_global_id(0);
  const int tile = first_tile + local_tile;
  const int left = tile % w_tiles * 4, top = tile / w_tiles % h_tiles * 4;
  const uint image = (uint)(tile / (w_tiles * h_tiles)) * h_out;
  const int columns = min(4, w_out - left), rows = min(4, h_out - top);
  y += y_offset;
  m += m_offset + local_tile * m_stride;
  for (int c = 0; c < channels; c += 16) {
    float16 d[36];
#pragma unroll
    for (int t = 0; t < 36; ++t) d[t] = vload16(0, m + t * plane + c);
#pragma unroll
    for (int j = 0; j < 6; ++j) transform_output(d + j, 6);
#pragma unroll
    for (int i = 0; i < 4; ++i) transform_output(d + 6 * i, 1);
    for (int i = 0; i < rows; ++i) {
      for (int j = 0; j < columns; ++j) {
        const uint pixel = (image + top + i) * w_out + left + j;
        __global float* to = y + pixel * y_stride + c;
        float16 value = d[6 * i + j];
        if (channels - c >= 16) {
          if (accumulate) value += vload16(0, to);
          vstore16(epilogue16(value, pixel, (uint)c EPILOGUE_ARGUMENTS), 0, to);
        } else {
          float lanes[16];
          vstore16(value, 0, lanes);
          for (int l = 0; l < channels - c; ++l) {
            const float sum = accumulate ? to[l] + lanes[l] : lanes[l];
            to[l] = epilogue1(sum, pixel, (uint)(c + l) EPILOGUE_ARGUMENTS);
          }
        }
      }
    }
  }
}
