// What the trainer keeps on the device between two looks at it.

// totals[2 r], totals[2 r + 1]: sum of row r so far and its compensation (Kahan, CACM 1965), so that long epochs lose nothing.
// Row r < rows are values of (rows, batch); row `rows` are the weights. The last int of totals is the first step whose row 0
// (the loss) was not finite, -1 while there is none.
__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void add_totals(__global const float* values, uint batch, __global const float* weights, uint weights_offset, int count,
                int rows, __global float* totals, int step) {
  const int r = get_global_id(0);
  __global const float* row = r < rows ? values + r * batch : weights + weights_offset;
  float sum = 0.0f;
  for (int i = 0; i < count; ++i) sum += row[i];
  const float y = sum - totals[2 * r + 1];
  const float total = totals[2 * r] + y;
  totals[2 * r + 1] = (total - totals[2 * r]) - y;
  totals[2 * r] = total;
  __global int* bad = (__global int*)(totals + 2 * (rows + 1));
  if (r == 0 && !isfinite(sum) && *bad < 0) *bad = step;
}

// g *= min(1, norm / |g|), |g|^2 being the sum of `parts` squares.
__kernel __attribute__((reqd_work_group_size(64, 1, 1)))
void clip_gradients(__global float* g, uint count, __global const float* squares, int parts, float norm) {
  const uint i = get_global_id(0);
  if (i >= count) return;
  float sum = 0.0f;
  for (int p = 0; p < parts; ++p) sum += squares[p];
  g[i] *= fmin(1.0f, norm / fmax(sqrt(sum), 1e-30f));
}

// Sums of l1 |w| + l2 w^2 over `length` of the `count` elements of a parameter: part p takes neighbours (blocks), or every
// parts-th element, so that neighbours are read by neighbours.
__kernel __attribute__((reqd_work_group_size(64, 1, 1)))
void sum_penalty(__global const float* w, uint offset, uint count, float l1, float l2, uint parts, uint length, int blocks,
                 __global float* sums, uint first) {
  const uint p = get_global_id(0);
  if (p >= parts) return;
  const uint begin = blocks ? p * length : p;
  const uint stride = blocks ? 1 : parts;
  const uint n = min(length, (count - begin + stride - 1) / stride);
  float sum = 0.0f;
  for (uint i = 0; i < n; ++i) {
    const float x = w[offset + begin + i * stride];
    sum += l1 * fabs(x) + l2 * x * x;
  }
  sums[first + p] = sum;
}

__kernel __attribute__((reqd_work_group_size(64, 1, 1)))
void add_penalty(__global float* losses, uint offset, uint count, __global const float* penalty) {
  const uint i = get_global_id(0);
  if (i < count) losses[offset + i] += penalty[0];
}

// g = l1 sign(w) + 2 l2 w, or added to g.
__kernel __attribute__((reqd_work_group_size(64, 1, 1)))
void penalty_gradient(__global float* g, uint g_offset, __global const float* w, uint offset, uint count, float l1,
                      float l2, int accumulate) {
  const uint i = get_global_id(0);
  if (i >= count) return;
  const float x = w[offset + i], d = l1 * sign(x) + 2.0f * l2 * x;
  g[g_offset + i] = accumulate ? g[g_offset + i] + d : d;
}
