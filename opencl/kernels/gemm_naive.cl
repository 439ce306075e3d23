// C (m, n) = [C +] A (m, k) B (k, n): one work-item an element, sums in the order of k. For tests and as a last resort.
// Element (i, j) of a matrix lies at offset + i * row + j * column, so a transposed one is a matter of strides.
#include "ocellus/epilogue.cl"

__kernel __attribute__((reqd_work_group_size(64, 1, 1)))
void gemm_naive(int m, int n, int k,
                __global const float* restrict a, uint a_offset, uint a_row, uint a_column,
                __global const float* restrict b, uint b_offset, uint b_row, uint b_column,
                __global float* restrict c, uint c_offset, uint c_row, int accumulate EPILOGUE_PARAMETERS) {
  const uint id = get_global_id(0);
  if (id >= (uint)m * n) return;
  const uint i = id / n, j = id % n;
  float sum = 0.0f;
  for (uint l = 0; l < k; ++l)
    sum = fma(a[a_offset + i * a_row + l * a_column], b[b_offset + l * b_row + j * b_column], sum);
  const uint at = c_offset + i * c_row + j;
  if (accumulate) sum += c[at];
  c[at] = epilogue1(sum, i, j EPILOGUE_ARGUMENTS);
}
