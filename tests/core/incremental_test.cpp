// Incremental evaluation against full passes over the changed images: exact for every position.
#include "ocellus/core/incremental.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "core/networks.hpp"

using namespace ocellus;
using namespace ocellus::test;

namespace {

/// Strides, all kinds of padding (zeros, -infinity, not counted), merges and a shortcut.
GraphRecord deep(bool dense) {
  std::vector<Line> lines = {
      {"Input", "in", R"({"shape": [21, 18, 2]})", {}},
      {"Conv2D",
       "conv1",
       R"({"filters": 6, "kernel_size": 3, "padding": "same", "activation": "relu"})",
       {"in"}},
      {"MaxPooling2D", "pool1", R"({"pool_size": 3, "strides": 2, "padding": "same"})", {"conv1"}},
      {"ZeroPadding2D", "pad", R"({"padding": 1})", {"pool1"}},
      {"Conv2D", "conv2", R"({"filters": 6, "kernel_size": 3, "use_bias": false})", {"pad"}},
      {"BatchNormalization", "bn2", "{}", {"conv2"}},
      {"Add", "add", "{}", {"pool1", "bn2"}},
      {"ReLU", "relu2", "{}", {"add"}},
      {"Conv2D",
       "left",
       R"({"filters": 4, "kernel_size": [1, 3], "padding": "same", "activation": "elu"})",
       {"relu2"}},
      {"AveragePooling2D",
       "right",
       R"({"pool_size": 3, "strides": 1, "padding": "same"})",
       {"relu2"}},
      {"Concatenate", "cat", "{}", {"left", "right"}},
      {"Dropout", "drop", R"({"rate": 0.3})", {"cat"}},
      {"Conv2D",
       "conv3",
       R"({"filters": 5, "kernel_size": 3, "strides": 2, "dilation_rate": 1, "padding": "same"})",
       {"drop"}}};
  if (!dense) return graph(lines, {"conv3"});
  lines.push_back({"Flatten", "flat", "{}", {"conv3"}});
  lines.push_back({"Dense", "logits", R"({"units": 7})", {"flat"}});
  return graph(lines, {"logits"});
}

void check(const GraphRecord& g, int window_h, int window_w, int stride, int batch) {
  const auto n = make(g);
  opencl::Queue& queue = world().device->compute();
  const Shape shape = n->shape(n->inputs()[0]);
  const int h = shape[1], w = shape[2], c = shape[3];
  IncrementalOptions o;
  o.batch = batch;
  o.patch_h = window_h;
  o.patch_w = window_w;
  for (int y = 0; y + window_h <= h; y += stride)
    for (int x = 0; x + window_w <= w; x += stride) o.origins.push_back({y, x});
  o.origins.push_back({h - window_h, w - window_w});
  Incremental inc(*n, o);
  BOOST_TEST(inc.multiply_adds() <= inc.full_multiply_adds() * 1.5);
  const Array image = noise(shape, 40);
  upload(queue, image, inc.image());
  inc.run_clean();
  Execution full(*n, {});
  const int count = static_cast<int>(o.origins.size());
  double worst = 0, scale = 0;
  for (int first = 0; first < count; first += batch) {
    const int now = std::min(batch, count - first);
    Array patches(Shape{batch, window_h, window_w, c}, DType::f32);
    for (size_t i = 0; i < patches.f32().size(); ++i)
      patches.f32()[i] = 0.5f + 0.1f * static_cast<float>(i % 7);
    upload(queue, patches, inc.patches());
    inc.run(first, now);
    const Array results = download(queue, inc.fetch());
    for (int i = 0; i < now; ++i) {
      Array changed = image;
      const auto [oy, ox] = o.origins[first + i];
      const size_t item = static_cast<size_t>(window_h) * window_w * c;
      for (int y = 0; y < window_h; ++y)
        for (int x = 0; x < window_w; ++x)
          for (int k = 0; k < c; ++k)
            changed.f32()[((oy + y) * w + ox + x) * c + k] =
                patches.f32()[i * item + (y * window_w + x) * c + k];
      upload(queue, changed, full.feed());
      full.forward();
      const Array wanted = download(queue, full.fetch()), got = results.item(i);
      for (size_t k = 0; k < wanted.f32().size(); ++k) {
        worst = std::max(worst, std::abs(static_cast<double>(wanted.f32()[k]) - got.f32()[k]));
        scale = std::max(scale, std::abs(static_cast<double>(wanted.f32()[k])));
      }
    }
  }
  BOOST_TEST(scale > 0);
  BOOST_TEST(worst <= 1e-5 * scale, "worst " << worst << " of " << scale);
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_position_equals_the_full_network) {
  check(deep(true), 3, 3, 2, 16);
  check(deep(true), 1, 1, 5, 7);
  check(deep(true), 4, 2, 3, 64);
}

BOOST_AUTO_TEST_CASE(a_window_as_large_as_the_image) { check(deep(true), 21, 18, 1, 2); }

BOOST_AUTO_TEST_CASE(a_map_may_be_fetched_too) { check(deep(false), 3, 2, 4, 8); }

BOOST_AUTO_TEST_CASE(windows_outside_the_image_are_refused) {
  const auto n = make(deep(true));
  IncrementalOptions o;
  o.patch_h = o.patch_w = 3;
  o.origins = {{19, 0}};
  BOOST_CHECK_THROW(Incremental(*n, o), UsageError);
}
