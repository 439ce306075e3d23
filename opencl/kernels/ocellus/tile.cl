// The heart of the vector family: a register tile of ROWS x COLS sums, COLS = LANES * NV, for one work-item without barriers.
// The host chooses ROWS and NV so that ROWS * NV accumulators fill the device's vector registers (12 x 2 of 32 for AVX-512).
//   panel of A: element (row, k) at row * A_ROW + k * A_K, both constants, so that addresses are displacements
//   tile of B:  element (k, column) at k * COLS + column
#include "ocellus/epilogue.cl"
#include "ocellus/vector.cl"
#ifndef ROWS
#define ROWS 12
#endif
#ifndef NV
#define NV 2
#endif
#ifndef KC
#define KC 256  // depth of a panel: a tile of B (KC * COLS floats) stays in the first two levels of cache
#endif
#ifndef LANES
#define LANES 16
#endif
#if LANES == 16
typedef float16 vec;
#define LOAD vload16
#define STORE vstore16
#define EPILOGUE epilogue16
#else
typedef float8 vec;
#define LOAD vload8
#define STORE vstore8
#define EPILOGUE epilogue8
#endif
typedef vec loose __attribute__((aligned(4)));  // as loose16
#define COLS (LANES * NV)
#ifdef A_ROW  // whoever includes this defined both
#elif defined(A_BY_K)  // rows side by side: what a transposed A gives with plain copies
#define A_ROW 1
#define A_K ROWS
#else  // each row by itself; the 16 keep rows from falling into one set of the cache
#define A_ROW (KC + 16)
#define A_K 1
#endif
#define PANEL (ROWS * (KC + 16))  // floats that a panel of A takes, either way
#define PANELS (120 / ROWS)       // panels that a work-item may copy: 130 KB of the second level of cache

#ifndef TILE_SPACE
#define TILE_SPACE  // where tiles of B lie: private memory, or __global where B was packed into tiles beforehand
#endif
// sums += panel (ROWS x depth) * tile (depth x COLS)
inline void multiply(int depth, const float* a, const TILE_SPACE float* b, vec sums[ROWS][NV]) {
  for (int k = 0; k < depth; ++k) {
    vec row[NV];
#pragma unroll
    for (int v = 0; v < NV; ++v) row[v] = *(const TILE_SPACE loose*)(b + k * COLS + v * LANES);
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
      const vec left = a[r * A_ROW + k * A_K];
#pragma unroll
      for (int v = 0; v < NV; ++v) sums[r][v] += left * row[v];
    }
  }
}

// The same with rows of A wherever they lie.
inline void multiply_rows(int depth, const __global float* const* rows, const TILE_SPACE float* b, vec sums[ROWS][NV]) {
  for (int k = 0; k < depth; ++k) {
    vec row[NV];
#pragma unroll
    for (int v = 0; v < NV; ++v) row[v] = *(const TILE_SPACE loose*)(b + k * COLS + v * LANES);
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
      const vec left = rows[r][k];
#pragma unroll
      for (int v = 0; v < NV; ++v) sums[r][v] += left * row[v];
    }
  }
}

inline void clear(vec sums[ROWS][NV]) {
#pragma unroll
  for (int r = 0; r < ROWS; ++r)
#pragma unroll
    for (int v = 0; v < NV; ++v) sums[r][v] = 0.0f;
}

inline void copy_row(const __global float* restrict from, float* to, int n) {
  int i = 0;
  for (; i + 16 <= n; i += 16) *(loose16*)(to + i) = *(const __global loose16*)(from + i);
  for (; i < n; ++i) to[i] = from[i];
}

inline void zero_row(float* to, int n) {
  for (int i = 0; i < n; ++i) to[i] = 0.0f;
}

// The strip of columns [column, column + COLS) and depth [k, k + depth) of a row-major B; columns from n on become zero.
inline void copy_tile(const __global float* restrict b, uint stride, int column, int n, int k, int depth, float* tile) {
  const int columns = min(COLS, n - column);
  for (int l = 0; l < depth; ++l) {
    const __global float* from = b + (uint)(k + l) * stride + column;
    if (columns == COLS) {
      for (int v = 0; v < NV; ++v) STORE(LOAD(v, from), v, tile + l * COLS);
    } else {
      for (int c = 0; c < COLS; ++c) tile[l * COLS + c] = c < columns ? from[c] : 0.0f;
    }
  }
}

// Asks for what store() will write, and read of C and of the epilogue's operands, so that it comes while the tile is multiplied:
// waiting for it takes as long as a tenth of a deep tile's multiply-adds.
inline void prefetch_tile(const __global float* c, uint stride, const uint* pixels, int rows,
                          int column EPILOGUE_PARAMETERS) {
  for (int r = 0; r < rows; ++r)
#pragma unroll
    for (int i = 0; i < COLS + 15; i += 16) {
      const int at = column + min(i, COLS - 1);  // rows that begin within a line end within another
      PREFETCH(c + pixels[r] * stride + at);
      EPILOGUE_PREFETCH(pixels[r], at);
    }
}

// C at (pixels[r], column), r < rows, = [C +] sums, through the epilogue when these are the last terms of the sums.
// Columns end at n. `pixels` are rows of C and of the epilogue's operands.
// All indices of sums are constants, whatever the epilogue's size: else the compiler keeps them in memory during the multiply-adds too.
inline void store(vec sums[ROWS][NV], __global float* restrict c, uint stride, const uint* pixels, int rows,
                  int column, int n, bool add, bool last EPILOGUE_PARAMETERS) {
  if (column + COLS <= n) {
#pragma unroll
    for (int r = 0; r < ROWS; ++r)
#pragma unroll
      for (int v = 0; v < NV; ++v) {
        if (r >= rows) continue;
        vec x = sums[r][v];
        __global loose* at = (__global loose*)(c + pixels[r] * stride + column + LANES * v);
        if (add) x += *at;
        if (last) x = EPILOGUE(x, pixels[r], (uint)(column + LANES * v) EPILOGUE_ARGUMENTS);
        *at = x;
      }
    return;
  }
  float all[ROWS * COLS];
#pragma unroll
  for (int r = 0; r < ROWS; ++r)
#pragma unroll
    for (int v = 0; v < NV; ++v) *(loose*)(all + r * COLS + v * LANES) = sums[r][v];
  for (int r = 0; r < rows; ++r)
    for (int i = 0; column + i < n; ++i) {
      __global float* at = c + pixels[r] * stride + column + i;
      float x = all[r * COLS + i];
      if (add) x += *at;
      if (last) x = epilogue1(x, pixels[r], (uint)(column + i) EPILOGUE_ARGUMENTS);
      *at = x;
    }
}
