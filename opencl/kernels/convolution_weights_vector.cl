// Gradient of a convolution by its kernel, vector family: dkernel (taps * channels, columns) = windows of x, turned, times dy.
// A work-item sums a run of output rows for up to SLOTS channels, all taps and COLS columns. Sums lie in private memory and
// are taken into registers tile by tile, a tile being ROWS neighbours among (w_kernel, channels) of one kernel row; along an
// output row the windows move W_STRIDE * SLOTS floats in the line. `runs` partial results are added in order by sum_partial.
// SLOTS, W_STRIDE, W_DILATION. LINES, DY, SUMS: floats for lines of x, tile of dy, and sums. BLOCK: output rows at a time.
#define A_ROW 1
#define A_K (W_STRIDE * SLOTS)
#include "ocellus/tile.cl"
#include "ocellus/lines.cl"

#define AXIS(a) int a##_in, int a##_out, int a##_kernel, int a##_stride, int a##_dilation, int a##_pad

inline void load_sums(const float* from, vec sums[ROWS][NV]) {
#pragma unroll
  for (int r = 0; r < ROWS; ++r)
#pragma unroll
    for (int v = 0; v < NV; ++v) sums[r][v] = LOAD(r * NV + v, from);
}

inline void save_sums(vec sums[ROWS][NV], float* to) {
#pragma unroll
  for (int r = 0; r < ROWS; ++r)
#pragma unroll
    for (int v = 0; v < NV; ++v) STORE(sums[r][v], r * NV + v, to);
}

__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void convolution_weights_vector(int batch, AXIS(h), AXIS(w), int group_in, int group_out, int groups,
                                __global const float* restrict x, uint x_offset, uint x_stride,
                                __global const float* restrict dy, uint y_offset, uint y_stride,
                                __global float* restrict out, uint out_offset, uint run_stride, int accumulate,
                                int blocks_each, int pixels) {
  const int slices = (group_in + SLOTS - 1) / SLOTS;
  const int group = get_global_id(1) / slices, channel = get_global_id(1) % slices * SLOTS;
  const int channels = min(SLOTS, group_in - channel), column = get_global_id(0) * COLS;
  const int blocks = (h_out + BLOCK - 1) / BLOCK, line = pixels * SLOTS;
#if W_DILATION == 1
  const int runs_w = 1, run = w_kernel * SLOTS;  // all taps of a kernel row in one run
#else
  const int runs_w = w_kernel, run = SLOTS;
#endif
  const int tiles = (run + ROWS - 1) / ROWS;
  x += x_offset + (uint)group * group_in + channel;
  dy += y_offset + (uint)group * group_out;

  float lines[LINES], tile[DY], all[SUMS];
  for (int i = 0; i < ROWS; ++i) lines[LINES - ROWS + i] = 0.0f;  // the last tile of a run may look past the last line
  for (int i = 0; i < SUMS; ++i) all[i] = 0.0f;

  const int begin = get_global_id(2) * blocks_each, end = min(batch * blocks, begin + blocks_each);
  for (int block = begin; block < end; ++block) {
    const int item = block / blocks, oh0 = block % blocks * BLOCK, rows = min(BLOCK, h_out - oh0);
    copy_tile(dy + (uint)(item * h_out + oh0) * w_out * y_stride, y_stride, column, group_out, 0, rows * w_out, tile);
    for (int i = 0; i < rows * h_kernel; ++i) {
      const int ih = (oh0 + i / h_kernel) * h_stride - h_pad + i % h_kernel * h_dilation;
      copy_line(x + (uint)(item * h_in + ih) * w_in * x_stride, ih >= 0 && ih < h_in, w_in, w_pad, x_stride, pixels,
                channels, lines + i * line);
    }
    float* at = all;
    for (int kh = 0; kh < h_kernel; ++kh)
      for (int kw = 0; kw < runs_w; ++kw)
        for (int t = 0; t < tiles; ++t, at += ROWS * COLS) {
          vec sums[ROWS][NV];
          load_sums(at, sums);
          for (int r = 0; r < rows; ++r)
            multiply(w_out, lines + (r * h_kernel + kh) * line + kw * W_DILATION * SLOTS + t * ROWS,
                     tile + r * w_out * COLS, sums);
          save_sums(sums, at);
        }
  }

  out += out_offset + get_global_id(2) * run_stride + (uint)group * group_out + column;
  const int columns = min(COLS, group_out - column), all_columns = group_out * groups;
  for (int kh = 0; kh < h_kernel; ++kh)
    for (int kw = 0; kw < w_kernel; ++kw)
      for (int c = 0; c < channels; ++c) {
#if W_DILATION == 1
        const float* from = all + (kh * tiles * ROWS + kw * SLOTS + c) * COLS;
#else
        const float* from = all + ((kh * w_kernel + kw) * tiles * ROWS + c) * COLS;
#endif
        __global float* to = out + (uint)((kh * w_kernel + kw) * group_in + channel + c) * all_columns;
        for (int i = 0; i < columns; ++i) to[i] = accumulate ? to[i] + from[i] : from[i];
      }
}

// out[i] = [out[i] +] partial[0][i] + partial[1][i] + ..., 256 elements a work-item.
__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void sum_partial(int n, int runs, __global const float* restrict partial, __global float* restrict out,
                 uint out_offset, int accumulate) {
  const int first = get_global_id(0) * 256, end = min(n, first + 256);
  for (int i = first; i < end; ++i) {
    float sum = partial[i];
    for (int r = 1; r < runs; ++r) sum += partial[(uint)r * n + i];
    out[out_offset + i] = accumulate ? out[out_offset + i] + sum : sum;
  }
}
