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
#define A_AT(i, l) (a_offset + (i) * a_row + (l) * a_column)
#define B_AT(l, j) (b_offset + (l) * b_row + (j) * b_column)
#define A_VALUE(i, l) ((i) < m && (l) < k ? a[A_AT(i, l)] : 0.0f)
#define B_VALUE(l, j) ((l) < k && (j) < n ? b[B_AT(l, j)] : 0.0f)
#define A_VALUE4(i, l) ((i) < m && (l) < k ? *(const __global float4*)(a + A_AT(i, l)) : (float4)(0.0f))
#define B_VALUE4(l, j) ((l) < k && (j) < n ? *(const __global float4*)(b + B_AT(l, j)) : (float4)(0.0f))
// One of the two strides is 1, the other the distance of the lines.
#ifdef A_ALONG_K
#define A_FOURS ((a_offset | a_row | k) % 4 == 0)
#else
#define A_FOURS ((a_offset | a_column | m) % 4 == 0)
#endif
#ifdef B_ALONG_K
#define B_FOURS ((b_offset | b_column | k) % 4 == 0)
#else
#define B_FOURS ((b_offset | b_row | n) % 4 == 0)
#endif
#define C_FOURS ((c_offset | c_row | n) % 4 == 0)
#define STORE_VALUE(i, j, v)                                               \
  {                                                                        \
    const uint at = c_offset + (i) * c_row + (j);                          \
    const float sum = accumulate ? c[at] + (v) : (v);                      \
    c[at] = epilogue1(sum, i, j EPILOGUE_ARGUMENTS);                       \
  }
#define STORE_VALUE4(i, j, v)                                              \
  {                                                                        \
    __global float4* at = (__global float4*)(c + c_offset + (i) * c_row + (j)); \
    const float4 sum = accumulate ? *at + (v) : (v);                       \
    *at = epilogue4(sum, i, j EPILOGUE_ARGUMENTS);                         \
  }
#include "ocellus/local_tile.cl"
}
