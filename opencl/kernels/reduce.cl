// Reductions with a fixed order of summation. Matrices are rows x columns with a row distance; offsets count floats.
// The long ones take two launches: `*_parts` leaves one partial result for each part of the rows, `finish_*` joins them.
#include "ocellus/matrix.cl"

// Moments of two sets joined into the first (Chan, Golub, LeVeque 1983): n, mean, m2 = sum of squared deviations.
#define JOIN_MOMENTS(n, mean, m2, n_b, mean_b, m2_b)        \
  {                                                         \
    const float share_ = (n_b) / ((n) + (n_b));             \
    const T delta_ = (mean_b) - (mean);                     \
    mean += delta_ * share_;                                \
    m2 += (m2_b) + delta_ * delta_ * ((n) * share_);        \
    n += (n_b);                                             \
  }

#ifdef TILED
// ---- one work-group a part; LX lanes across columns, LY lanes across rows -------------------------------------------------
#ifndef LX
#define LX GROUP
#define LY 1
#endif

__kernel __attribute__((reqd_work_group_size(LX, LY, 1))) void sum_rows_parts(
    uint rows, uint columns, uint part_rows, __global const float* x, uint x_offset, uint x_stride,
    __global float* partial) {
  __local float sums[LY][LX];
  const uint c = get_global_id(0), lx = get_local_id(0), ly = get_local_id(1), part = get_group_id(1);
  const uint last = min(rows, (part + 1) * part_rows);
  float sum = 0.0f;
  if (c < columns)
    for (uint r = part * part_rows + ly; r < last; r += LY) sum += x[x_offset + r * x_stride + c];
  sums[ly][lx] = sum;
  for (uint span = LY / 2; span > 0; span /= 2) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (ly < span) sums[ly][lx] += sums[ly + span][lx];
  }
  if (ly == 0 && c < columns) partial[part * columns + c] = sums[0][lx];
}

__kernel __attribute__((reqd_work_group_size(LX, LY, 1))) void moments_parts(
    uint rows, uint columns, uint part_rows, __global const float* x, uint x_offset, uint x_stride,
    __global float* partial) {
  __local float counts[LY], means[LY][LX], squares[LY][LX];
  const uint c = get_global_id(0), lx = get_local_id(0), ly = get_local_id(1), part = get_group_id(1);
  const uint last = min(rows, (part + 1) * part_rows);
  float count = 0.0f, mean = 0.0f, m2 = 0.0f;
  if (c < columns)
    for (uint r = part * part_rows + ly; r < last; r += LY) {  // Welford's update
      const float v = x[x_offset + r * x_stride + c], delta = v - mean;
      count += 1.0f;
      mean += delta / count;
      m2 += delta * (v - mean);
    }
  if (lx == 0) counts[ly] = count;  // the group's first column exists
  means[ly][lx] = mean;
  squares[ly][lx] = m2;
  for (uint span = LY / 2; span > 0; span /= 2) {
    barrier(CLK_LOCAL_MEM_FENCE);
    float n = 0.0f;
    if (ly < span) {
      n = counts[ly];
      const float n_b = counts[ly + span];
      float a = means[ly][lx], a2 = squares[ly][lx];
      if (n_b > 0.0f) JOIN_MOMENTS(n, a, a2, n_b, means[ly + span][lx], squares[ly + span][lx])
      means[ly][lx] = a;
      squares[ly][lx] = a2;
    }
    barrier(CLK_LOCAL_MEM_FENCE);  // all lanes have read the counts
    if (ly < span && lx == 0) counts[ly] = n;
  }
  if (ly == 0 && c < columns) {
    partial[part * columns + c] = means[0][lx];
    partial[(get_num_groups(1) + part) * columns + c] = squares[0][lx];
  }
}

// Sum, largest and first-of-largest over a work-group; every lane gets the result.
inline float group_sum(float v, __local float* lanes) {
  const uint l = get_local_id(0);
  lanes[l] = v;
  for (uint span = GROUP / 2; span > 0; span /= 2) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (l < span) lanes[l] += lanes[l + span];
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  return lanes[0];
}

__kernel MATRIX_ATTRIBUTES void sum_columns(uint rows, uint columns, uint chunk_rows, __global const float* x,
                                            uint x_offset, uint x_stride, __global float* out, uint out_offset,
                                            int accumulate) {
  __local float lanes[GROUP];
  const uint r = get_group_id(0);
  float sum = 0.0f;
  for (uint c = get_local_id(0); c < columns; c += GROUP) sum += x[x_offset + r * x_stride + c];
  sum = group_sum(sum, lanes);
  if (get_local_id(0) == 0) out[out_offset + r] = accumulate ? out[out_offset + r] + sum : sum;
}

__kernel MATRIX_ATTRIBUTES void sum_squares_parts(uint rows, uint columns, uint part, __global const float* x,
                                                  uint x_offset, uint x_stride, __global float* partial) {
  __local float lanes[GROUP];
  const uint first = get_group_id(0) * part, last = min(rows * columns, first + part);
  float sum = 0.0f;
  for (uint i = first + get_local_id(0); i < last; i += GROUP) {
    const float v = x[x_offset + i / columns * x_stride + i % columns];
    sum += v * v;
  }
  sum = group_sum(sum, lanes);
  if (get_local_id(0) == 0) partial[get_group_id(0)] = sum;
}

__kernel MATRIX_ATTRIBUTES void argmax_columns(uint rows, uint columns, uint chunk_rows, __global const float* x,
                                               uint x_offset, uint x_stride, __global int* out, uint out_offset) {
  __local float values[GROUP];
  __local uint places[GROUP];
  const uint r = get_group_id(0), l = get_local_id(0);
  __global const float* row = x + x_offset + r * x_stride;
  uint best = min(l, columns - 1);
  for (uint c = l + GROUP; c < columns; c += GROUP)
    if (row[c] > row[best]) best = c;
  values[l] = row[best];
  places[l] = best;
  for (uint span = GROUP / 2; span > 0; span /= 2) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (l < span && (values[l + span] > values[l] || (values[l + span] == values[l] && places[l + span] < places[l]))) {
      values[l] = values[l + span];
      places[l] = places[l + span];
    }
  }
  if (l == 0) out[out_offset + r] = places[0];
}

#else
// ---- one work-item a part and block of 64 columns (or a block of rows) --------------------------------------------------
#define VECTOR_KERNEL __attribute__((reqd_work_group_size(1, 1, 1)))

VECTOR_KERNEL __kernel void sum_rows_parts(uint rows, uint columns, uint part_rows, __global const float* x,
                                           uint x_offset, uint x_stride, __global float* partial) {
  const uint part = get_global_id(1), first = part * part_rows, last = min(rows, first + part_rows);
  const uint c_end = min(columns, (uint)get_global_id(0) * 64 + 64);
  for (uint c = get_global_id(0) * 64; c < c_end; c += 16) {
    const uint n = min(16u, c_end - c);
    float16 total = 0.0f;
    for (uint r = first; r < last;) {  // short sums of 256 rows, then their sum: less rounding
      float16 sum = 0.0f;
      const uint stop = min(last, r + 256);
      for (; r < stop; ++r) sum += load_n(x + x_offset + r * x_stride + c, n);
      total += sum;
    }
    store_n(total, partial + part * columns + c, n);
  }
}

VECTOR_KERNEL __kernel void moments_parts(uint rows, uint columns, uint part_rows, __global const float* x,
                                          uint x_offset, uint x_stride, __global float* partial) {
  const uint part = get_global_id(1), first = part * part_rows, last = min(rows, first + part_rows);
  const uint c_end = min(columns, (uint)get_global_id(0) * 64 + 64);
  for (uint c = get_global_id(0) * 64; c < c_end; c += 16) {
    const uint n = min(16u, c_end - c);
    __global const float* column = x + x_offset + c;
    float count = 0.0f;
    float16 mean = 0.0f, m2 = 0.0f;
    for (uint r = first; r < last;) {  // mean and deviations of 64 rows that are in the cache, then joined
      const uint begin = r, stop = min(last, r + 64);
      float16 sum = 0.0f, squares = 0.0f;
      for (; r < stop; ++r) sum += load_n(column + r * x_stride, n);
      const float block = (float)(stop - begin);
      const float16 center = sum / block;
      for (r = begin; r < stop; ++r) {
        const float16 d = load_n(column + r * x_stride, n) - center;
        squares += d * d;
      }
      JOIN_MOMENTS(count, mean, m2, block, center, squares)
    }
    store_n(mean, partial + part * columns + c, n);
    store_n(m2, partial + (get_global_size(1) + part) * columns + c, n);
  }
}

VECTOR_KERNEL __kernel void sum_columns(uint rows, uint columns, uint chunk_rows, __global const float* x, uint x_offset,
                                        uint x_stride, __global float* out, uint out_offset, int accumulate) {
  const uint first = get_global_id(0) * chunk_rows, last = min(rows, first + chunk_rows);
  for (uint r = first; r < last; ++r) {
    __global const float* row = x + x_offset + r * x_stride;
    float16 total = 0.0f;
    for (uint c = 0; c < columns;) {
      float16 sum = 0.0f;
      const uint stop = min(columns, c + 4096);
      for (; c < stop; c += 16) sum += load_n(row + c, min(16u, columns - c));
      total += sum;
    }
    const float sum = sum16(total);
    out[out_offset + r] = accumulate ? out[out_offset + r] + sum : sum;
  }
}

VECTOR_KERNEL __kernel void sum_squares_parts(MATRIX_PARAMETERS, __global const float* x, uint x_offset, uint x_stride,
                                              __global float* partial) {
  float16 sum = 0.0f;
  FOR_EACH(r, c, n) {
    const float16 v = load_n(x + x_offset + r * x_stride + c, n);
    sum += v * v;
  }
  partial[get_global_id(1) * get_global_size(0) + get_global_id(0)] = sum16(sum);
}

VECTOR_KERNEL __kernel void argmax_columns(uint rows, uint columns, uint chunk_rows, __global const float* x,
                                           uint x_offset, uint x_stride, __global int* out, uint out_offset) {
  const uint first = get_global_id(0) * chunk_rows, last = min(rows, first + chunk_rows);
  for (uint r = first; r < last; ++r) {
    __global const float* row = x + x_offset + r * x_stride;
    uint best = 0;
    for (uint c = 1; c < columns; ++c)
      if (row[c] > row[best]) best = c;
    out[out_offset + r] = best;
  }
}
#endif

// ---- both families -----------------------------------------------------------------------------------------------------
// out[c] = [out[c] +] sum of `parts` partial sums (or of the rows of a short matrix); the matrix is 1 x columns.
__kernel MATRIX_ATTRIBUTES void finish_sum(MATRIX_PARAMETERS, uint parts, __global const float* partial,
                                           uint partial_offset, uint partial_stride, __global float* out,
                                           uint out_offset, int accumulate) {
  FOR_EACH(r, c, n) {
    T sum = 0.0f;
    for (uint p = 0; p < parts; ++p) sum += LOAD(partial + partial_offset + p * partial_stride + c, n);
    __global float* to = out + out_offset + c;
    if (accumulate) sum += LOAD(to, n);
    STORE(sum, to, n);
  }
}

// Joins parts * fold partial moments: each part of part_rows rows (the last may be shorter) left `fold` of them, since
// `fold` rows of the matrix were seen as one. `part_total` rows in all.
__kernel MATRIX_ATTRIBUTES void finish_moments(MATRIX_PARAMETERS, uint parts, uint fold, uint part_rows, uint part_total,
                                               __global const float* partial, __global float* out, uint out_offset) {
  FOR_EACH(r, c, n) {
    float count = 0.0f;
    T mean = 0.0f, m2 = 0.0f;
    for (uint p = 0; p < parts * fold; ++p) {
      const float n_b = (float)(min(part_total, (p / fold + 1) * part_rows) - p / fold * part_rows);
      const T mean_b = LOAD(partial + p * columns + c, n);
      const T m2_b = LOAD(partial + (parts * fold + p) * columns + c, n);
      JOIN_MOMENTS(count, mean, m2, n_b, mean_b, m2_b)
    }
    STORE(mean, out + out_offset + c, n);
    STORE(m2 / count, out + out_offset + columns + c, n);
  }
}

// The matrix is segments x columns; each segment has `segment` rows of x.
__kernel MATRIX_ATTRIBUTES void mean_segments(MATRIX_PARAMETERS, uint segment, __global const float* x, uint x_offset,
                                              uint x_stride, __global float* out, uint out_offset, uint out_stride) {
  FOR_EACH(s, c, n) {
    T sum = 0.0f;
    __global const float* from = x + x_offset + s * segment * x_stride + c;
    for (uint r = 0; r < segment; ++r) sum += LOAD(from + r * x_stride, n);
    STORE(sum / (float)segment, out + out_offset + s * out_stride + c, n);
  }
}

// `where`, if given, gets the first row (counted within the segment) at which the maximum stands.
__kernel MATRIX_ATTRIBUTES void max_segments(MATRIX_PARAMETERS, uint segment, __global const float* x, uint x_offset,
                                             uint x_stride, __global float* out, uint out_offset, uint out_stride,
                                             __global int* where, uint where_offset, uint where_stride) {
  FOR_EACH(s, c, n) {
    __global const float* from = x + x_offset + s * segment * x_stride + c;
    T best = LOAD(from, n);
    INT row = 0;
    for (uint r = 1; r < segment; ++r) {
      const T v = LOAD(from + r * x_stride, n);
      row = v > best ? (INT)(r) : row;
      best = v > best ? v : best;
    }
    STORE(best, out + out_offset + s * out_stride + c, n);
    if (where) STORE_INT(row, where + where_offset + s * where_stride + c, n);
  }
}
