// What a device can do at best: multiply-adds that stay in registers, and a copy. V is what the family computes with (vectors of
// LANES floats, or single floats in work-groups of GROUP); CHAINS independent sums hide the latency of a multiply-add.
#if LANES == 16
typedef float16 V;
#elif LANES == 8
typedef float8 V;
#else
typedef float V;
#endif

// Every sum goes to b / (1 - a), whatever it began with. It begins with what the compiler cannot know: the same number in all
// work-items would be computed once a sub-group.
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1)))
void peak_multiply_add(int steps, float a, float b, __global V* result) {
  V sums[CHAINS];
#pragma unroll
  for (int i = 0; i < CHAINS; ++i) sums[i] = result[get_global_id(0)] + (float)i;
  const V factor = (V)(a), term = (V)(b);
  for (int step = 0; step < steps; ++step)
#pragma unroll
    for (int i = 0; i < CHAINS; ++i) sums[i] = mad(sums[i], factor, term);
  V all = sums[0];
#pragma unroll
  for (int i = 1; i < CHAINS; ++i) all += sums[i];
  result[get_global_id(0)] = all;
}

// A work-item of the vector family copies `each` vectors in a row; one of the tiled family copies every get_global_size(0)-th.
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1)))
void peak_copy(int each, __global const V* restrict from, __global V* restrict to) {
#if GROUP == 1
  const int begin = (int)get_global_id(0) * each;
  for (int i = begin; i < begin + each; ++i) to[i] = from[i];
#else
  for (int i = 0; i < each; ++i) {
    const uint at = (uint)i * (uint)get_global_size(0) + (uint)get_global_id(0);
    to[at] = from[at];
  }
#endif
}
