#include "ocellus/core/batches.hpp"

#include <boost/test/unit_test.hpp>

#include "core/networks.hpp"
#include "core/synthetic_data.hpp"
#include "core/temporary.hpp"
#include "ocellus/core/error.hpp"

using namespace ocellus;
using namespace ocellus::test;

namespace {

std::vector<int> ints(const opencl::Buffer& b, int n) {
  std::vector<int> v(n);
  world().device->compute().read(b, 0, v.data(), n * sizeof(int));
  return v;
}

/// One epoch on the host: places of the items in order, each batch checked against the data set
/// itself.
std::vector<int> walk(Batches& batches, const Bars& data, int64_t epoch, const BatchOptions& o,
                      bool weighted, int64_t first = 0) {
  opencl::Queue& queue = world().device->compute();
  std::vector<float> scale, shift;
  std::vector<int> order, seen;
  o.preprocessing.affine(1, scale, shift, order);
  batches.start(epoch, first);
  for (Batch b; batches.next(b);) {
    const Array images = download(queue, b.images), targets = download(queue, b.targets),
                weights = download(queue, b.weights);
    const std::vector<int> samples = ints(b.samples, o.batch);
    BOOST_REQUIRE(images.shape() == (Shape{o.batch, 8, 8, 1}));
    for (int i = 0; i < o.batch; ++i) {
      const int64_t item = o.subset.empty() ? samples[i] : o.subset[samples[i]];
      BOOST_TEST(weights.f32()[i] == (i < b.count ? (weighted ? Bars::weight(item) : 1.0f) : 0.0f));
      BOOST_TEST(targets.i32()[i] == data.label(item));
      for (int p = 0; p < 64; ++p)
        BOOST_REQUIRE_SMALL(images.f32()[i * 64 + p] - (data.pixel(item, p) * scale[0] + shift[0]),
                            1e-5f);
      if (i < b.count) seen.push_back(samples[i]);
    }
  }
  return seen;
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_item_once_in_an_order_of_seed_and_epoch) {
  for (const bool floats : {false, true})
    for (const bool weighted : {false, true}) {
      const auto data = std::make_shared<Bars>(53, 3, floats, weighted);
      std::vector<std::vector<int>> orders;
      for (const bool stream : {false, true}) {
        BatchOptions o;
        o.batch = 16;
        o.shuffle = true;
        o.seed = 11;
        o.stream = stream;
        o.preprocessing = Preprocessing::named("tf");
        Batches batches(*world().device, data, o);
        BOOST_TEST(batches.resident() == !stream);
        BOOST_TEST(batches.batches_per_epoch() == 4);
        for (const int64_t epoch : {0, 1, 0}) {
          std::vector<int> seen = walk(batches, *data, epoch, o, weighted);
          orders.push_back(seen);
          std::ranges::sort(seen);
          for (int i = 0; i < 53; ++i) BOOST_REQUIRE_EQUAL(seen[i], i);
        }
        // From the third batch on: the same tail.
        const std::vector<int> tail = walk(batches, *data, 1, o, weighted, 2);
        BOOST_TEST(std::ranges::equal(tail, std::span(orders[1]).subspan(32)));
      }
      BOOST_TEST((orders[0] != orders[1] && orders[0] == orders[2]));
      BOOST_TEST((orders[3] == orders[0] && orders[4] == orders[1]));
    }
}

BOOST_AUTO_TEST_CASE(subsets_and_short_places) {
  const auto data = std::make_shared<Bars>(40);
  for (const bool stream : {false, true}) {
    BatchOptions o;
    o.batch = 8;
    o.stream = stream;
    o.subset = {3, 5, 8, 13, 21, 34, 2, 1, 0, 39, 17};
    Batches batches(*world().device, data, o);
    BOOST_TEST(batches.size() == 11);
    BOOST_TEST(walk(batches, *data, 0, o, false) ==
               (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
    // The last batch straight into a place of its own size.
    batches.start(0, 1);
    BOOST_REQUIRE_EQUAL(batches.next_count(), 3);
    const Tensor place = Tensor::make(*world().device, {3, 8, 8, 1}, "test");
    Batch b;
    BOOST_REQUIRE(batches.next(b, place));
    const Array images = download(world().device->compute(), place);
    for (int i = 0; i < 3; ++i)
      for (int p = 0; p < 64; ++p)
        BOOST_REQUIRE_EQUAL(images.f32()[i * 64 + p], data->pixel(o.subset[8 + i], p));
    BOOST_TEST(!batches.next(b, place));
    BOOST_TEST(batches.next_count() == 0);
    batches.start(0);
    BOOST_CHECK_EXCEPTION(batches.next(b, Tensor::make(*world().device, {8, 9, 8, 1}, "test")),
                          ShapeError, says("(8, 8, 1)"));
  }
}

BOOST_AUTO_TEST_CASE(errors_of_reading_reach_the_caller) {
  struct Broken : Bars {
    using Bars::Bars;
    void read(std::span<const int64_t> indices, Samples& out) const override {
      for (const int64_t i : indices)
        if (i == 20) throw DataError("item 20 is broken");
      Bars::read(indices, out);
    }
  };
  const auto data = std::make_shared<Broken>(40);
  BatchOptions o;
  o.batch = 8;
  BOOST_CHECK_THROW(Batches(*world().device, data, o), DataError);
  o.stream = true;
  Batches batches(*world().device, data, o);
  batches.start(0);
  Batch b;
  BOOST_TEST(batches.next(b));
  BOOST_TEST(batches.next(b));
  BOOST_CHECK_EXCEPTION(batches.next(b), DataError, says("item 20"));
}

BOOST_AUTO_TEST_CASE(colours_are_reordered_and_scaled_by_channel) {
  struct Colours : Dataset {
    bool floats;
    explicit Colours(bool f) : floats(f) {}
    int64_t size() const override { return 5; }
    Shape item_shape() const override { return {2, 3, 3}; }
    DType item_type() const override { return floats ? DType::f32 : DType::u8; }
    std::string describe(int64_t) const override { return ""; }
    static float value(int64_t i, int k) { return static_cast<float>((i * 31 + k * 7) % 256); }
    void read(std::span<const int64_t> indices, Samples& out) const override {
      const int n = static_cast<int>(indices.size());
      out = {};
      Array u(Shape{n, 2, 3, 3}, DType::u8);
      for (int i = 0; i < n; ++i)
        for (int k = 0; k < 18; ++k)
          u.u8()[i * 18 + k] = static_cast<uint8_t>(value(indices[i], k));
      out.images = floats ? u.to_f32() : u;
    }
  };
  for (const bool floats : {false, true})
    for (const bool stream : {false, true}) {
      BatchOptions o;
      o.batch = 4;
      o.stream = stream;
      o.preprocessing = Preprocessing::named("caffe");
      Batches batches(*world().device, std::make_shared<Colours>(floats), o);
      BOOST_TEST(batches.target_shape().rank() == 0);
      batches.start(0);
      Batch b;
      BOOST_REQUIRE(batches.next(b));
      const Array images = download(world().device->compute(), b.images);
      const float mean[] = {103.939f, 116.779f, 123.68f};
      for (int i = 0; i < 4; ++i)
        for (int k = 0; k < 18; ++k)
          BOOST_REQUIRE_SMALL(
              images.f32()[i * 18 + k] - (Colours::value(i, k - k % 3 + 2 - k % 3) - mean[k % 3]),
              1e-4f);
    }
}
