// C (m, n) = [C +] A (m, k) B (k, n), vector family. One work-item computes a block of up to PANELS * ROWS rows x `width`
// columns as Goto and van de Geijn (ACM TOMS 34(3), 2008) order it: for each KC deep slice, copy the slice of A into
// private panels, then for each COLS wide strip copy the strip of B and multiply the panels by it. Private copies make odd strides,
// transposition and ragged edges a matter of copying; no workspace, no barrier.
// TRANSPOSE_A: A is stored (k, m). TRANSPOSE_B: B is stored (n, k).
#include "ocellus/epilogue.cl"
#ifdef TRANSPOSE_A
#define A_BY_K
#endif
#include "ocellus/tile.cl"
#ifndef PANELS
#define PANELS 10
#endif

inline void copy_row(const __global float* restrict from, float* to, int n) {
  int i = 0;
  for (; i + 16 <= n; i += 16) vstore16(vload16(0, from + i), 0, to + i);
  for (; i < n; ++i) to[i] = from[i];
}

// The panel of rows [row, row + ROWS) and depth [k, k + depth); rows from m on are zero.
inline void copy_a(const __global float* restrict a, uint stride, int row, int m, int k, int depth, float* panel) {
  const int rows = min(ROWS, m - row);
#ifdef TRANSPOSE_A
  for (int l = 0; l < depth; ++l)
    for (int r = 0; r < ROWS; ++r) panel[l * A_K + r] = r < rows ? a[(uint)(k + l) * stride + row + r] : 0.0f;
#else
  for (int r = 0; r < rows; ++r) copy_row(a + (uint)(row + r) * stride + k, panel + r * A_ROW, depth);
  for (int r = rows; r < ROWS; ++r)
    for (int l = 0; l < depth; ++l) panel[r * A_ROW + l] = 0.0f;
#endif
}

// The strip of columns [column, column + COLS) and depth [k, k + depth); columns from n on are zero.
inline void copy_b(const __global float* restrict b, uint stride, int column, int n, int k, int depth, float* tile) {
  const int columns = min(COLS, n - column);
#ifdef TRANSPOSE_B
  for (int c = 0; c < COLS; ++c) {
    const __global float* from = b + (uint)(column + min(c, columns - 1)) * stride + k;
    for (int l = 0; l < depth; ++l) tile[l * COLS + c] = c < columns ? from[l] : 0.0f;
  }
#else
  for (int l = 0; l < depth; ++l) {
    const __global float* from = b + (uint)(k + l) * stride + column;
    if (columns == COLS) {
      for (int v = 0; v < NV; ++v) vstore16(vload16(v, from), v, tile + l * COLS);
    } else {
      for (int c = 0; c < COLS; ++c) tile[l * COLS + c] = c < columns ? from[c] : 0.0f;
    }
  }
#endif
}

// C at (row, column) = [C +] sums, through the epilogue when this was the last slice.
inline void store(float16 sums[ROWS][NV], __global float* restrict c, uint stride, int row, int m, int column, int n,
                  bool add, bool last EPILOGUE_PARAMETERS) {
  const bool whole = column + COLS <= n;
  for (int r = 0; r < ROWS && row + r < m; ++r) {
    __global float* to = c + (uint)(row + r) * stride + column;
    for (int v = 0; v < NV; ++v) {
      if (whole) {
        float16 x = sums[r][v];
        if (add) x += vload16(v, to);
        if (last) x = epilogue16(x, (uint)(row + r), (uint)(column + 16 * v) EPILOGUE_ARGUMENTS);
        vstore16(x, v, to);
      } else {
        float lane[16];
        vstore16(sums[r][v], 0, lane);
        for (int i = 0; i < 16 && column + 16 * v + i < n; ++i) {
          float x = lane[i];
          if (add) x += to[16 * v + i];
          if (last) x = epilogue1(x, (uint)(row + r), (uint)(column + 16 * v + i) EPILOGUE_ARGUMENTS);
          to[16 * v + i] = x;
        }
      }
    }
  }
}

__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void gemm_vector(int m, int n, int k, __global const float* restrict a, uint a_offset, uint a_stride,
                 __global const float* restrict b, uint b_offset, uint b_stride, __global float* restrict c,
                 uint c_offset, uint c_stride, int accumulate, int height, int width EPILOGUE_PARAMETERS) {
  const int column0 = get_global_id(0) * width, column1 = min(n, column0 + width);
  const int row0 = get_global_id(1) * height, row1 = min(m, row0 + height);
  a += a_offset;
  b += b_offset;
  c += c_offset;
  float panels[PANELS * PANEL], tile[KC * COLS];
  for (int k0 = 0; k0 < k; k0 += KC) {
    const int depth = min(KC, k - k0);
    for (int row = row0, p = 0; row < row1; row += ROWS, ++p)
      copy_a(a, a_stride, row, m, k0, depth, panels + p * PANEL);
    for (int column = column0; column < column1; column += COLS) {
      copy_b(b, b_stride, column, n, k0, depth, tile);
      for (int row = row0, p = 0; row < row1; row += ROWS, ++p) {
        float16 sums[ROWS][NV];
        for (int r = 0; r < ROWS; ++r)
          for (int v = 0; v < NV; ++v) sums[r][v] = 0.0f;
        multiply(depth, panels + p * PANEL, tile, sums);
        store(sums, c, c_stride, row, m, column, n, accumulate || k0 > 0, k0 + depth >= k EPILOGUE_ARGUMENTS);
      }
    }
  }
}
