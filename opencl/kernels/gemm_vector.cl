// C (m, n) = [C +] A (m, k) B (k, n), vector family. One work-item computes a block of up to PANELS * ROWS rows x `width`
// columns as Goto and van de Geijn (ACM TOMS 34(3), 2008) order it: for each KC deep slice, copy the slice of A into
// private panels, then for each COLS wide strip copy the strip of B and multiply the panels by it. Private copies make odd strides,
// transposition and ragged edges a matter of copying; no workspace, no barrier.
// Several products of one shape run side by side, `_plane` elements apart; epilogues are for single ones.
// TRANSPOSE_A: A is stored (k, m). TURN_A: it is not, but its panels are: one stream where there would be ROWS, which pays for
// turning them where many columns follow. TRANSPOSE_B: B is stored (n, k). PACKED_B: B is
// stored as strips of COLS columns, (strips, k, COLS), and read where it lies.
#include "ocellus/epilogue.cl"
#if defined(TRANSPOSE_A) || defined(TURN_A)
#define A_BY_K
#endif
#ifdef PACKED_B
#define TILE_SPACE __global
#endif
#include "ocellus/tile.cl"

// The panel of rows [row, row + ROWS) and depth [k, k + depth); rows from m on are zero.
inline void copy_a(const __global float* restrict a, uint stride, int row, int m, int k, int depth, float* panel) {
  const int rows = min(ROWS, m - row);
#ifdef TRANSPOSE_A
  a += (uint)k * stride + row;
  if (rows == ROWS) {
    for (int l = 0; l < depth; ++l)
#pragma unroll
      for (int r = 0; r < ROWS; ++r) panel[l * A_K + r] = a[(uint)l * stride + r];
  } else {
    for (int l = 0; l < depth; ++l)
      for (int r = 0; r < ROWS; ++r) panel[l * A_K + r] = r < rows ? a[(uint)l * stride + r] : 0.0f;
  }
#elif defined(TURN_A)
  const __global float* from[ROWS];
#pragma unroll
  for (int r = 0; r < ROWS; ++r) from[r] = a + (uint)(row + min(r, rows - 1)) * stride + k;
  for (int l = 0; l < depth; ++l)
#pragma unroll
    for (int r = 0; r < ROWS; ++r) panel[l * A_K + r] = from[r][l];
#else
  for (int r = 0; r < rows; ++r) copy_row(a + (uint)(row + r) * stride + k, panel + r * A_ROW, depth);
  for (int r = rows; r < ROWS; ++r)
    for (int l = 0; l < depth; ++l) panel[r * A_ROW + l] = 0.0f;
#endif
}

#ifdef TRANSPOSE_B
// As copy_tile() of tile.cl, from a stored (n, k).
inline void copy_turned(const __global float* restrict b, uint stride, int column, int n, int k, int depth, float* tile) {
  const int columns = min(COLS, n - column);
  for (int c = 0; c < COLS; ++c) {
    const __global float* from = b + (uint)(column + min(c, columns - 1)) * stride + k;
    for (int l = 0; l < depth; ++l) tile[l * COLS + c] = c < columns ? from[l] : 0.0f;
  }
}
#define copy_tile copy_turned
#endif

__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void gemm_vector(int m, int n, int k, __global const float* restrict a, uint a_offset, uint a_stride, uint a_plane,
                 __global const float* restrict b, uint b_offset, uint b_stride, uint b_plane, __global float* restrict c,
                 uint c_offset, uint c_stride, uint c_plane, int accumulate, int height, int width EPILOGUE_PARAMETERS) {
  const int column0 = get_global_id(0) * width, column1 = min(n, column0 + width);
  const int row0 = get_global_id(1) * height, row1 = min(m, row0 + height);
  a += a_offset + get_global_id(2) * a_plane;
  b += b_offset + get_global_id(2) * b_plane;
  c += c_offset + get_global_id(2) * c_plane;
  float panels[PANELS * PANEL];
#ifndef PACKED_B
  float tile[KC * COLS];
#endif
  for (int k0 = 0; k0 < k; k0 += KC) {
    const int depth = min(KC, k - k0);
    for (int row = row0, p = 0; row < row1; row += ROWS, ++p)
      copy_a(a, a_stride, row, m, k0, depth, panels + p * PANEL);
    for (int column = column0; column < column1; column += COLS) {
#ifdef PACKED_B
      const __global float* tile = b + (uint)column * k + k0 * COLS;
#else
      copy_tile(b, b_stride, column, n, k0, depth, tile);
#endif
      for (int row = row0, p = 0; row < row1; row += ROWS, ++p) {
        uint rows[ROWS];
        for (int r = 0; r < ROWS; ++r) rows[r] = row + r;
        prefetch_tile(c, c_stride, rows, min(ROWS, m - row), column EPILOGUE_ARGUMENTS);
        vec sums[ROWS][NV];
        clear(sums);
        multiply(depth, panels + p * PANEL, tile, sums);
        store(sums, c, c_stride, rows, min(ROWS, m - row), column, n, accumulate || k0 > 0,
              k0 + depth >= k EPILOGUE_ARGUMENTS);
      }
    }
  }
}
