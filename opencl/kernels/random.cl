// Rows of random numbers: element e of row r is word e % 4 of the counter (e / 4, samples[r], node, step) under key = seed.
// The vector family makes 16 at a time, the tiled family 4 a work-item; both make the same bits.
#include "ocellus/matrix.cl"
#include "ocellus/philox.cl"

#define STREAM_PARAMETERS uint seed_low, uint seed_high, uint step, uint node, __global const int *samples

#ifdef TILED
#define STEP 4
#define N float4
#define MASK int4
#define AS_N as_float4
#define AS_MASK as_int4
#define UNIFORM uniform4
#define WORDS(r, c) philox4x32((uint4)((c) / 4, samples ? samples[r] : (int)(r), node, step), seed_low, seed_high)
// The rows are walked in groups of four columns; chunk_columns is the number of groups in a row.
#define FOR_EACH_STEP(r, c)                                                                                     \
  for (uint i_ = get_global_id(0), r = i_ / chunk_columns, c = i_ % chunk_columns * 4; i_ < rows * chunk_columns; \
       i_ = 0xffffffffu)

inline float4 load_step(__global const float* p, uint n) {
  if (n >= 4) return vload4(0, p);
  float4 v = (float4)(0.0f);
  v.x = p[0];
  if (n > 1) v.y = p[1];
  if (n > 2) v.z = p[2];
  return v;
}

inline void store_step(float4 v, __global float* p, uint n) {
  p[0] = v.x;
  if (n > 1) p[1] = v.y;
  if (n > 2) p[2] = v.z;
  if (n > 3) p[3] = v.w;
}
#else
#define STEP 16
#define N float16
#define MASK int16
#define AS_N as_float16
#define AS_MASK as_int16
#define UNIFORM uniform16
#define WORDS(r, c) philox4x32_16((c) / 4, samples ? samples[r] : (int)(r), node, step, seed_low, seed_high)
#define FOR_EACH_STEP(r, c)                                                                         \
  for (uint r = get_global_id(1) * chunk_rows, r_end_ = min(rows, r + chunk_rows); r < r_end_; ++r) \
    for (uint c = get_global_id(0) * chunk_columns, c_end_ = min(columns, c + chunk_columns); c < c_end_; c += 16)
#define load_step(p, n) load_n(p, min(16u, n))
#define store_step(v, p, n) store_n(v, p, min(16u, n))
#endif

__kernel MATRIX_ATTRIBUTES void random_uniform(MATRIX_PARAMETERS, STREAM_PARAMETERS, __global float* y, uint y_offset,
                                               uint y_stride) {
  FOR_EACH_STEP(r, c) store_step(UNIFORM(WORDS(r, c)), y + y_offset + r * y_stride + c, columns - c);
}

// Box and Muller: words 2i and 2i + 1 make the elements 2i and 2i + 1. 1 - u lies in (0, 1].
__kernel MATRIX_ATTRIBUTES void random_normal(MATRIX_PARAMETERS, STREAM_PARAMETERS, __global float* y, uint y_offset,
                                              uint y_stride) {
  FOR_EACH_STEP(r, c) {
    const N u = UNIFORM(WORDS(r, c));
    N z;
    z.even = sqrt(-2.0f * log(1.0f - u.even));
    z.odd = z.even * sinpi(2.0f * u.odd);
    z.even *= cospi(2.0f * u.odd);
    store_step(z, y + y_offset + r * y_stride + c, columns - c);
  }
}

__kernel MATRIX_ATTRIBUTES void dropout(MATRIX_PARAMETERS, STREAM_PARAMETERS, float rate, __global const float* x,
                                        uint x_offset, uint x_stride, __global float* y, uint y_offset, uint y_stride,
                                        int accumulate) {
  const float scale = 1.0f / (1.0f - rate);
  FOR_EACH_STEP(r, c) {
    __global float* to = y + y_offset + r * y_stride + c;
    const N v = load_step(x + x_offset + r * x_stride + c, columns - c) * scale;
    const MASK kept = UNIFORM(WORDS(r, c)) >= rate;
    N result = AS_N(AS_MASK(v) & kept);
    if (accumulate) result += load_step(to, columns - c);
    store_step(result, to, columns - c);
  }
}
