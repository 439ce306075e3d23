// Weights as the backward pass by data wants them: (taps, out_channels / groups, in_channels) from (h_kernel, w_kernel,
// in_channels / groups, out_channels). Tap t of an axis is the kernel's row `last - t * step`. One work-item: one tap and 16
// input channels of one group.
__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void convolution_turn(int w_kernel, int w_taps, int h_last, int h_step, int w_last, int w_step, int group_in,
                      int group_out, int groups, __global const float* restrict kernel_, uint kernel_offset,
                      __global float* restrict turned, uint turned_offset) {
  const int tap = get_global_id(1), group = get_global_id(2), first = get_global_id(0) * 16;
  const int kh = h_last - tap / w_taps * h_step, kw = w_last - tap % w_taps * w_step;
  const int count = min(16, group_in - first), in_channels = group_in * groups, out_channels = group_out * groups;
  const __global float* from = kernel_ + kernel_offset +
                               ((uint)(kh * w_kernel + kw) * group_in + first) * out_channels + group * group_out;
  __global float* to = turned + turned_offset + (uint)tap * group_out * in_channels + group * group_in + first;
  for (int co = 0; co < group_out; ++co)
    for (int ci = 0; ci < count; ++ci) to[(uint)co * in_channels + ci] = from[(uint)ci * out_channels + co];
}
