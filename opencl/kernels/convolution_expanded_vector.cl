// A depthwise convolution of what a 1x1 convolution makes of x (the inverted bottleneck of MobileNetV2, Sandler et al., CVPR 2018),
// vector family: the wide tensor in between is made row by row where it is needed and never lies in memory.
//   wide (N, h_in, w_in, n) = expansion(x (N, h_in, w_in, k) . packed),   y (N, h_out, w_out, n) = epilogue(depthwise(wide))
// A work-item computes COLS channels of `height` output rows of one image. It keeps the RING rows of `wide` that a window sees, with
// the zeros beside them, as lines of `line` floats; row r is line r % RING.
// n is divisible by COLS. KH, KW, H_DILATION, W_DILATION, W_STRIDE; k is at most KC. LINES: floats of all lines.
#define TILE_SPACE __global
#include "ocellus/tile.cl"
#define RING ((KH - 1) * H_DILATION + 1)
#define PIXELS 4  // neighbouring outputs that share the loads of the taps

// Row `ih` of the wide tensor, behind w_pad pixels of zeros.
inline void expand_row(int w_in, int w_pad, int k, int column, __global const float* restrict x, uint x_stride,
                       __global const float* restrict packed, uint first_pixel, float* restrict to EXPANSION_PARAMETERS) {
  const size_t stride = x_stride;
  for (int first = 0; first < w_in; first += ROWS) {
    const int w = min(first, w_in - ROWS);  // the last tile makes some of its neighbour's pixels again
    const __global float* from = x + (first_pixel + w) * stride;
    vec sums[ROWS][NV];
    clear(sums);
    for (int i = 0; i < k; ++i) {
      vec row[NV];
#pragma unroll
      for (int v = 0; v < NV; ++v) row[v] = *(const __global loose*)(packed + i * COLS + v * LANES);
#pragma unroll
      for (int r = 0; r < ROWS; ++r)
#pragma unroll
        for (int v = 0; v < NV; ++v) sums[r][v] += (vec)from[r * stride + i] * row[v];
    }
    float* at = to + (w_pad + w) * COLS;
#pragma unroll
    for (int r = 0; r < ROWS; ++r)
#pragma unroll
      for (int v = 0; v < NV; ++v)
        *(loose*)(at + r * COLS + LANES * v) =
            EXPANSION(sums[r][v], first_pixel + w + r, (uint)(column + LANES * v) EXPANSION_ARGUMENTS);
  }
}

__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void convolution_expanded_vector(int h_in, int h_out, int h_stride, int h_pad, int w_in, int w_out, int w_pad, int k, int n,
                                 __global const float* restrict x, uint x_offset, uint x_stride,
                                 __global const float* restrict packed, __global const float* restrict taps, uint taps_offset,
                                 __global float* restrict y, uint y_offset, uint y_stride, int height,
                                 int line EXPANSION_PARAMETERS EPILOGUE_PARAMETERS) {
  const int column = get_global_id(0) * COLS, chunks = (h_out + height - 1) / height;
  const int item = get_global_id(1) / chunks, row0 = get_global_id(1) % chunks * height;
  x += x_offset;
  packed += (uint)column * k;
  taps += taps_offset + column;
  y += y_offset;
  float lines[LINES];
  zero_row(lines, RING * line);

  int next = max(0, row0 * h_stride - h_pad);  // the first row that no line holds yet
  for (int oh = row0; oh < min(h_out, row0 + height); ++oh) {
    const int top = oh * h_stride - h_pad;
    for (next = max(next, top); next < min(h_in, top + RING); ++next)
      expand_row(w_in, w_pad, k, column, x, x_stride, packed, (uint)(item * h_in + next) * w_in,
                 lines + next % RING * line EXPANSION_ARGUMENTS);
    for (int ow = 0; ow < w_out; ow += PIXELS) {
      vec sums[PIXELS][NV];
#pragma unroll
      for (int p = 0; p < PIXELS; ++p)
#pragma unroll
        for (int v = 0; v < NV; ++v) sums[p][v] = 0.0f;
      for (int kh = 0; kh < KH; ++kh) {
        const int ih = top + kh * H_DILATION;
        if (ih < 0 || ih >= h_in) continue;
        const float* from = lines + ih % RING * line + ow * W_STRIDE * COLS;
#pragma unroll
        for (int kw = 0; kw < KW; ++kw) {
          vec tap[NV];
#pragma unroll
          for (int v = 0; v < NV; ++v) tap[v] = *(__global const loose*)(taps + (kh * KW + kw) * n + LANES * v);
#pragma unroll
          for (int p = 0; p < PIXELS; ++p)
#pragma unroll
            for (int v = 0; v < NV; ++v)
              sums[p][v] += tap[v] * *(const loose*)(from + (p * W_STRIDE + kw * W_DILATION) * COLS + LANES * v);
        }
      }
      const uint pixel = (uint)(item * h_out + oh) * w_out + ow;
#pragma unroll
      for (int p = 0; p < PIXELS; ++p)
#pragma unroll
        for (int v = 0; v < NV; ++v)
          if (ow + p < w_out)
          *(__global loose*)(y + (pixel + p) * y_stride + column + LANES * v) =
              EPILOGUE(sums[p][v], pixel + p, (uint)(column + LANES * v) EPILOGUE_ARGUMENTS);
    }
  }
}
