// Copies between strided places. Images are channels last with a pixel stride; offsets and strides count elements.
#include "ocellus/matrix.cl"

__kernel MATRIX_ATTRIBUTES void copy_matrix(MATRIX_PARAMETERS, __global const float* from, uint from_offset,
                                            uint from_stride, __global float* to, uint to_offset, uint to_stride,
                                            int accumulate) {
  FOR_EACH(r, c, n) {
    T v = LOAD(from + from_offset + r * from_stride + c, n);
    __global float* out = to + to_offset + r * to_stride + c;
    if (accumulate) v += LOAD(out, n);
    STORE(v, out, n);
  }
}

// ---- transposition ------------------------------------------------------------------------------------------------------
// Up to four outer axes, the last one fastest: extents e, strides x and y. Item -> offset in x (.x) and in y (.y).
#define OUTER_PARAMETERS                                                                                        \
  uint e1, uint e2, uint e3, uint x0, uint x1, uint x2, uint x3, uint y0, uint y1, uint y2, uint y3
#define OUTER_ARGUMENTS e1, e2, e3, x0, x1, x2, x3, y0, y1, y2, y3
inline uint2 outer_offsets(uint item, OUTER_PARAMETERS) {
  const uint i3 = item % e3, i2 = item / e3 % e2, i1 = item / e3 / e2 % e1, i0 = item / e3 / e2 / e1;
  return i0 * (uint2)(x0, y0) + i1 * (uint2)(x1, y1) + i2 * (uint2)(x2, y2) + i3 * (uint2)(x3, y3);
}

// The matrix is items x columns: runs that stay runs.
__kernel MATRIX_ATTRIBUTES void permute_runs(MATRIX_PARAMETERS, OUTER_PARAMETERS, __global const float* x, uint x_offset,
                                             __global float* y, uint y_offset) {
  FOR_EACH(r, c, n) {
    const uint2 at = outer_offsets(r, OUTER_ARGUMENTS);
    STORE(LOAD(x + x_offset + at.x + c, n), y + y_offset + at.y + c, n);
  }
}

// Axis `a` is contiguous in x, axis `b` in y: blocks of 16 x 16 of them go through a small array. x_b, y_a: strides of b in x
// and of a in y.
#ifdef TILED
#define TILE_ROWS (GROUP / 16)
__kernel __attribute__((reqd_work_group_size(16, TILE_ROWS, 1)))
#else
__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
#endif
void transpose_blocks(uint extent_a, uint extent_b, uint x_b, uint y_a, OUTER_PARAMETERS, __global const float* x,
                      uint x_offset, __global float* y, uint y_offset) {
  const uint2 at = outer_offsets(get_global_id(2), OUTER_ARGUMENTS);
  const uint a = get_group_id(0) * 16, b = get_group_id(1) * 16;
  __global const float* from = x + x_offset + at.x;
  __global float* to = y + y_offset + at.y;
#ifdef TILED
  __local float tile[16][17];  // 17: the columns of a tile lie in different banks
  const uint lane = get_local_id(0);
  for (uint row = get_local_id(1); row < 16; row += TILE_ROWS)
    if (a + lane < extent_a && b + row < extent_b) tile[row][lane] = from[(b + row) * x_b + a + lane];
  barrier(CLK_LOCAL_MEM_FENCE);
  for (uint row = get_local_id(1); row < 16; row += TILE_ROWS)
    if (a + row < extent_a && b + lane < extent_b) to[(a + row) * y_a + b + lane] = tile[lane][row];
#else
  float tile[16][16];
  const uint n_a = min(16u, extent_a - a), n_b = min(16u, extent_b - b);
  for (uint row = 0; row < n_b; ++row) {
    const float16 v = load_n(from + (b + row) * x_b + a, n_a);
    vstore16(v, 0, tile[row]);
  }
  for (uint row = 0; row < n_a; ++row)
    for (uint lane = 0; lane < n_b; ++lane) to[(a + row) * y_a + b + lane] = tile[lane][row];
#endif
}

// ---- gathering ----------------------------------------------------------------------------------------------------------
// Four-byte elements pass as they are, whatever their type.
__kernel MATRIX_ATTRIBUTES void gather_rows(MATRIX_PARAMETERS, __global const float* from, uint from_offset,
                                            uint from_stride, __global const int* index, __global float* out,
                                            uint out_offset, uint out_stride) {
  FOR_EACH(r, c, n)
    STORE(LOAD(from + from_offset + (uint)index[r] * from_stride + c, n), out + out_offset + r * out_stride + c, n);
}

#ifdef TILED
#define LOAD_U8(p, n) ((float)(*(p)))
#else
inline float16 load_u8(__global const uchar* p, uint n) {
  if (n == 16) return convert_float16(vload16(0, p));
  uchar bytes[16] = {0};
  for (uint i = 0; i < n; ++i) bytes[i] = p[i];
  return convert_float16(vload16(0, bytes));
}
#define LOAD_U8(p, n) load_u8(p, n)
#endif

__kernel MATRIX_ATTRIBUTES void gather_rows_u8(MATRIX_PARAMETERS, __global const uchar* from, uint from_offset,
                                               uint from_stride, __global const int* index, __global float* out,
                                               uint out_offset, uint out_stride, float scale, float shift) {
  FOR_EACH(r, c, n)
    STORE(LOAD_U8(from + from_offset + (uint)index[r] * from_stride + c, n) * scale + shift,
          out + out_offset + r * out_stride + c, n);
}

// The matrix is 1 x pixels; up to four channels, each from its own source channel.
__kernel MATRIX_ATTRIBUTES void convert_u8(MATRIX_PARAMETERS, uint channels, __global const uchar* from,
                                           uint from_offset, uint from_stride, __global float* out, uint out_offset,
                                           uint out_stride, uint source0, uint source1, uint source2, uint source3,
                                           float scale0, float scale1, float scale2, float scale3, float shift0,
                                           float shift1, float shift2, float shift3) {
  FOR_EACH(r, c, n) {
    for (uint p = c; p < c + n; ++p) {
      __global const uchar* in = from + from_offset + p * from_stride;
      __global float* to = out + out_offset + p * out_stride;
      to[0] = in[source0] * scale0 + shift0;
      if (channels > 1) to[1] = in[source1] * scale1 + shift1;
      if (channels > 2) to[2] = in[source2] * scale2 + shift2;
      if (channels > 3) to[3] = in[source3] * scale3 + shift3;
    }
  }
}

// ---- windows and patches --------------------------------------------------------------------------------------------------
// rows = items * out_h * out_w. Pixel (y, x) of item i stands at origin[i] + (y, x) of the image; the patch wins over the image.
__kernel MATRIX_ATTRIBUTES void gather_windows(MATRIX_PARAMETERS, uint out_h, uint out_w, int image_h, int image_w, int patch_h,
                                               int patch_w, float fill, __global const float* images, uint images_offset,
                                               uint images_stride, __global const int* image_index,
                                               __global const int* origins, __global const float* patches,
                                               uint patches_offset, uint patches_stride, __global const int* patch_origins,
                                               __global float* out, uint out_offset, uint out_stride) {
  FOR_EACH(pixel, c, n) {
    const uint item = pixel / (out_h * out_w);
    int y = pixel / out_w % out_h, x = pixel % out_w;
    if (origins) {
      y += origins[2 * item];
      x += origins[2 * item + 1];
    }
    T v = (T)(fill);
    const int py = patches ? y - patch_origins[2 * item] : -1, px = patches ? x - patch_origins[2 * item + 1] : -1;
    const bool inside = y >= 0 && y < image_h && x >= 0 && x < image_w;
    if (inside && py >= 0 && py < patch_h && px >= 0 && px < patch_w)
      v = LOAD(patches + patches_offset + ((item * patch_h + py) * patch_w + px) * patches_stride + c, n);
    else if (inside) {
      const uint image = image_index ? image_index[item] : (int)item;
      v = LOAD(images + images_offset + ((image * image_h + y) * image_w + x) * images_stride + c, n);
    }
    STORE(v, out + out_offset + pixel * out_stride + c, n);
  }
}

// rows = batch * (h + top + bottom) * (w + left + right) pixels of the large image; the small one stands at (top, left).
__kernel MATRIX_ATTRIBUTES void pad(MATRIX_PARAMETERS, uint h, uint w, uint top, uint left, uint large_h, uint large_w,
                                    float value, __global const float* small, uint small_offset, uint small_stride,
                                    __global float* large, uint large_offset, uint large_stride, int accumulate) {
  FOR_EACH(pixel, c, n) {
    const uint item = pixel / (large_h * large_w), y = pixel / large_w % large_h - top, x = pixel % large_w - left;
    T v = (T)(value);
    if (y < h && x < w)  // pixels before it have wrapped to large numbers
      v = LOAD(small + small_offset + ((item * h + y) * w + x) * small_stride + c, n);
    __global float* to = large + large_offset + pixel * large_stride + c;
    if (accumulate) v += LOAD(to, n);
    STORE(v, to, n);
  }
}

// rows = batch * h * w pixels of the small image, which stands at (top, left) of the large one: the gradient of padding.
__kernel MATRIX_ATTRIBUTES void crop(MATRIX_PARAMETERS, uint h, uint w, uint top, uint left, uint large_h, uint large_w,
                                     __global const float* large, uint large_offset, uint large_stride,
                                     __global float* small, uint small_offset, uint small_stride, int accumulate) {
  FOR_EACH(pixel, c, n) {
    const uint item = pixel / (h * w), y = pixel / w % h + top, x = pixel % w + left;
    T v = LOAD(large + large_offset + ((item * large_h + y) * large_w + x) * large_stride + c, n);
    __global float* to = small + small_offset + pixel * small_stride + c;
    if (accumulate) v += LOAD(to, n);
    STORE(v, to, n);
  }
}
