// One kernel body for both families: it runs over the elements of a matrix of rows x columns.
//
//   __kernel MATRIX_ATTRIBUTES void twice(MATRIX_PARAMETERS, __global const float* x, __global float* y) {
//     FOR_EACH(r, c, n) STORE(2.0f * LOAD(x + r * columns + c, n), y + r * columns + c, n);
//   }
//
// Tiled (-DTILED -DGROUP=128): a work-item has one element, T is float, n is 1.
// Vector: a work-item has a block of chunk_rows x chunk_columns and walks through it in steps of T = float16, of which the
// first n lanes count. The host lays out both with split_matrix() (matrix.hpp).
#ifndef OCELLUS_MATRIX_CL
#define OCELLUS_MATRIX_CL
#include "ocellus/vector.cl"

#define MATRIX_PARAMETERS uint rows, uint columns, uint chunk_rows, uint chunk_columns

#ifdef TILED
#define T float
#define INT int
#define LOAD(p, n) (*(p))
#define LOAD_WIDE(p, n, end) (*(p))
#define STORE(v, p, n) (*(p) = (v))
#define STORE_INT(v, p, n) (*(p) = (v))
#define MATRIX_ATTRIBUTES __attribute__((reqd_work_group_size(GROUP, 1, 1)))
#define FOR_EACH(r, c, n)                                                                      \
  for (uint i_ = get_global_id(0), r = i_ / columns, c = i_ % columns, n = 1;                  \
       i_ < rows * columns; i_ = 0xffffffffu)
#else
#define T float16
#define INT int16
#define LOAD(p, n) load_n(p, n)
#define LOAD_WIDE(p, n, end) load_wide(p, n, end)
#define STORE(v, p, n) store_n(v, p, n)
#define STORE_INT(v, p, n) store_n(as_float16(v), (__global float*)(p), n)
#define MATRIX_ATTRIBUTES __attribute__((reqd_work_group_size(1, 1, 1)))
#define FOR_EACH(r, c, n)                                                                      \
  for (uint r = get_global_id(1) * chunk_rows, r_end_ = min(rows, r + chunk_rows); r < r_end_; ++r) \
    for (uint c = get_global_id(0) * chunk_columns, c_end_ = min(columns, c + chunk_columns), n; \
         c < c_end_ && (n = min(16u, c_end_ - c)); c += 16)
#endif

#endif
