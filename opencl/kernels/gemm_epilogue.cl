// The epilogue alone, for a matrix C (m, n) that another library made.
#include "ocellus/epilogue.cl"

__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1)))
void gemm_epilogue(uint m, uint n, __global float* c, uint c_offset, uint c_row EPILOGUE_PARAMETERS) {
  const uint id = get_global_id(0);
  if (id >= m * n) return;
  const uint i = id / n, j = id % n, at = c_offset + i * c_row + j;
  c[at] = epilogue1(c[at], i, j EPILOGUE_ARGUMENTS);
}
