// C (m, n) = [C +] A (m, k) B (k, n). Element (i, j) of a matrix lies at offset + i * row + j * column: a transposed one is a
// matter of strides (and of A_ALONG_K, B_ALONG_K, which make the loads coalesce). Dimension 2 counts products of one shape, whose matrices
// lie a_plane, b_plane and c_plane floats apart.
#include "ocellus/epilogue.cl"

__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1)))
void gemm_tiled(uint m, uint n, uint k,
                __global const float* restrict a, uint a_offset, uint a_row, uint a_column, uint a_plane,
                __global const float* restrict b, uint b_offset, uint b_row, uint b_column, uint b_plane,
                __global float* restrict c, uint c_offset, uint c_row, uint c_plane, int accumulate EPILOGUE_PARAMETERS,
                uint first_tile, uint first_product) {
  const uint product = first_product + get_group_id(2);
  a_offset += product * a_plane;
  b_offset += product * b_plane;
  c_offset += product * c_plane;
#define M m
#define N n
#define K_BEGIN 0
#define K_END k
#define A_VALUE(i, l) ((i) < m && (l) < k ? a[a_offset + (i) * a_row + (l) * a_column] : 0.0f)
#define B_VALUE(l, j) ((l) < k && (j) < n ? b[b_offset + (l) * b_row + (j) * b_column] : 0.0f)
#define STORE_VALUE(i, j, v)                                               \
  {                                                                        \
    const uint at = c_offset + (i) * c_row + (j);                          \
    const float sum = accumulate ? c[at] + (v) : (v);                      \
    c[at] = epilogue1(sum, i, j EPILOGUE_ARGUMENTS);                       \
  }
#include "ocellus/local_tile.cl"
}
