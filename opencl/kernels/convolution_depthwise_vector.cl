// Convolution of each channel by itself, vector family: lanes are channels, which lie side by side in x, y and the kernel. A
// work-item walks through rows of one image; a tile of neighbouring outputs shares the loads of the kernel's taps and, with
// stride 1, most loads of x. Pixels whose window crosses a side are done one by one.
// LANES (4, 8 or 16); WEIGHTS: the gradient by the kernel alone; KH, KW (0 where a phase of a stride has no taps), W_STRIDE, W_DILATION.
#include "ocellus/epilogue.cl"
#if LANES == 16
typedef float16 vec;
#define LOAD(p) vload16(0, p)
#define STORE(v, p) vstore16(v, 0, p)
#define EPILOGUE epilogue16
#elif LANES == 8
typedef float8 vec;
#define LOAD(p) vload8(0, p)
#define STORE(v, p) vstore8(v, 0, p)
#define EPILOGUE epilogue8
#else
typedef float4 vec;
#define LOAD(p) vload4(0, p)
#define STORE(v, p) vstore4(v, 0, p)
#define EPILOGUE epilogue4
#endif

#define AXIS(a) int a##_in, int a##_out, int a##_stride, int a##_dilation, int a##_pad

// Taps of a window whose first lies at `first` that are inside [0, extent): from .x up to .y.
inline int2 taps_inside(int first, int dilation, int taps, int extent) {
  const int2 t = (int2)(-first + dilation - 1, extent - first + dilation - 1) / dilation;
  return clamp(t, (int2)(0), (int2)(taps));
}

// Outputs of a row whose windows lie inside it: from .x up to .y.
inline int2 whole_windows(int w_in, int w_out, int w_pad) {
  const int begin = clamp((w_pad + W_STRIDE - 1) / W_STRIDE, 0, w_out), last = w_in - 1 - (KW - 1) * W_DILATION + w_pad;
  return (int2)(begin, clamp(last < 0 ? 0 : last / W_STRIDE + 1, begin, w_out));
}

#ifndef WEIGHTS
// What outputs of one row have in common.
#define ROW_PARAMETERS                                                                                                   \
  __global const float *restrict x, int from, int x_stride, int line, __global const float *restrict taps, int tap_h,    \
      int tap_w, int2 rows, int first, int end, __global float *restrict y, uint y_stride, uint pixel, int w_step,       \
      int accumulate EPILOGUE_PARAMETERS
#define ROW_ARGUMENTS                                                                                                    \
  x, from, x_stride, line, kernel_, tap_h, tap_w, rows, first, whole, y, y_stride, pixel, w_step, accumulate EPILOGUE_ARGUMENTS

inline void put(vec sum, __global float* restrict y, uint y_stride, uint pixel, int c, int accumulate EPILOGUE_PARAMETERS) {
  __global float* to = y + pixel * y_stride + c;
  if (accumulate) sum += LOAD(to);
  STORE(EPILOGUE(sum, pixel, (uint)c EPILOGUE_ARGUMENTS), to);
}

// P neighbouring outputs whose windows lie inside the row, channels [first, end) in whole vectors; x[from] is the first tap.
// line: floats from one tap's row to the next's; tap_h, tap_w: the same in the kernel (negative where it is turned). All counts
// but those of rows and channels are constant: sums stay in registers, and the outputs share loads of x.
#define TILE(P)                                                                                                          \
  inline void tile##P(ROW_PARAMETERS) {                                                                                  \
    for (int c = first; c < end; c += LANES) {                                                                           \
      vec sums[P];                                                                                                       \
      _Pragma("unroll") for (int p = 0; p < P; ++p) sums[p] = 0.0f;                                                      \
      for (int kh = rows.x; kh < rows.y; ++kh) {                                                                         \
        __global const float* row = x + (from + kh * line + c);                                                          \
        _Pragma("unroll") for (int kw = 0; kw < KW; ++kw) {                                                              \
          const vec tap = LOAD(taps + kh * tap_h + kw * tap_w + c);                                                      \
          _Pragma("unroll") for (int p = 0; p < P; ++p)                                                                  \
              sums[p] += tap * LOAD(row + (p * W_STRIDE + kw * W_DILATION) * x_stride);                                  \
        }                                                                                                                \
      }                                                                                                                  \
      _Pragma("unroll") for (int p = 0; p < P; ++p)                                                                      \
          put(sums[p], y, y_stride, pixel + p * w_step, c, accumulate EPILOGUE_ARGUMENTS);                               \
    }                                                                                                                    \
  }
TILE(8)
TILE(4)
TILE(2)
TILE(1)

// One output whose window crosses a side: a sum a column of taps, so that an addition need not wait for the last.
inline void edge(int2 columns, ROW_PARAMETERS) {
  for (int c = first; c < end; c += LANES) {
    vec sums[KW + 1];
    for (int kw = 0; kw <= KW; ++kw) sums[kw] = 0.0f;
    for (int kh = rows.x; kh < rows.y; ++kh) {
      __global const float* row = x + (from + kh * line + c);
#pragma unroll
      for (int kw = 0; kw < KW; ++kw)
        if (kw >= columns.x && kw < columns.y)
          sums[kw] += LOAD(taps + kh * tap_h + kw * tap_w + c) * LOAD(row + kw * W_DILATION * x_stride);
    }
    for (int kw = 0; kw < KW; ++kw) sums[KW] += sums[kw];
    put(sums[KW], y, y_stride, pixel, c, accumulate EPILOGUE_ARGUMENTS);
  }
}

// Channels that fill no vector, one by one, of any output.
inline void rest(int2 columns, ROW_PARAMETERS) {
  for (int c = first; c < end; ++c) {
    float sum = 0.0f;
    for (int kh = rows.x; kh < rows.y; ++kh)
      for (int kw = columns.x; kw < columns.y; ++kw)
        sum += taps[kh * tap_h + kw * tap_w + c] * x[from + kh * line + kw * W_DILATION * x_stride + c];
    __global float* to = y + pixel * y_stride + c;
    if (accumulate) sum += *to;
    *to = epilogue1(sum, pixel, (uint)c EPILOGUE_ARGUMENTS);
  }
}

// Forward, and backward by data as forward with a turned kernel, whose outputs are a lattice: output (oh, ow) is pixel origin +
// step * (oh, ow) of h_size x w_size. A work-item computes `height` rows and the channels [x * slab, ...).
__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void convolution_depthwise_vector(AXIS(h), AXIS(w), int h_origin, int h_step, int h_size, int w_origin, int w_step, int w_size,
                                  int channels, __global const float* restrict x, uint x_offset, uint pixel_stride,
                                  __global const float* restrict kernel_, int kernel_offset, int tap_h, int tap_w,
                                  __global float* restrict y, uint y_offset, uint y_stride, int accumulate, int height,
                                  int slab EPILOGUE_PARAMETERS) {
  const int chunks = (h_out + height - 1) / height, x_stride = pixel_stride, line = h_dilation * w_in * x_stride;
  const int item = get_global_id(1) / chunks, row0 = get_global_id(1) % chunks * height;
  const int slab0 = get_global_id(0) * slab, slab1 = min(channels, slab0 + slab);
  const int vectors = slab0 + (slab1 - slab0) / LANES * LANES;
  const int2 inner = whole_windows(w_in, w_out, w_pad);
  x += x_offset;
  kernel_ += kernel_offset;
  y += y_offset;

  for (int oh = row0; oh < min(h_out, row0 + height); ++oh) {
    const int ih = oh * h_stride - h_pad;
    const int2 rows = taps_inside(ih, h_dilation, KH, h_in);
    for (int ow = 0, pixels; ow < w_out; ow += pixels) {
      const int left = ow >= inner.x ? inner.y - ow : 0;
      pixels = left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
      const int iw = ow * W_STRIDE - w_pad;
      int from = ((item * h_in + ih) * w_in + iw) * x_stride, first = slab0, whole = vectors;
      uint pixel = (uint)(item * h_size + h_origin + oh * h_step) * w_size + w_origin + ow * w_step;
      if (pixels == 8)
        tile8(ROW_ARGUMENTS);
      else if (pixels == 4)
        tile4(ROW_ARGUMENTS);
      else if (pixels == 2)
        tile2(ROW_ARGUMENTS);
      else if (left == 1)
        tile1(ROW_ARGUMENTS);
      else
        edge(taps_inside(iw, W_DILATION, KW, w_in), ROW_ARGUMENTS);
      first = vectors, whole = slab1;
      for (int p = 0; p < pixels && first < whole; ++p, from += W_STRIDE * x_stride, pixel += w_step)
        rest(taps_inside(iw + p * W_STRIDE, W_DILATION, KW, w_in), ROW_ARGUMENTS);
    }
  }
}

#else
// The first `lanes` of a vector, the others 0.
inline vec load_lanes(__global const float* restrict from, int lanes) {
  if (lanes == LANES) return LOAD(from);
  float all[LANES] = {0};
  for (int i = 0; i < lanes; ++i) all[i] = from[i];
  return LOAD(all);
}

// Gradient by the kernel: LANES channels, a run of `rows_each` output rows of the batch, all taps a work-item; every run writes
// its own sums. Two sums a tap, so that an addition need not wait for the last.
__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void convolution_depthwise_weights_vector(int batch, AXIS(h), AXIS(w), int channels, __global const float* restrict x,
                                          uint x_offset, uint x_stride, __global const float* restrict dy, uint dy_offset,
                                          uint dy_stride, __global float* restrict out, uint out_offset, uint run_stride,
                                          int accumulate, int rows_each) {
  const int c0 = get_global_id(0) * LANES, lanes = min(LANES, channels - c0);
  const int begin = get_global_id(1) * rows_each, end = min(batch * h_out, begin + rows_each);
  const int2 inner = whole_windows(w_in, w_out, w_pad);
  x += x_offset;
  dy += dy_offset;
  out += out_offset + get_global_id(1) * run_stride;
  for (int kh = 0; kh < KH; ++kh) {
    vec sums[2 * KW];
    for (int i = 0; i < 2 * KW; ++i) sums[i] = 0.0f;
    for (int row = begin; row < end; ++row) {
      const int ih = row % h_out * h_stride - h_pad + kh * h_dilation;
      if (ih < 0 || ih >= h_in) continue;
      const int from = (row / h_out * h_in + ih) * w_in, to = row * w_out;
      for (int ow = 0, pixels; ow < w_out; ow += pixels) {
        const int iw = ow * W_STRIDE - w_pad;
        __global const float* in = x + ((from + iw) * (int)x_stride + c0);
        __global const float* g = dy + ((to + ow) * (int)dy_stride + c0);
        const int2 columns = taps_inside(iw, W_DILATION, KW, w_in);
        pixels = lanes == LANES && ow >= inner.x && ow + 4 <= inner.y ? 4 : 1;
        if (pixels == 4) {
#pragma unroll
          for (int p = 0; p < 4; ++p) {
            const vec v = LOAD(g + p * (int)dy_stride);
#pragma unroll
            for (int kw = 0; kw < KW; ++kw)
              sums[p % 2 * KW + kw] += v * LOAD(in + (p * W_STRIDE + kw * W_DILATION) * (int)x_stride);
          }
        } else {
#pragma unroll
          for (int kw = 0; kw < KW; ++kw)
            if (kw >= columns.x && kw < columns.y)
              sums[kw] += load_lanes(g, lanes) * load_lanes(in + kw * W_DILATION * (int)x_stride, lanes);
        }
      }
    }
    for (int kw = 0; kw < KW; ++kw) {
      float all[LANES];
      STORE(sums[kw] + sums[KW + kw], all);
      __global float* to = out + (kh * KW + kw) * channels + c0;
      for (int i = 0; i < lanes; ++i) to[i] = accumulate ? to[i] + all[i] : all[i];
    }
  }
}
#endif
