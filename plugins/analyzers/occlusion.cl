// Copies of one image, each with a window replaced by the same window of another image (the fill).
//   image, fill (height, width, channels); boxes int4 (top, left, bottom, right) an item; out (items, height, width, channels).
// Global size: (height * width, items).
__kernel void occlude(__global const float* image, __global const float* fill, __global const int* boxes, __global float* out,
                      int out_offset, int height, int width, int channels, int items) {
  const int pixel = (int)get_global_id(0), item = (int)get_global_id(1);
  if (pixel >= height * width || item >= items) return;
  const int y = pixel / width, x = pixel - y * width;
  __global const int* box = boxes + 4 * item;
  const int hidden = y >= box[0] && x >= box[1] && y < box[2] && x < box[3];
  __global const float* from = hidden ? fill : image;
  __global float* to = out + out_offset + ((size_t)item * height * width + pixel) * channels;
  for (int c = 0; c < channels; ++c) to[c] = from[pixel * channels + c];
}
