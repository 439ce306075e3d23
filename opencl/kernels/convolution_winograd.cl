// Winograd's F(4x4, 3x3) (Lavin and Gray, CVPR 2016): a tile of 4 x 4 results takes 36 multiplications a channel instead of 144.
//   winograd_kernel   u (36, strips, k, strip) = G g G^T of the weights, in strips of columns, made once for given weights
//   winograd_input    v (36, tiles, v_stride) = B^T d B of tiles of 6 x 6 input pixels, which overlap by 2
//   gemm_vector       m (36, tiles, m_stride) = v u, 36 products
//   winograd_output   y = A^T m A with the epilogue
// Vector family: one work-item a tile, 16 channels at a time.
#include "ocellus/epilogue.cl"

// One column of 6, `step` apart in x, in place.
inline void transform_input(float16* x, int step) {
  const float16 d0 = x[0], d1 = x[step], d2 = x[2 * step], d3 = x[3 * step], d4 = x[4 * step], d5 = x[5 * step];
  const float16 even4 = d4 - 4.0f * d2, odd4 = d3 - 4.0f * d1, even1 = d4 - d2, odd1 = 2.0f * (d3 - d1);
  x[0] = 4.0f * d0 - 5.0f * d2 + d4;
  x[step] = even4 + odd4;
  x[2 * step] = even4 - odd4;
  x[3 * step] = even1 + odd1;
  x[4 * step] = even1 - odd1;
  x[5 * step] = 4.0f * d1 - 5.0f * d3 + d5;
}

// 6 to 4.
inline void transform_output(float16* x, int step) {
  const float16 m0 = x[0], m5 = x[5 * step];
  const float16 sum12 = x[step] + x[2 * step], difference12 = x[step] - x[2 * step];
  const float16 sum34 = x[3 * step] + x[4 * step], difference34 = x[3 * step] - x[4 * step];
  x[0] = m0 + sum12 + sum34;
  x[step] = difference12 + 2.0f * difference34;
  x[2 * step] = sum12 + 4.0f * sum34;
  x[3 * step] = difference12 + 8.0f * difference34 + m5;
}

// 3 to 6.
inline void transform_kernel(const float* g, int step, float* to, int to_step) {
  const float g0 = g[0], g1 = g[step], g2 = g[2 * step];
  to[0] = g0 / 4;
  to[to_step] = -(g0 + g1 + g2) / 6;
  to[2 * to_step] = -(g0 - g1 + g2) / 6;
  to[3 * to_step] = g0 / 24 + g1 / 12 + g2 / 6;
  to[4 * to_step] = g0 / 24 - g1 / 12 + g2 / 6;
  to[5 * to_step] = g2;
}

// Element (i, j, row, column) of the 3 x 3 x k x n kernel is at offset + (3 * i + j) * k * n + row * row_step +
// column * column_step, or at tap 8 - (3 * i + j) when the gradient by x wants it turned. One work-item: one row,
// 16 columns, zeros beyond n.
__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void winograd_kernel(int k, int n, __global const float* restrict weights, uint offset, uint row_step,
                     uint column_step, int turned, __global float* restrict u, int strip) {
  const uint row = get_global_id(1), first = get_global_id(0) * 16, weight_plane = (uint)k * n;
  const uint u_plane = (uint)get_global_size(0) * 16 * k;
  u += (first / strip * k + row) * strip + first % strip;
  float all[36][16];
  for (int c = 0; c < 16; ++c) {
    const bool real = first + c < n;
    float g[9], half_done[18], whole[36];
    for (int t = 0; t < 9; ++t)
      g[t] = real ? weights[offset + (turned ? 8 - t : t) * weight_plane + row * row_step + (first + c) * column_step] : 0.0f;
    for (int j = 0; j < 3; ++j) transform_kernel(g + j, 3, half_done + j, 3);              // down the columns: 6 x 3
    for (int i = 0; i < 6; ++i) transform_kernel(half_done + 3 * i, 1, whole + 6 * i, 1);  // along the rows: 6 x 6
    for (int t = 0; t < 36; ++t) all[t][c] = whole[t];
  }
  for (int t = 0; t < 36; ++t) vstore16(vload16(0, all[t]), 0, u + t * u_plane);
}

inline float16 load_some(const __global float* from, int count) {
  if (count >= 16) return vload16(0, from);
  float lanes[16];
  for (int i = 0; i < 16; ++i) lanes[i] = i < count ? from[i] : 0.0f;
  return vload16(0, lanes);
}

// Tiles first_tile ... of the batch; tile t is at row t / w_tiles % h_tiles and column t % w_tiles of image t / (h_tiles * w_tiles).
__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void winograd_input(int first_tile, int tiles, int h_tiles, int w_tiles, int h_in, int w_in, int h_pad, int w_pad,
                    int channels, __global const float* restrict x, uint x_offset, uint x_stride,
                    __global float* restrict v, uint v_stride) {
  const uint local_tile = get_global_id(0), plane = (uint)tiles * v_stride;
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
void winograd_output(int first_tile, int tiles, int h_tiles, int w_tiles, int h_out, int w_out, int channels,
                     __global const float* restrict m, uint m_offset, uint m_stride, __global float* restrict y, uint y_offset,
                     uint y_stride, int accumulate EPILOGUE_PARAMETERS) {
  const uint local_tile = get_global_id(0), plane = (uint)tiles * m_stride;
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
