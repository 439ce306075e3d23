// C (M, n) = [C +] A (M, k) B (k, n) with few rows M (at most 8, a constant), vector family: dense layers of small batches, where B
// is read once and its bandwidth is all that counts.
#include "ocellus/epilogue.cl"
#include "ocellus/vector.cl"
#define DEPTH 8  // rows of B side by side: as many streams as the hardware prefetches

inline void store_thin(float16 x, __global float* restrict c, uint row, int column, int n,
                       int accumulate EPILOGUE_PARAMETERS) {
  __global float* to = c + column;
  const uint lanes = min(16, n - column);
  if (accumulate) x += load_n(to, lanes);
  if (lanes == 16) {
    vstore16(epilogue16(x, row, (uint)column EPILOGUE_ARGUMENTS), 0, to);
  } else {
    float values[16];
    vstore16(x, 0, values);
    for (uint i = 0; i < lanes; ++i) to[i] = epilogue1(values[i], row, (uint)(column + i) EPILOGUE_ARGUMENTS);
  }
}

// B stored (k, n). A work-item sums over `depth` rows of B, all columns: it reads B from its beginning to its end. Sums of the
// items, (items, M, n rounded up to 16), are added by gemm_thin_finish.
inline void thin_strip(const float left[M][DEPTH], const __global float* restrict const from[DEPTH], int column, uint lanes,
                       __global float* restrict partial, int padded, bool first) {
  float16 row[DEPTH];
#pragma unroll
  for (int i = 0; i < DEPTH; ++i) row[i] = lanes == 16 ? vload16(0, from[i] + column) : load_n(from[i] + column, lanes);
#pragma unroll
  for (int r = 0; r < M; ++r) {
    __global float* to = partial + r * padded + column;
    float16 sum = first ? (float16)(0.0f) : vload16(0, to);
#pragma unroll
    for (int i = 0; i < DEPTH; ++i) sum += left[r][i] * row[i];
    vstore16(sum, 0, to);
  }
}

#ifndef TURNED
__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void gemm_thin_partial(int n, int k, __global const float* restrict a, uint a_offset, uint a_stride,
                       __global const float* restrict b, uint b_offset, uint b_stride, __global float* restrict partial, int depth) {
  const int begin = get_global_id(0) * depth, end = min(k, begin + depth), padded = (n + 15) & ~15;
  a += a_offset;
  b += b_offset;
  partial += get_global_id(0) * M * padded;
  for (int l = begin; l < end; l += DEPTH) {
    float left[M][DEPTH];
    const __global float* from[DEPTH];
    for (int i = 0; i < DEPTH; ++i) {
      // Rows past the end are the last one again, times zero.
      const int row = min(l + i, end - 1);
      from[i] = b + (ulong)row * b_stride;
      for (int r = 0; r < M; ++r) left[r][i] = l + i < end ? a[r * a_stride + row] : 0.0f;
    }
    int column = 0;
    for (; column + 16 <= n; column += 16) thin_strip(left, from, column, 16, partial, padded, l == begin);
    if (column < n) thin_strip(left, from, column, n - column, partial, padded, l == begin);
  }
}

__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void gemm_thin_finish(int n, int items, __global const float* restrict partial, __global float* restrict c, uint c_offset,
                      uint c_stride, int accumulate, int width EPILOGUE_PARAMETERS) {
  const int begin = get_global_id(0) * width, end = min(n, begin + width), padded = (n + 15) & ~15;
  c += c_offset;
  for (int r = 0; r < M; ++r)
    for (int column = begin; column < end; column += 16) {
      float16 sum = (float16)(0.0f);
      for (int i = 0; i < items; ++i) sum += vload16(0, partial + (i * M + r) * padded + column);
      store_thin(sum, c + r * c_stride, r, column, n, accumulate EPILOGUE_ARGUMENTS);
    }
}
#else
// B stored (n, k): each result is the product of two rows. A work-item computes the columns of `width`.
__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void gemm_thin_turned(int n, int k, __global const float* restrict a, uint a_offset, uint a_stride,
                      __global const float* restrict b, uint b_offset, uint b_stride, __global float* restrict c, uint c_offset,
                      uint c_stride, int accumulate, int width EPILOGUE_PARAMETERS) {
  const int begin = get_global_id(0) * width, end = min(n, begin + width);
  a += a_offset;
  c += c_offset;
  b += b_offset;
  for (int column = begin; column < end; ++column) {
    const __global float* row = b + (ulong)column * b_stride;
    float16 sum[M];
    for (int r = 0; r < M; ++r) sum[r] = (float16)(0.0f);
    int l = 0;
    for (; l + 16 <= k; l += 16) {
      const float16 right = vload16(0, row + l);
#pragma unroll
      for (int r = 0; r < M; ++r) sum[r] += vload16(0, a + r * a_stride + l) * right;
    }
    if (l < k) {
      const float16 right = load_n(row + l, k - l);
      for (int r = 0; r < M; ++r) sum[r] += load_n(a + r * a_stride + l, k - l) * right;
    }
    for (int r = 0; r < M; ++r) {
      __global float* to = c + r * c_stride + column;
      float x = sum16(sum[r]);
      if (accumulate) x += *to;
      *to = epilogue1(x, (uint)r, (uint)column EPILOGUE_ARGUMENTS);
    }
  }
}
#endif
