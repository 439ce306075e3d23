// y = mean of the window of `radius` pixels round each pixel of x, 0 outside of the image; `pad` rows and columns of the
// window stand before the image. One work-item an element; the epilogue is what core fuses into the store.
#include "ocellus/epilogue.cl"

__kernel void box_blur(__global const float* x, uint x_offset, uint x_stride, int x_h, int x_w, __global float* y,
                       uint y_offset, uint y_stride, int h, int w, int channels, int items, int radius, int pad,
                       int add EPILOGUE_PARAMETERS) {
  const int i = get_global_id(0), c = i % channels, pixel = i / channels, size = 2 * radius + 1;
  const int left = pixel % w - pad, top = pixel / w % h - pad, item = pixel / w / h;
  if (item >= items) return;
  float sum = 0.0f;
  for (int a = max(0, top); a < min(x_h, top + size); ++a)
    for (int b = max(0, left); b < min(x_w, left + size); ++b)
      sum += x[x_offset + ((item * x_h + a) * x_w + b) * x_stride + c];
  __global float* to = y + y_offset + pixel * y_stride + c;
  sum = epilogue1(sum / (size * size), pixel, c EPILOGUE_ARGUMENTS);
  *to = add ? *to + sum : sum;
}
