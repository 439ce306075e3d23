// Weights as the products of convolution_gemm_vector.cl read them: for each group, strips of `width` columns, (strips, k, width),
// zeros beyond n. One work-item: one strip of one group. The width, a multiple of 8, is an argument: one program serves all tiles.
__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void convolution_pack(int k, int n, int all_columns, int width, __global const float* restrict kernel_, uint kernel_offset,
                      __global float* restrict packed) {
  const int strip = get_global_id(0), strips = get_global_size(0), group = get_global_id(1);
  const int columns = min(width, n - strip * width);
  kernel_ += kernel_offset + group * n + strip * width;
  packed += (uint)(group * strips + strip) * k * width;
  for (int l = 0; l < k; ++l, kernel_ += all_columns, packed += width) {
    int c = 0;
    for (; c + 8 <= columns; c += 8) vstore8(vload8(0, kernel_ + c), 0, packed + c);
    for (; c < columns; ++c) packed[c] = kernel_[c];
    for (; c < width; ++c) packed[c] = 0.0f;
  }
}
