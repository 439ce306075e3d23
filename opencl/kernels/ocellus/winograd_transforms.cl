// The one-dimensional transforms of Winograd's F(TILE, 3) (Lavin and Gray, CVPR 2016): y = A^T ((G g) * (B^T d)), TILE results of three
// taps from EDGE = TILE + 2 inputs. F(2, 3) has the points 0, 1, -1 and infinity; F(4, 3) 2 and -2 besides;
// F(6, 3) 1/2 and -1/2 besides.
// WINOGRAD_REAL: what they work on, a channel (float) or several side by side.
#ifndef TILE
#define TILE 4
#endif
#define EDGE (TILE + 2)
#define PLANES (EDGE * EDGE)

#if TILE == 2
// B^T: 4 to 4, `step` apart in x, in place.
inline void transform_input(WINOGRAD_REAL* x, int step) {
  const WINOGRAD_REAL d1 = x[step], d2 = x[2 * step];
  x[0] -= d2;
  x[step] = d1 + d2;
  x[2 * step] = d2 - d1;
  x[3 * step] = d1 - x[3 * step];
}

// A^T: 4 to 2, in place.
inline void transform_output(WINOGRAD_REAL* x, int step) {
  const WINOGRAD_REAL m1 = x[step], m2 = x[2 * step];
  x[0] += m1 + m2;
  x[step] = m1 - m2 - x[3 * step];
}

// G: 3 taps to 4.
inline void transform_kernel(WINOGRAD_REAL g0, WINOGRAD_REAL g1, WINOGRAD_REAL g2, WINOGRAD_REAL* to) {
  const WINOGRAD_REAL outer = 0.5f * (g0 + g2), inner = 0.5f * g1;
  to[0] = g0;
  to[1] = outer + inner;
  to[2] = outer - inner;
  to[3] = g2;
}

#elif TILE == 4
// B^T: 6 to 6, `step` apart in x, in place.
inline void transform_input(WINOGRAD_REAL* x, int step) {
  const WINOGRAD_REAL d0 = x[0], d1 = x[step], d2 = x[2 * step], d3 = x[3 * step], d4 = x[4 * step], d5 = x[5 * step];
  const WINOGRAD_REAL even4 = d4 - 4.0f * d2, odd4 = d3 - 4.0f * d1, even1 = d4 - d2, odd1 = 2.0f * (d3 - d1);
  x[0] = 4.0f * d0 - 5.0f * d2 + d4;
  x[step] = even4 + odd4;
  x[2 * step] = even4 - odd4;
  x[3 * step] = even1 + odd1;
  x[4 * step] = even1 - odd1;
  x[5 * step] = 4.0f * d1 - 5.0f * d3 + d5;
}

// A^T: 6 to 4, in place.
inline void transform_output(WINOGRAD_REAL* x, int step) {
  const WINOGRAD_REAL m0 = x[0], m5 = x[5 * step];
  const WINOGRAD_REAL sum12 = x[step] + x[2 * step], difference12 = x[step] - x[2 * step];
  const WINOGRAD_REAL sum34 = x[3 * step] + x[4 * step], difference34 = x[3 * step] - x[4 * step];
  x[0] = m0 + sum12 + sum34;
  x[step] = difference12 + 2.0f * difference34;
  x[2 * step] = sum12 + 4.0f * sum34;
  x[3 * step] = difference12 + 8.0f * difference34 + m5;
}

// G: 3 taps to 6.
inline void transform_kernel(WINOGRAD_REAL g0, WINOGRAD_REAL g1, WINOGRAD_REAL g2, WINOGRAD_REAL* to) {
  const WINOGRAD_REAL even = g0 * (1.0f / 24) + g2 * (1.0f / 6), odd = g1 * (1.0f / 12);
  const WINOGRAD_REAL outer = (g0 + g2) * (-1.0f / 6), inner = g1 * (1.0f / 6);
  to[0] = 0.25f * g0;
  to[1] = outer - inner;
  to[2] = outer + inner;
  to[3] = even + odd;
  to[4] = even - odd;
  to[5] = g2;
}

#else
// B^T: 8 to 8, `step` apart in x, in place.
inline void transform_input(WINOGRAD_REAL* x, int step) {
  const WINOGRAD_REAL d0 = x[0], d1 = x[step], d2 = x[2 * step], d3 = x[3 * step];
  const WINOGRAD_REAL d4 = x[4 * step], d5 = x[5 * step], d6 = x[6 * step], d7 = x[7 * step];
  const WINOGRAD_REAL even1 = d2 - 4.25f * d4 + d6, odd1 = d1 - 4.25f * d3 + d5;
  const WINOGRAD_REAL even2 = 0.25f * d2 - 1.25f * d4 + d6, odd2 = 0.5f * d1 - 2.5f * d3 + 2.0f * d5;
  const WINOGRAD_REAL even3 = 4.0f * d2 - 5.0f * d4 + d6, odd3 = 2.0f * d1 - 2.5f * d3 + 0.5f * d5;
  x[0] = d0 - d6 + 5.25f * (d4 - d2);
  x[step] = even1 + odd1;
  x[2 * step] = even1 - odd1;
  x[3 * step] = even2 + odd2;
  x[4 * step] = even2 - odd2;
  x[5 * step] = even3 + odd3;
  x[6 * step] = even3 - odd3;
  x[7 * step] = d7 - d1 + 5.25f * (d3 - d5);
}

// A^T: 8 to 6, in place.
inline void transform_output(WINOGRAD_REAL* x, int step) {
  const WINOGRAD_REAL m0 = x[0], m7 = x[7 * step];
  const WINOGRAD_REAL sum1 = x[step] + x[2 * step], difference1 = x[step] - x[2 * step];
  const WINOGRAD_REAL sum2 = x[3 * step] + x[4 * step], difference2 = x[3 * step] - x[4 * step];
  const WINOGRAD_REAL sum3 = x[5 * step] + x[6 * step], difference3 = x[5 * step] - x[6 * step];
  x[0] = m0 + sum1 + sum2 + sum3;
  x[step] = difference1 + 2.0f * difference2 + 0.5f * difference3;
  x[2 * step] = sum1 + 4.0f * sum2 + 0.25f * sum3;
  x[3 * step] = difference1 + 8.0f * difference2 + 0.125f * difference3;
  x[4 * step] = sum1 + 16.0f * sum2 + 0.0625f * sum3;
  x[5 * step] = difference1 + 32.0f * difference2 + 0.03125f * difference3 + m7;
}

// G: 3 taps to 8.
inline void transform_kernel(WINOGRAD_REAL g0, WINOGRAD_REAL g1, WINOGRAD_REAL g2, WINOGRAD_REAL* to) {
  const WINOGRAD_REAL outer1 = (g0 + g2) * (-2.0f / 9), inner1 = g1 * (-2.0f / 9);
  const WINOGRAD_REAL outer2 = g0 * (1.0f / 90) + g2 * (2.0f / 45), inner2 = g1 * (1.0f / 45);
  const WINOGRAD_REAL outer3 = g0 * (32.0f / 45) + g2 * (8.0f / 45), inner3 = g1 * (16.0f / 45);
  to[0] = g0;
  to[1] = outer1 + inner1;
  to[2] = outer1 - inner1;
  to[3] = outer2 + inner2;
  to[4] = outer2 - inner2;
  to[5] = outer3 + inner3;
  to[6] = outer3 - inner3;
  to[7] = g2;
}
#endif

// The transposed forms make the gradient by the taps, for which four gradients stand as taps, from six inputs:
// dg = G^T ((A dy) * (B^T d)). F(4, 3) alone.
#if TILE == 4
// A: 4 to 6, `step` apart.
inline void transform_gradient(const WINOGRAD_REAL* d, int step, WINOGRAD_REAL* to, int to_step) {
  const WINOGRAD_REAL even = d[0] + d[2 * step], odd = d[step] + d[3 * step];
  const WINOGRAD_REAL even4 = d[0] + 4.0f * d[2 * step], odd4 = 2.0f * d[step] + 8.0f * d[3 * step];
  to[0] = d[0];
  to[to_step] = even + odd;
  to[2 * to_step] = even - odd;
  to[3 * to_step] = even4 + odd4;
  to[4 * to_step] = even4 - odd4;
  to[5 * to_step] = d[3 * step];
}

// G^T: 6 to 3, in place.
inline void transform_weights(WINOGRAD_REAL* x, int step) {
  const WINOGRAD_REAL m0 = x[0], m5 = x[5 * step];
  const WINOGRAD_REAL sum12 = x[step] + x[2 * step], difference12 = x[2 * step] - x[step];
  const WINOGRAD_REAL sum34 = x[3 * step] + x[4 * step], difference34 = x[3 * step] - x[4 * step];
  x[0] = 0.25f * m0 - sum12 * (1.0f / 6) + sum34 * (1.0f / 24);
  x[step] = difference12 * (1.0f / 6) + difference34 * (1.0f / 12);
  x[2 * step] = (sum34 - sum12) * (1.0f / 6) + m5;
}
#endif
