// Sums that the gradient of batch normalization needs, over the pixels of a matrix rows x channels, in a fixed order.
// x and dy have pixel strides; statistics hold mean, variance, sum of dy, sum of dy * h, each `channels` long.
// One work-item = one channel of a block of rows. Channels beyond the last are clamped, not skipped: control flow stays
// uniform, so CPU compilers turn neighbouring work-items into vectors.

__kernel __attribute__((reqd_work_group_size(16, 1, 1)))
void batch_sums(__global const float* restrict x, uint x_offset, uint x_stride, __global const float* restrict dy,
                uint dy_offset, uint dy_stride, __global const float* restrict mean, uint mean_offset,
                __global const float* restrict variance, uint variance_offset, __global float* restrict partial, int rows,
                int channels, int block_rows, float epsilon) {
  const int c = min((int)get_global_id(0), channels - 1), block = get_global_id(1);
  const int first = block * block_rows, last = min(first + block_rows, rows);
  const float m = mean[mean_offset + c], r = rsqrt(variance[variance_offset + c] + epsilon);
  float sum = 0.0f, product = 0.0f;
  for (int i = first; i < last; ++i) {
    const float g = dy[dy_offset + (uint)i * dy_stride + c];
    sum += g;
    product += g * (x[x_offset + (uint)i * x_stride + c] - m);
  }
  partial[(2 * block) * channels + c] = sum;
  partial[(2 * block + 1) * channels + c] = product * r;
}

// sums[0][c], sums[1][c] = the blocks' partial sums added up.
__kernel __attribute__((reqd_work_group_size(16, 1, 1)))
void batch_sums_join(__global const float* restrict partial, __global float* restrict sums, uint sums_offset, int blocks,
                     int channels) {
  const int c = min((int)get_global_id(0), channels - 1);
  float sum = 0.0f, product = 0.0f;
  for (int b = 0; b < blocks; ++b) {
    sum += partial[(2 * b) * channels + c];
    product += partial[(2 * b + 1) * channels + c];
  }
  sums[sums_offset + c] = sum;
  sums[sums_offset + channels + c] = product;
}
