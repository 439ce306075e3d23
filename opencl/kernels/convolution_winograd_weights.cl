// The gradient by a 3 x 3 kernel as Winograd's F(3x3, 4x4): a tile of 4 x 4 gradients, moved over 6 x 6 inputs, takes 36
// multiplications a pair of channels instead of 144.
//   winograd_input     v (36, tiles, v_stride) = B^T d B, as in convolution_winograd.cl
//   winograd_gradient  d (36, strips, tiles, strip) = A dy A^T, in strips of columns as gemm_vector reads them
//   gemm_vector        m (36, channels, m_stride) = [m +] v^T d, 36 products
//   winograd_weights   dkernel (9, channels, n) = [dkernel +] G^T m G
// Vector family: 16 channels at a time.
#include "ocellus/winograd.cl"

// One work-item: one tile. Pixels beyond the image are zero.
__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void winograd_gradient(int first_tile, int tiles, int h_tiles, int w_tiles, int h_out, int w_out, int channels,
                       __global const float* restrict dy, uint dy_offset, uint dy_stride, __global float* restrict d,
                       uint d_offset, uint d_plane, int strip) {
  const uint local_tile = get_global_id(0);
  const int tile = first_tile + local_tile;
  const int left = tile % w_tiles * 4, top = tile / w_tiles % h_tiles * 4;
  const uint image = (uint)(tile / (w_tiles * h_tiles)) * h_out;
  dy += dy_offset;
  d += d_offset;
  for (int c = 0; c < channels; c += 16) {
    float16 x[16], half_done[24];
#pragma unroll
    for (int i = 0; i < 4; ++i)
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const bool inside = top + i < h_out && left + j < w_out;
        x[4 * i + j] =
            inside ? load_some(dy + ((image + top + i) * w_out + left + j) * dy_stride + c, channels - c) : 0.0f;
      }
    __global float* to = d + ((uint)(c / strip) * tiles + local_tile) * strip + c % strip;
#pragma unroll
    for (int j = 0; j < 4; ++j) transform_gradient(x + j, 4, half_done + j, 4);
#pragma unroll
    for (int i = 0; i < 6; ++i) {
      float16 row[6];
      transform_gradient(half_done + 4 * i, 1, row, 1);
#pragma unroll
      for (int j = 0; j < 6; ++j) vstore16(row[j], 0, to + (6 * i + j) * d_plane);
    }
  }
}

// One work-item: one row of the kernel's matrix, all n columns.
__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void winograd_weights(int channels, int n, __global const float* restrict m, uint m_offset, uint m_stride, uint m_plane,
                      __global float* restrict dkernel, uint offset, int accumulate) {
  const uint row = get_global_id(0);
  m += m_offset + row * m_stride;
  dkernel += offset + row * n;
  for (int c = 0; c < n; c += 16) {
    float16 x[36];
#pragma unroll
    for (int t = 0; t < 36; ++t) x[t] = vload16(0, m + t * m_plane + c);
#pragma unroll
    for (int j = 0; j < 6; ++j) transform_weights(x + j, 6);
#pragma unroll
    for (int i = 0; i < 3; ++i) transform_weights(x + 6 * i, 1);
#pragma unroll
    for (int t = 0; t < 9; ++t) {
      __global float* to = dkernel + (uint)t * channels * n + c;
      float16 value = x[t / 3 * 6 + t % 3];
      if (n - c >= 16) {
        if (accumulate) value += vload16(0, to);
        vstore16(value, 0, to);
      } else {
        float lanes[16];
        vstore16(value, 0, lanes);
        for (int l = 0; l < n - c; ++l) to[l] = accumulate ? to[l] + lanes[l] : lanes[l];
      }
    }
  }
}
