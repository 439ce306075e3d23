// Softmax over the columns of each row. In place is allowed. Tiled: a work-group a row; vector: a work-item some rows.
#include "ocellus/matrix.cl"

#define SOFTMAX_PARAMETERS                                                                                   \
  uint rows, uint columns, uint chunk_rows, __global const float *x, uint x_offset, uint x_stride, __global float *y, \
      uint y_offset, uint y_stride

#ifdef TILED
#define FOR_ROWS(r) const uint r = get_group_id(0);
#define FOR_COLUMNS(c, n) for (uint c = get_local_id(0), n = 1; c < columns; c += GROUP)
#define LANES __local float lanes[GROUP];
#define ALL_SUM(v) group_sum(v, lanes)
#define ALL_MAX(v) group_max(v, lanes)

inline float group_sum(float v, __local float* lanes) {
  const uint l = get_local_id(0);
  barrier(CLK_LOCAL_MEM_FENCE);  // the lanes of the last call have been read
  lanes[l] = v;
  for (uint span = GROUP / 2; span > 0; span /= 2) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (l < span) lanes[l] += lanes[l + span];
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  return lanes[0];
}

inline float group_max(float v, __local float* lanes) {
  const uint l = get_local_id(0);
  barrier(CLK_LOCAL_MEM_FENCE);
  lanes[l] = v;
  for (uint span = GROUP / 2; span > 0; span /= 2) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (l < span) lanes[l] = fmax(lanes[l], lanes[l + span]);
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  return lanes[0];
}
#else
#define FOR_ROWS(r) \
  for (uint r = get_global_id(0) * chunk_rows, r_end_ = min(rows, r + chunk_rows); r < r_end_; ++r)
#define FOR_COLUMNS(c, n) for (uint c = 0, n; c < columns && (n = min(16u, columns - c)); c += 16)
#define LANES
#define ALL_SUM(v) sum16(v)
#define ALL_MAX(v) max16(v)
#endif

// Lanes beyond the row's end, set to what does not change a maximum or a sum.
#ifdef TILED
#define MASKED(v, n, other) (v)
#else
#define MASKED(v, n, other) \
  select((float16)(other), v, (int16)(n) > (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))
#endif

__kernel MATRIX_ATTRIBUTES void softmax_forward(SOFTMAX_PARAMETERS) {
  LANES
  FOR_ROWS(r) {
    __global const float* in = x + x_offset + r * x_stride;
    __global float* out = y + y_offset + r * y_stride;
    T top = -INFINITY, sum = 0.0f;
    FOR_COLUMNS(c, n) top = fmax(top, MASKED(LOAD(in + c, n), n, -INFINITY));
    const float shift = ALL_MAX(top);
    FOR_COLUMNS(c, n) {
      const T e = exp(LOAD(in + c, n) - shift);
      sum += MASKED(e, n, 0.0f);
      STORE(e, out + c, n);
    }
    const float scale = 1.0f / ALL_SUM(sum);
    FOR_COLUMNS(c, n) STORE(LOAD(out + c, n) * scale, out + c, n);
  }
}

__kernel MATRIX_ATTRIBUTES void softmax_forward_log(SOFTMAX_PARAMETERS) {
  LANES
  FOR_ROWS(r) {
    __global const float* in = x + x_offset + r * x_stride;
    __global float* out = y + y_offset + r * y_stride;
    T top = -INFINITY, sum = 0.0f;
    FOR_COLUMNS(c, n) top = fmax(top, MASKED(LOAD(in + c, n), n, -INFINITY));
    const float shift = ALL_MAX(top);
    FOR_COLUMNS(c, n) sum += MASKED(exp(LOAD(in + c, n) - shift), n, 0.0f);
    const float log_sum = log(ALL_SUM(sum));
    FOR_COLUMNS(c, n) STORE(LOAD(in + c, n) - shift - log_sum, out + c, n);
  }
}

// x is the softmax's output y, y the gradient dx that is written.
__kernel MATRIX_ATTRIBUTES void softmax_backward(SOFTMAX_PARAMETERS, __global const float* dy, uint dy_offset,
                                                 uint dy_stride, int accumulate) {
  LANES
  FOR_ROWS(r) {
    __global const float* out = x + x_offset + r * x_stride;
    __global const float* gradient = dy + dy_offset + r * dy_stride;
    __global float* to = y + y_offset + r * y_stride;
    T sum = 0.0f;
    FOR_COLUMNS(c, n) sum += LOAD(out + c, n) * LOAD(gradient + c, n);
    const float dot_product = ALL_SUM(sum);
    FOR_COLUMNS(c, n) {
      T d = LOAD(out + c, n) * (LOAD(gradient + c, n) - dot_product);
      if (accumulate) d += LOAD(to + c, n);
      STORE(d, to + c, n);
    }
  }
}
