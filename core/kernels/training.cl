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
