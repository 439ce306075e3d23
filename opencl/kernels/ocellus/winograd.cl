// The one-dimensional transforms of Winograd's F(4, 3) (Lavin and Gray, CVPR 2016), with the points 0, 1, -1, 2, -2 and infinity:
// y = A^T ((G g) * (B^T d)), four results of three taps from six inputs. Its transposed forms make the gradient by the taps, for
// which four gradients stand as taps, from six inputs: dg = G^T ((A dy) * (B^T d)).
// B^T: 6 to 6, `step` apart in x, in place.
inline void transform_input(float16* x, int step) {
  const float16 d0 = x[0], d1 = x[step], d2 = x[2 * step], d3 = x[3 * step], d4 = x[4 * step], d5 = x[5 * step];
  const float16 even4 = d4 - 4.0f * d2, odd4 = d3 - 4.0f * d1, even1 = d4 - d2, odd1 = 2.0f * (d3 - d1);
  x[0] = 4.0f * d0 - 5.0f * d2 + d4;
  x[step] = even4 + odd4;
  x[2 * step] = even4 - odd4;
  x[3 * step] = even1 + odd1;
  x[4 * step] = even1 - odd1;
  x[5 * step] = 4.0f * d1 - 5.0f * d3 + d5;
}

// A^T: 6 to 4, in place.
inline void transform_output(float16* x, int step) {
  const float16 m0 = x[0], m5 = x[5 * step];
  const float16 sum12 = x[step] + x[2 * step], difference12 = x[step] - x[2 * step];
  const float16 sum34 = x[3 * step] + x[4 * step], difference34 = x[3 * step] - x[4 * step];
  x[0] = m0 + sum12 + sum34;
  x[step] = difference12 + 2.0f * difference34;
  x[2 * step] = sum12 + 4.0f * sum34;
  x[3 * step] = difference12 + 8.0f * difference34 + m5;
}

// G: 3 taps to 6.
inline void transform_kernel(float16 g0, float16 g1, float16 g2, float16* to) {
  const float16 even = g0 * (1.0f / 24) + g2 * (1.0f / 6), odd = g1 * (1.0f / 12);
  const float16 outer = (g0 + g2) * (-1.0f / 6), inner = g1 * (1.0f / 6);
  to[0] = 0.25f * g0;
  to[1] = outer - inner;
  to[2] = outer + inner;
  to[3] = even + odd;
  to[4] = even - odd;
  to[5] = g2;
}

// A: 4 to 6, `step` apart.
inline void transform_gradient(const float16* d, int step, float16* to, int to_step) {
  const float16 even = d[0] + d[2 * step], odd = d[step] + d[3 * step];
  const float16 even4 = d[0] + 4.0f * d[2 * step], odd4 = 2.0f * d[step] + 8.0f * d[3 * step];
  to[0] = d[0];
  to[to_step] = even + odd;
  to[2 * to_step] = even - odd;
  to[3 * to_step] = even4 + odd4;
  to[4 * to_step] = even4 - odd4;
  to[5 * to_step] = d[3 * step];
}

// G^T: 6 to 3, in place.
inline void transform_weights(float16* x, int step) {
  const float16 m0 = x[0], m5 = x[5 * step];
  const float16 sum12 = x[step] + x[2 * step], difference12 = x[2 * step] - x[step];
  const float16 sum34 = x[3 * step] + x[4 * step], difference34 = x[3 * step] - x[4 * step];
  x[0] = 0.25f * m0 - sum12 * (1.0f / 6) + sum34 * (1.0f / 24);
  x[step] = difference12 * (1.0f / 6) + difference34 * (1.0f / 12);
  x[2 * step] = (sum34 - sum12) * (1.0f / 6) + m5;
}

inline float16 load_some(const __global float* from, int count) {
  if (count >= 16) return vload16(0, from);
  float lanes[16];
  for (int i = 0; i < 16; ++i) lanes[i] = i < count ? from[i] : 0.0f;
  return vload16(0, lanes);
}
