// Image rows with their padding in private memory, as the direct convolutions of the vector family read them: neighbouring windows then
// lie a constant apart, so the lines serve as panels of tile.cl without any further copy.
// `channels` of the SLOTS channels of a pixel are real, the rest are zero.

// `pixels` pixels of the row of x that begins at `row`, the first being number -pad; all zero when `inside` is false.
inline void copy_line(const __global float* restrict row, bool inside, int width, int pad, uint x_stride, int pixels,
                      int channels, float* line) {
  if (!inside) {
    zero_row(line, pixels * SLOTS);
    return;
  }
  const int begin = clamp(pad, 0, pixels), end = clamp(pad + width, begin, pixels);
  zero_row(line, begin * SLOTS);
  if (x_stride == SLOTS && channels == SLOTS) {
    copy_row(row + (begin - pad) * SLOTS, line + begin * SLOTS, (end - begin) * SLOTS);
  } else {
    for (int i = begin; i < end; ++i) {
      copy_row(row + (uint)(i - pad) * x_stride, line + i * SLOTS, channels);
      zero_row(line + i * SLOTS + channels, SLOTS - channels);
    }
  }
  zero_row(line + end * SLOTS, (pixels - end) * SLOTS);
}
