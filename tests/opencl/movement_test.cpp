#include "ocellus/opencl/movement.hpp"

#include <numeric>

#include "ocellus/opencl/resample.hpp"
#include "opencl/testing.hpp"

using namespace ocellus;
using namespace ocellus::test;
namespace cl = ocellus::opencl;

namespace {

void check_same(const GuardedMatrix& actual, const std::vector<float>& expected,
                const std::string& what) {
  BOOST_CHECK_MESSAGE(same_bits(actual.values(), expected), what);
}

std::vector<float> sum(std::vector<float> a, const std::vector<float>& b) {
  for (size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}

}  // namespace

BOOST_AUTO_TEST_CASE(copy_matrix) {
  struct Case {
    int rows, columns;
    uint32_t gap;
  };
  for (const auto& device : both_families())
    for (const Case& c : {Case{1, 1, 0}, {5, 17, 3}, {128, 10, 0}, {3, 5000, 1}})
      for (bool accumulate : {false, true}) {
        const size_t n = size_t(c.rows) * c.columns;
        const auto x = noise(n, 1), before = noise(n, 2);
        const GuardedMatrix from(*device, c.rows, c.columns, c.gap, 2, x),
            to(*device, c.rows, c.columns, 2 * c.gap, 3, before);
        cl::copy_matrix(device->compute(), from, to, c.rows, c.columns, accumulate);
        check_same(to, accumulate ? sum(before, x) : x, describe(*device) + " copy_matrix");
      }
}

BOOST_AUTO_TEST_CASE(transpose_every_order) {
  const std::vector<std::vector<int>> shapes = {
      {1},         {5},        {1, 1},       {17, 1},        {33, 18},        {2, 3, 5},
      {1, 19, 17}, {4, 1, 16}, {2, 3, 4, 5}, {3, 17, 1, 18}, {2, 3, 2, 4, 3}, {2, 1, 17, 3, 2}};
  for (const auto& device : both_families())
    for (const auto& shape : shapes) {
      std::vector<int> order(shape.size());
      std::iota(order.begin(), order.end(), 0);
      const int n = std::accumulate(shape.begin(), shape.end(), 1, std::multiplies<>());
      const auto values = noise(n, 1);
      const GuardedMatrix x(*device, 1, n, 0, 3, values);
      do {
        std::vector<int> strides(shape.size(), 1);
        for (size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
        std::vector<float> expected(n);
        for (int at = 0; at < n; ++at) {
          int rest = at, from = 0;
          for (size_t i = shape.size(); i-- > 0;) {
            from += rest % shape[order[i]] * strides[order[i]];
            rest /= shape[order[i]];
          }
          expected[at] = values[from];
        }
        const GuardedMatrix y(*device, 1, n, 0, 1);
        cl::transpose(device->compute(), x, y, shape, order);
        std::string what = describe(*device) + " transpose";
        for (size_t i = 0; i < shape.size(); ++i)
          what += " " + std::to_string(shape[i]) + ":" + std::to_string(order[i]);
        check_same(y, expected, what);
      } while (std::ranges::next_permutation(order).found);
    }
}

BOOST_AUTO_TEST_CASE(wrong_orders_are_refused) {
  const auto device = Device::open();
  const GuardedMatrix x(*device, 1, 6), y(*device, 1, 6);
  const std::vector<int> shape = {2, 3};
  for (const std::vector<int>& order : {std::vector<int>{0, 0}, {0}, {0, 2}, {-1, 0}, {0, 1, 2}})
    BOOST_CHECK_THROW(cl::transpose(device->compute(), x, y, shape, order), Error);
}

BOOST_AUTO_TEST_CASE(gather_rows) {
  for (const auto& device : both_families())
    for (int columns : {1, 10, 16, 37, 784}) {
      const int rows = 9;
      const std::vector<int32_t> index = {8, 0, 3, 3, 7};
      const auto x = noise(rows * columns, 1);
      std::vector<uint8_t> bytes(2 + rows * (columns + 3));
      for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(37 * i + 11);
      std::vector<float> expected, from_bytes;
      for (int i : index)
        for (int c = 0; c < columns; ++c) {
          expected.push_back(x[i * columns + c]);
          from_bytes.push_back(bytes[2 + i * (columns + 3) + c] * 0.5f - 3.0f);  // exact in floats
        }
      const Buffer indices = upload(*device, index);
      const GuardedMatrix from(*device, rows, columns, 2, 1, x),
          out(*device, index.size(), columns, 1, 3);
      cl::gather_rows(device->compute(), from, indices, out, index.size(), columns);
      check_same(out, expected, describe(*device) + " gather_rows");
      const Operand u8{upload(*device, bytes), 2, static_cast<uint32_t>(columns + 3)};
      cl::gather_rows(device->compute(), u8, indices, out, index.size(), columns,
                      {true, 0.5f, -3.0f});
      check_same(out, from_bytes, describe(*device) + " gather_rows from u8");
    }
}

BOOST_AUTO_TEST_CASE(convert_u8_reorders_channels) {
  for (const auto& device : both_families())
    for (int channels : {1, 3, 4, 7}) {
      const int rows = 37, stride = channels + 2;
      std::vector<uint8_t> bytes(1 + rows * stride);
      for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(91 * i + 5);
      std::vector<float> scale, shift, expected;
      std::vector<int> order;
      for (int c = 0; c < channels; ++c) {
        scale.push_back(0.5f * (c + 1));
        shift.push_back(-2.0f * c);
        order.push_back(channels - 1 - c);
      }
      for (int r = 0; r < rows; ++r)
        for (int c = 0; c < channels; ++c)
          expected.push_back(bytes[1 + r * stride + order[c]] * scale[c] + shift[c]);
      const GuardedMatrix out(*device, rows, channels, 1, 2);
      const Operand from{upload(*device, bytes), 1, static_cast<uint32_t>(stride)};
      cl::convert_u8(device->compute(), from, out, rows, channels, scale, shift, order);
      check_same(out, expected, describe(*device) + " convert_u8");
    }
}

namespace {

/// Pixel (y, x) of a channels-last image, or nothing outside it.
const float* pixel(const std::vector<float>& images, int image, int h, int w, int channels, int y,
                   int x) {
  if (y < 0 || y >= h || x < 0 || x >= w) return nullptr;
  return &images[((size_t(image) * h + y) * w + x) * channels];
}

}  // namespace

BOOST_AUTO_TEST_CASE(windows_and_patches) {
  const int h = 7, w = 5, images = 2, items = 3, out_h = 4, out_w = 6, patch_h = 2, patch_w = 3;
  const std::vector<int32_t> image_index = {1, 0, 1}, origins = {-2, -1, 5, 2, 1, 0},
                             patch_origins = {0, 0, 5, 3, 3, 1};
  for (const auto& device : both_families())
    for (int channels : {1, 6, 33}) {
      const auto values = noise(images * h * w * channels, 1),
                 patches = noise(items * patch_h * patch_w * channels, 2);
      std::vector<float> windows, patched, whole;
      const auto value = [&](int item, int y, int x, int c, bool with_patch) {
        const float* in = pixel(values, image_index[item], h, w, channels, y, x);
        const float* patch = pixel(patches, item, patch_h, patch_w, channels,
                                   y - patch_origins[2 * item], x - patch_origins[2 * item + 1]);
        return !in ? -9.0f : with_patch && patch ? patch[c] : in[c];
      };
      for (int i = 0; i < items; ++i)
        for (int y = 0; y < out_h; ++y)
          for (int x = 0; x < out_w; ++x)
            for (int c = 0; c < channels; ++c) {
              windows.push_back(value(i, origins[2 * i] + y, origins[2 * i + 1] + x, c, false));
              patched.push_back(value(i, origins[2 * i] + y, origins[2 * i + 1] + x, c, true));
            }
      for (int i = 0; i < items; ++i)
        for (int y = 0; y < h; ++y)
          for (int x = 0; x < w; ++x)
            for (int c = 0; c < channels; ++c) whole.push_back(value(i, y, x, c, true));
      const GuardedMatrix from(*device, images * h * w, channels, 2, 1, values),
          patch(*device, items * patch_h * patch_w, channels, 1, 3, patches),
          out(*device, items * out_h * out_w, channels, 3, 2),
          full(*device, items * h * w, channels, 1, 0);
      const Buffer index = upload(*device, image_index), at = upload(*device, origins),
                   patch_at = upload(*device, patch_origins);
      const cl::WindowGather g{items, out_h, out_w, channels, h, w, patch_h, patch_w, -9.0f};
      cl::gather_windows(device->compute(), g, from, index, at, {}, {}, out);
      check_same(out, windows, describe(*device) + " gather_windows");
      cl::gather_windows(device->compute(), g, from, index, at, patch, patch_at, out);
      check_same(out, patched, describe(*device) + " gather_windows with patches");
      cl::scatter_patches(device->compute(), g, from, index, patch, patch_at, full);
      check_same(full, whole, describe(*device) + " scatter_patches");
      BOOST_CHECK_THROW(cl::gather_windows(device->compute(), g, from, index, at, patch, {}, out),
                        Error);
    }
}

BOOST_AUTO_TEST_CASE(padding_and_its_gradient) {
  for (const auto& device : both_families())
    for (int channels : {1, 6, 17}) {
      const cl::PadProblem p{2, 3, 5, channels, 1, 2, 0, 3, 0.5f};
      const int large_h = p.h + p.top + p.bottom, large_w = p.w + p.left + p.right;
      const auto x = noise(p.batch * p.h * p.w * channels, 1);
      std::vector<float> y;
      for (int b = 0; b < p.batch; ++b)
        for (int i = 0; i < large_h; ++i)
          for (int j = 0; j < large_w; ++j)
            for (int c = 0; c < channels; ++c) {
              const float* in = pixel(x, b, p.h, p.w, channels, i - p.top, j - p.left);
              y.push_back(in ? in[c] : p.value);
            }
      const GuardedMatrix small(*device, p.batch * p.h * p.w, channels, 1, 2, x),
          large(*device, p.batch * large_h * large_w, channels, 2, 1),
          back(*device, p.batch * p.h * p.w, channels, 3, 0, x);
      cl::pad(device->compute(), p, small, large);
      check_same(large, y, describe(*device) + " pad");
      cl::crop(device->compute(), p, large, back, true);
      check_same(back, sum(x, x), describe(*device) + " crop, adding");
      cl::crop(device->compute(), p, large, back);
      check_same(back, x, describe(*device) + " crop");
      cl::pad(device->compute(), p, small, large, true);
      check_same(large, sum(y, y), describe(*device) + " pad, adding");
    }
}

// TensorFlow's half-pixel rule along one axis.
BOOST_AUTO_TEST_CASE(resampling_weights) {
  const auto dense = [](const cl::ResampleAxis& a) {
    std::vector<float> m(size_t(a.out) * a.in);
    for (int o = 0; o < a.out; ++o)
      for (int t = a.begin[o]; t < a.begin[o + 1]; ++t) m[o * a.in + a.index[t]] += a.weight[t];
    return m;
  };
  using Values = std::vector<float>;
  const auto linear = cl::ResampleAxis::linear(2, 4);
  BOOST_CHECK(dense(linear) == (Values{1, 0, 0.75f, 0.25f, 0.25f, 0.75f, 0, 1}));
  BOOST_CHECK(dense(linear.transposed()) == (Values{1, 0.75f, 0.25f, 0, 0, 0.25f, 0.75f, 1}));
  BOOST_CHECK(dense(cl::ResampleAxis::linear(4, 2)) ==
              (Values{0.5f, 0.5f, 0, 0, 0, 0, 0.5f, 0.5f}));
  BOOST_CHECK(dense(cl::ResampleAxis::nearest(3, 2)) == (Values{1, 0, 0, 0, 0, 1}));
  BOOST_CHECK(dense(linear.within(-1, 1)) == (Values{0, 0.25f, 0.75f, 1}));
}

BOOST_AUTO_TEST_CASE(wrong_resampling_is_refused) {
  const auto device = both_families()[0];
  cl::ResampleAxis axis = cl::ResampleAxis::nearest(3, 5);
  axis.index[2] = 3;
  BOOST_CHECK_THROW(cl::Resample(*device, 1, 1, axis, axis), Error);
}
