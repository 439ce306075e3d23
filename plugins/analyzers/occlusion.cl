// Windows of one image, each with a box in it replaced by the same box of another image (the fill).
//   image, fill (height, width, channels); boxes int4 (top, left, bottom, right) an item, in image coordinates; origins int2 (y, x) an
//   item: where the window lies; out (items, window_height, window_width, channels). A window as large as the image is a copy of it.
//   Global size: (window_height * window_width, items).
__kernel void occlude(__global const float* image, __global const float* fill, __global const int* boxes,
                      __global const int* origins, __global float* out, int out_offset, int width, int window_height,
                      int window_width, int channels, int items) {
  const int pixel = (int)get_global_id(0), item = (int)get_global_id(1), pixels = window_height * window_width;
  if (pixel >= pixels || item >= items) return;
  const int y = origins[2 * item] + pixel / window_width, x = origins[2 * item + 1] + pixel % window_width;
  __global const int* box = boxes + 4 * item;
  const int hidden = y >= box[0] && x >= box[1] && y < box[2] && x < box[3];
  __global const float* from = (hidden ? fill : image) + (y * width + x) * channels;
  __global float* to = out + out_offset + ((size_t)item * pixels + pixel) * channels;
  for (int c = 0; c < channels; ++c) to[c] = from[c];
}
