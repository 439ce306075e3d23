// Exact t-SNE. Points are padded to a multiple of 16 (`padded`); P is (points, padded), row-major, zero in the padding.

// What stands for "no distance" (self, padding): exp(-beta * far) is 0 for every beta that occurs, and far * 0 is no NaN.
#define FAR 1e30f

// Sums the lanes in a fixed order.
inline float lanes(float16 v) {
  const float8 a = v.lo + v.hi;
  const float4 b = a.lo + a.hi;
  const float2 c = b.lo + b.hi;
  return c.x + c.y;
}
inline float least(float16 v) {
  const float8 a = fmin(v.lo, v.hi);
  const float4 b = fmin(a.lo, a.hi);
  const float2 c = fmin(b.lo, b.hi);
  return fmin(c.x, c.y);
}

// p[i][j] = |x_i - x_j|^2; x comes transposed, (dimensions, padded). A work-item makes a tile of 4 rows x 16 columns.
// Global size: (padded / 16, rows / 4).
__kernel void distances(__global const float* x, __global float* p, int points, int padded, int dimensions) {
  const int column = 16 * (int)get_global_id(0), row = 4 * (int)get_global_id(1);
  if (column >= padded || row >= points) return;
  float16 sum[4] = {(float16)(0.0f), (float16)(0.0f), (float16)(0.0f), (float16)(0.0f)};
  for (int d = 0; d < dimensions; ++d) {
    __global const float* axis = x + (size_t)d * padded;
    const float16 there = vload16(0, axis + column);
    for (int r = 0; r < 4; ++r) {
      const float16 difference = axis[row + r] - there;  // row + r < padded, since that is a multiple of 16
      sum[r] += difference * difference;
    }
  }
  for (int r = 0; r < 4 && row + r < points; ++r) {
    float tile[16];
    vstore16(sum[r], 0, tile);
    for (int c = 0; c < 16; ++c)
      if (column + c == row + r || column + c >= points) tile[c] = FAR;
    vstore16(vload16(0, tile), 0, p + (size_t)(row + r) * padded + column);
  }
}

// Turns a row of squared distances into conditional probabilities p(j|i) = exp(-beta (d - d_min)) / sum, with beta such that the
// row's entropy is log_perplexity (van der Maaten and Hinton, JMLR 2008, section 2). Global size: points.
__kernel void affinities(__global float* p, int points, int padded, float log_perplexity) {
  const int i = (int)get_global_id(0);
  if (i >= points) return;
  __global float* row = p + (size_t)i * padded;
  float16 low16 = FAR;
  for (int j = 0; j < padded; j += 16) low16 = fmin(low16, vload16(0, row + j));
  const float low = least(low16);
  float16 mean16 = 0.0f;
  for (int j = 0; j < padded; j += 16) {
    const float16 d = vload16(0, row + j);
    mean16 += select(d - low, (float16)(0.0f), d >= 0.5f * FAR);
  }
  const float mean = lanes(mean16) / (float)(points - 1);
  float beta = mean > 0.0f ? 1.0f / mean : 1.0f, smallest = 0.0f, largest = 0.0f, sum = 1.0f;
  for (int step = 0; step < 64; ++step) {
    float16 sum16 = 0.0f, moment16 = 0.0f;
    for (int j = 0; j < padded; j += 16) {
      const float16 d = vload16(0, row + j) - low, e = exp(-beta * d);
      sum16 += e;
      moment16 += d * e;
    }
    sum = lanes(sum16);
    const float entropy = log(sum) + beta * lanes(moment16) / sum - log_perplexity;
    if (fabs(entropy) < 1e-5f) break;
    if (entropy > 0.0f) {  // too wide
      smallest = beta;
      beta = largest > 0.0f ? 0.5f * (smallest + largest) : 2.0f * beta;
    } else {
      largest = beta;
      beta = 0.5f * (smallest + largest);
    }
  }
  // Once more for the beta that was settled on.
  float16 sum16 = 0.0f;
  for (int j = 0; j < padded; j += 16) {
    const float16 e = exp(-beta * (vload16(0, row + j) - low));
    vstore16(e, 0, row + j);
    sum16 += e;
  }
  const float scale = 1.0f / lanes(sum16);
  for (int j = 0; j < padded; j += 16) vstore16(scale * vload16(0, row + j), 0, row + j);
}

// P = (p + p^T) / (2 points), in place; each pair is written once by the work-item of its lower triangle. Global size: (points, points).
__kernel void symmetrize(__global float* p, int points, int padded) {
  const int j = (int)get_global_id(0), i = (int)get_global_id(1);
  if (i >= points || j >= i) return;
  __global float* a = p + (size_t)i * padded + j;
  __global float* b = p + (size_t)j * padded + i;
  *a = *b = (*a + *b) / (2.0f * (float)points);
}

// For each point: forces[i] = (attraction x, y, repulsion x, y), z[i] = sum of q(i, j) = 1 / (1 + |y_i - y_j|^2) over j != i.
// attraction = sum p q (y_i - y_j), repulsion = sum q^2 (y_i - y_j), not yet normalised. y is (2, padded); its padding lies so far away
// that q vanishes. The vector family reads P along rows.
__kernel void forces_vector(__global const float* p, __global const float* y, __global float* forces, __global float* z, int points,
                            int padded) {
  const int i = (int)get_global_id(0);
  if (i >= points) return;
  const float x0 = y[i], y0 = y[padded + i];
  float16 ax = 0.0f, ay = 0.0f, rx = 0.0f, ry = 0.0f, sum = 0.0f;
  __global const float* row = p + (size_t)i * padded;
  for (int j = 0; j < padded; j += 16) {
    const float16 dx = x0 - vload16(0, y + j), dy = y0 - vload16(0, y + padded + j);
    const float16 q = 1.0f / (1.0f + dx * dx + dy * dy), pull = vload16(0, row + j) * q, push = q * q;
    sum += q;
    ax += pull * dx;
    ay += pull * dy;
    rx += push * dx;
    ry += push * dy;
  }
  vstore4((float4)(lanes(ax), lanes(ay), lanes(rx), lanes(ry)), i, forces);
  z[i] = lanes(sum) - 1.0f;  // q(i, i) = 1
}

// The same for GPUs: P is symmetric, so that neighbouring work-items read neighbouring columns.
__kernel void forces_tiled(__global const float* p, __global const float* y, __global float* forces, __global float* z, int points,
                           int padded) {
  const int i = (int)get_global_id(0);
  if (i >= points) return;
  const float x0 = y[i], y0 = y[padded + i];
  float4 sum = 0.0f;
  float total = 0.0f;
  for (int j = 0; j < points; ++j) {
    const float dx = x0 - y[j], dy = y0 - y[padded + j];
    const float q = 1.0f / (1.0f + dx * dx + dy * dy), pull = p[(size_t)j * padded + i] * q, push = q * q;
    total += q;
    sum += (float4)(pull * dx, pull * dy, push * dx, push * dy);
  }
  vstore4(sum, i, forces);
  z[i] = total - 1.0f;
}

// Gradient 4 (exaggeration * attraction - repulsion / Z), gains, momentum, a step of at most 5 (section 3.4 and Jacobs 1988).
__kernel void move(__global const float* forces, __global float* y, __global float* velocity, __global float* gains, int points, int padded,
                   float exaggeration, float inverse_z, float rate, float momentum) {
  const int i = (int)get_global_id(0);
  if (i >= points) return;
  const float4 f = vload4(i, forces);
  const float2 gradient = 4.0f * (exaggeration * f.lo - inverse_z * f.hi);
  float2 v = vload2(i, velocity), g = vload2(i, gains);
  // A gain grows while the step goes on downhill, against the gradient.
  g = fmax(select(0.8f * g, g + 0.2f, (gradient > 0.0f) != (v > 0.0f)), 0.01f);
  v = momentum * v - rate * g * gradient;
  v *= fmin(1.0f, 5.0f / fmax(length(v), 1e-30f));
  vstore2(g, i, gains);
  vstore2(v, i, velocity);
  y[i] += v.x;
  y[padded + i] += v.y;
}

// Per point: sum over j of p (log p - log q), q not normalised. Where p is 0 the term is 0 (the logarithm is kept finite).
__kernel void divergence(__global const float* p, __global const float* y, __global float* out, int points, int padded) {
  const int i = (int)get_global_id(0);
  if (i >= points) return;
  const float x0 = y[i], y0 = y[padded + i];
  float16 sum = 0.0f;
  for (int j = 0; j < padded; j += 16) {
    const float16 dx = x0 - vload16(0, y + j), dy = y0 - vload16(0, y + padded + j), pij = vload16(0, p + (size_t)i * padded + j);
    sum += pij * (log(fmax(pij, 1e-37f)) + log(1.0f + dx * dx + dy * dy));
  }
  out[i] = lanes(sum);
}
