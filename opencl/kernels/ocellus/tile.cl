// The heart of the vector family: a register tile of ROWS x COLS sums, COLS = 16 * NV, for one work-item without barriers.
// The host chooses ROWS and NV so that ROWS * NV accumulators fill the device's vector registers (12 x 2 of 32 for AVX-512).
//   panel of A: element (row, k) at row * A_ROW + k * A_K, both constants, so that addresses are displacements
//   tile of B:  element (k, column) at k * COLS + column
#ifndef ROWS
#define ROWS 12
#endif
#ifndef NV
#define NV 2
#endif
#ifndef KC
#define KC 256  // depth of a panel: a tile of B (KC * COLS floats) stays in the first two levels of cache
#endif
#define COLS (16 * NV)
#ifdef A_BY_K  // rows side by side: what a transposed A gives with plain copies
#define A_ROW 1
#define A_K ROWS
#else  // each row by itself; the 16 keep rows from falling into one set of the cache
#define A_ROW (KC + 16)
#define A_K 1
#endif
#define PANEL (ROWS * (KC + 16))  // floats that a panel of A takes, either way

// sums += panel (ROWS x depth) * tile (depth x COLS)
inline void multiply(int depth, const float* a, const float* b, float16 sums[ROWS][NV]) {
  for (int k = 0; k < depth; ++k) {
    float16 row[NV];
#pragma unroll
    for (int v = 0; v < NV; ++v) row[v] = vload16(v, b + k * COLS);
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
      const float16 left = a[r * A_ROW + k * A_K];
#pragma unroll
      for (int v = 0; v < NV; ++v) sums[r][v] += left * row[v];
    }
  }
}
