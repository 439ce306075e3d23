// out[p][c] = sum over |k| <= radius of f(in[p][c + k]), channels beyond the ends left out; f squares with -DSQUARE.
// One work-item = one channel of a block of pixels. Channels are clamped and weighted, not skipped: control flow stays
// uniform, so CPU compilers turn neighbouring work-items into vectors.
__kernel __attribute__((reqd_work_group_size(16, 1, 1)))
void channel_window_sum(__global const float* restrict in, uint in_offset, uint in_stride, __global float* restrict out,
                        uint out_offset, uint out_stride, int pixels, int channels, int radius, int block) {
  const int c = get_global_id(0), first = get_global_id(1) * block, last = min(first + block, pixels);
  for (int p = first; p < last; ++p) {
    __global const float* row = in + in_offset + (uint)p * in_stride;
    float sum = 0.0f;
    for (int k = c - radius; k <= c + radius; ++k) {
      const float v = row[clamp(k, 0, channels - 1)];
#ifdef SQUARE
      const float f = v * v;
#else
      const float f = v;
#endif
      sum += k >= 0 && k < channels ? f : 0.0f;
    }
    if (c < channels) out[out_offset + (uint)p * out_stride + c] = sum;
  }
}
