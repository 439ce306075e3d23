#include "reference/primitives.hpp"

#include <algorithm>
#include <cmath>

#include "ocellus/opencl/random.hpp"

namespace ocellus::reference {

ReferenceTensor filled(const Shape& shape, double value) {
  return {shape, std::vector<double>(shape.elements(), value)};
}

std::vector<double> gemm(const std::vector<double>& a, const std::vector<double>& b, int m, int n,
                         int k, bool transpose_a, bool transpose_b) {
  std::vector<double> c(size_t(m) * n);
  for (int i = 0; i < m; ++i)
    for (int l = 0; l < k; ++l) {
      const double v = transpose_a ? a[size_t(l) * m + i] : a[size_t(i) * k + l];
      for (int j = 0; j < n; ++j)
        c[size_t(i) * n + j] += v * (transpose_b ? b[size_t(j) * k + l] : b[size_t(l) * n + j]);
    }
  return c;
}

namespace {

/// Calls f(input pixel, output pixel, kernel tap) for each tap that lies inside the image.
template <class F>
void for_each_tap(int batch, const opencl::Axis& h, const opencl::Axis& w, const F& f) {
  for (int n = 0; n < batch; ++n)
    for (int oy = 0; oy < h.out; ++oy)
      for (int ox = 0; ox < w.out; ++ox)
        for (int i = 0; i < h.kernel; ++i)
          for (int j = 0; j < w.kernel; ++j) {
            const int y = oy * h.stride - h.pad_before + i * h.dilation;
            const int x = ox * w.stride - w.pad_before + j * w.dilation;
            if (y >= 0 && y < h.in && x >= 0 && x < w.in)
              f((size_t(n) * h.in + y) * w.in + x, (size_t(n) * h.out + oy) * w.out + ox,
                size_t(i) * w.kernel + j);
          }
}

}  // namespace

ReferenceTensor convolve(const ReferenceTensor& x, const ReferenceTensor& kernel,
                         const opencl::Axis& h, const opencl::Axis& w, int groups) {
  const int channels = x.shape[3], filters = kernel.shape[3], in = channels / groups,
            out = filters / groups;
  ReferenceTensor y = filled({x.shape[0], h.out, w.out, filters});
  for_each_tap(x.shape[0], h, w, [&](size_t from, size_t to, size_t tap) {
    for (int c = 0; c < channels; ++c) {
      const double v = x.values[from * channels + c];
      const double* k = &kernel.values[(tap * in + c % in) * filters];
      const int first = c / in * out;  // the filters of this channel's group
      for (int f = first; f < first + out; ++f) y.values[to * filters + f] += v * k[f];
    }
  });
  return y;
}

ReferenceTensor pool(const ReferenceTensor& x, Pool mode, const opencl::Axis& h,
                     const opencl::Axis& w) {
  const int channels = x.shape[3];
  const Shape shape{x.shape[0], h.out, w.out, channels};
  ReferenceTensor y = filled(shape, mode == Pool::max ? -HUGE_VAL : 0);
  std::vector<int> count(shape.pixels());
  for_each_tap(x.shape[0], h, w, [&](size_t from, size_t to, size_t) {
    ++count[to];
    for (int c = 0; c < channels; ++c) {
      const double v = x.values[from * channels + c];
      double& r = y.values[to * channels + c];
      r = mode == Pool::max ? std::max(r, v) : r + v;
    }
  });
  if (mode == Pool::average)
    for (size_t i = 0; i < y.values.size(); ++i) y.values[i] /= std::max(1, count[i / channels]);
  return y;
}

ReferenceTensor softmax(const ReferenceTensor& x) {
  ReferenceTensor y = x;
  const int columns = x.shape.channels();
  for (auto row = y.values.begin(); row != y.values.end(); row += columns) {
    const double top = *std::max_element(row, row + columns);
    double sum = 0;
    for (auto v = row; v != row + columns; ++v) sum += * v = std::exp(*v - top);
    for (auto v = row; v != row + columns; ++v) *v /= sum;
  }
  return y;
}

ReferenceTensor log_softmax(const ReferenceTensor& x) {
  ReferenceTensor y = x;
  const int columns = x.shape.channels();
  for (auto row = y.values.begin(); row != y.values.end(); row += columns) {
    const double top = *std::max_element(row, row + columns);
    double sum = 0;
    for (auto v = row; v != row + columns; ++v) sum += std::exp(*v - top);
    for (auto v = row; v != row + columns; ++v) *v -= top + std::log(sum);
  }
  return y;
}

ReferenceTensor glu(const ReferenceTensor& x) {
  ReferenceTensor y;
  y.shape = x.shape;
  const int half = x.shape.channels() / 2;
  y.shape.set(-1, half);
  for (size_t i = 0; i < x.values.size(); i += 2 * size_t(half))
    for (int c = 0; c < half; ++c)
      y.values.push_back(x.values[i + c] / (1 + std::exp(-x.values[i + half + c])));
  return y;
}

ReferenceTensor channel_affine(const ReferenceTensor& x, const std::vector<double>& scale,
                               const std::vector<double>& shift) {
  ReferenceTensor y = x;
  const size_t channels = x.shape.channels();
  for (size_t i = 0; i < y.values.size(); ++i)
    y.values[i] = y.values[i] * scale[i % channels] + shift[i % channels];
  return y;
}

void moments(const ReferenceTensor& x, std::vector<double>& mean, std::vector<double>& variance) {
  const size_t channels = x.shape.channels();
  const double n = x.shape.pixels();
  mean.assign(channels, 0);
  variance.assign(channels, 0);
  for (size_t i = 0; i < x.values.size(); ++i) mean[i % channels] += x.values[i] / n;
  for (size_t i = 0; i < x.values.size(); ++i)
    variance[i % channels] += std::pow(x.values[i] - mean[i % channels], 2) / n;
}

double uniform(uint64_t seed, uint32_t step, uint32_t node, int sample, uint32_t element) {
  const uint32_t counter[4] = {element / 4, static_cast<uint32_t>(sample), node, step};
  const uint32_t key[2] = {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
  uint32_t words[4];
  opencl::philox4x32(counter, key, words);
  return (words[element % 4] >> 8) * 0x1p-24;
}

double normal(uint64_t seed, uint32_t step, uint32_t node, int sample, uint32_t element) {
  // Box and Muller, from the pair of numbers that the element belongs to.
  constexpr double pi = 3.14159265358979323846;
  const uint32_t even = element / 2 * 2;
  const double radius = std::sqrt(-2 * std::log(1 - uniform(seed, step, node, sample, even))),
               angle = 2 * pi * uniform(seed, step, node, sample, even + 1);
  return radius * (element == even ? std::cos(angle) : std::sin(angle));
}

std::vector<int> place_of(const Shape& shape, size_t element) {
  std::vector<int> place(shape.rank());
  for (int a = shape.rank() - 1; a >= 0; --a) {
    place[a] = static_cast<int>(element % shape[a]);
    element /= shape[a];
  }
  return place;
}

size_t index_of(const Shape& shape, const std::vector<int>& place) {
  size_t i = 0;
  for (int a = 0; a < shape.rank(); ++a) i = i * shape[a] + place[a];
  return i;
}

}  // namespace ocellus::reference
