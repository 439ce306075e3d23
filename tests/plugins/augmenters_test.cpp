#include <boost/test/unit_test.hpp>
#include <cmath>

#include "core/networks.hpp"
#include "core/temporary.hpp"
#include "ocellus/core/augmenter.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/graph_builder.hpp"
#include "ocellus/opencl/random.hpp"
#include "opencl/testing.hpp"

using namespace ocellus;
using ocellus::test::GuardedMatrix;
using ocellus::test::says;

namespace {

const Registry& registry() { return test::world().registry; }

constexpr uint64_t seed = 0x123456789abull;
constexpr uint32_t step = 17, node = 4;

/// What the augmenters draw for a sample: uniform numbers from counter (0, sample, node, step).
std::array<double, 4> draw(uint32_t sample) {
  const uint32_t counter[4] = {0, sample, node, step},
                 key[2] = {uint32_t(seed), uint32_t(seed >> 32)};
  uint32_t words[4];
  opencl::philox4x32(counter, key, words);
  std::array<double, 4> u;
  for (int i = 0; i < 4; ++i) u[i] = (words[i] >> 8) * 0x1p-24;
  return u;
}

struct Images {
  Shape shape;
  std::vector<float> x;
  float at(int n, int y, int xx, int c) const {
    return x[((n * shape[1] + y) * shape[2] + xx) * shape[3] + c];
  }
};

std::vector<float> run(opencl::Device& device, const char* name, const char* parameters,
                       const Images& images, const std::vector<int>& samples) {
  const auto augmenter =
      registry().create<Augmenter>(name, Json::parse(parameters, "test"), "test");
  const int rows = images.shape.pixels(), columns = images.shape[3];
  const GuardedMatrix in(device, rows, columns, 0, 3, images.x), out(device, rows, columns, 0, 2);
  AugmentArgs args;
  args.images = {in.operand().buffer, 3, uint32_t(columns), DType::f32, images.shape};
  args.output = {out.operand().buffer, 2, uint32_t(columns), DType::f32, images.shape};
  args.run = {seed, step, node, samples.empty() ? opencl::Buffer() : test::upload(device, samples)};
  augmenter->prepare(device, images.shape)->run(device.compute(), args);
  return out.values();
}

int mirror(int i, int n) {  // d c b a | a b c d | d c b a
  while (i < 0 || i >= n) i = i < 0 ? -1 - i : 2 * n - 1 - i;
  return i;
}

/// Pixel (y, x) with what stands outside.
double pixel(const Images& im, int n, int y, int x, int c, const std::string& mode, double value) {
  const int h = im.shape[1], w = im.shape[2];
  if (mode == "constant" && (y < 0 || y >= h || x < 0 || x >= w)) return value;
  if (mode == "nearest") return im.at(n, std::clamp(y, 0, h - 1), std::clamp(x, 0, w - 1), c);
  if (mode == "wrap") return im.at(n, ((y % h) + h) % h, ((x % w) + w) % w, c);
  if (mode == "reflect") return im.at(n, mirror(y, h), mirror(x, w), c);
  return im.at(n, y, x, c);
}

const std::vector<Shape> shapes = {{1, 1, 1, 1}, {3, 5, 7, 1}, {20, 8, 8, 3}, {2, 17, 3, 5}};

std::vector<int> samples_of(int n) {
  std::vector<int> s;
  for (int i = 0; i < n; ++i) s.push_back(1000 + 37 * i);
  return s;
}

}  // namespace

BOOST_AUTO_TEST_CASE(random_flip) {
  for (const auto& device : test::both_families())
    for (const Shape& shape : shapes)
      for (const std::string mode : {"horizontal", "vertical", "horizontal_and_vertical"})
        for (const bool numbered : {false, true}) {
          const Images im{shape, test::noise(shape.elements(), 1)};
          const std::vector<int> samples = numbered ? samples_of(shape[0]) : std::vector<int>{};
          const auto out =
              run(*device, "RandomFlip", (R"({"mode": ")" + mode + "\"}").c_str(), im, samples);
          std::vector<float> expected;
          for (int n = 0; n < shape[0]; ++n) {
            const auto u = draw(numbered ? samples[n] : n);
            const bool h = mode != "vertical" && u[0] < 0.5, v = mode != "horizontal" && u[1] < 0.5;
            for (int y = 0; y < shape[1]; ++y)
              for (int x = 0; x < shape[2]; ++x)
                for (int c = 0; c < shape[3]; ++c)
                  expected.push_back(
                      im.at(n, v ? shape[1] - 1 - y : y, h ? shape[2] - 1 - x : x, c));
          }
          BOOST_TEST((out == expected), mode << " " << shape.str());
        }
}

BOOST_AUTO_TEST_CASE(random_translation) {
  for (const auto& device : test::both_families())
    for (const Shape& shape : shapes)
      for (const std::string mode : {"reflect", "constant", "nearest", "wrap"})
        for (const bool bilinear : {false, true}) {
          const Images im{shape, test::noise(shape.elements(), 2)};
          const std::vector<int> samples = samples_of(shape[0]);
          const std::string parameters =
              R"({"height_factor": 0.6, "width_factor": [-0.2, 0.9], "fill_value": 0.25, "fill_mode": ")" +
              mode + R"(", "interpolation": ")" + (bilinear ? "bilinear" : "nearest") + "\"}";
          const auto out = run(*device, "RandomTranslation", parameters.c_str(), im, samples);
          size_t at = 0, wrong = 0;
          for (int n = 0; n < shape[0]; ++n) {
            const auto u = draw(samples[n]);
            const double dy = (-0.6 + 1.2 * u[0]) * shape[1], dx = (-0.2 + 1.1 * u[1]) * shape[2];
            for (int y = 0; y < shape[1]; ++y)
              for (int x = 0; x < shape[2]; ++x)
                for (int c = 0; c < shape[3]; ++c) {
                  const double sy = y - dy, sx = x - dx;
                  double e = 0;
                  const auto get = [&](double py, double px) {
                    return pixel(im, n, int(py), int(px), c, mode, 0.25);
                  };
                  if (bilinear) {
                    const double y0 = std::floor(sy), x0 = std::floor(sx), fy = sy - y0,
                                 fx = sx - x0;
                    e = (1 - fy) * ((1 - fx) * get(y0, x0) + fx * get(y0, x0 + 1)) +
                        fy * ((1 - fx) * get(y0 + 1, x0) + fx * get(y0 + 1, x0 + 1));
                  } else {
                    e = get(std::floor(sy + 0.5), std::floor(sx + 0.5));
                  }
                  wrong += !(std::abs(out[at++] - e) < 2e-5);
                }
          }
          BOOST_TEST(wrong == 0u, mode << " " << shape.str() << " " << bilinear << ": " << wrong
                                       << " of " << at);
        }
}

BOOST_AUTO_TEST_CASE(as_layers_they_work_in_training_alone) {
  GraphBuilder b("flipped");
  b.input({4, 4, 1});
  b.add("RandomFlip", {{"mode", "horizontal"}}, "flip");
  b.add("Flatten");
  b.add("Dense", {{"units", 2}});
  Network network(registry(), b.finish());
  network.place(test::world().device, 1);
  opencl::Queue& queue = test::world().device->compute();
  Array images(Shape{8, 4, 4, 1}, DType::f32);
  for (int i = 0; i < 128; ++i) images.f32()[i] = static_cast<float>(i);

  Execution inference(network, {.batch = 8, .fetches = {"flip"}});
  upload(queue, images, inference.feed());
  inference.forward({seed, step, 0, {}});
  BOOST_TEST(std::ranges::equal(download(queue, inference.fetch()).bytes(), images.bytes()));

  ExecutionOptions o;
  o.batch = 8;
  o.fetches = {"flip", network.tensor_name(network.outputs()[0])};
  o.seeds = {o.fetches[1]};
  o.training = o.parameter_gradients = true;
  Execution training(network, o);
  upload(queue, images, training.feed());
  int flipped = 0;
  for (uint32_t s = 0; s < 4; ++s) {
    training.forward({seed, s, 0, {}});
    const Array out = download(queue, training.fetch("flip"));
    for (int n = 0; n < 8; ++n) {
      const bool flip = out.f32()[n * 16] != images.f32()[n * 16];
      flipped += flip;
      for (int i = 0; i < 16; ++i)
        BOOST_REQUIRE_EQUAL(out.f32()[n * 16 + i],
                            images.f32()[n * 16 + (flip ? i / 4 * 4 + 3 - i % 4 : i)]);
    }
  }
  BOOST_TEST((flipped > 4 && flipped < 28));
  const Arenas gradients = Arenas::make(*test::world().device, network.layout(), "gradients");
  training.backward(&gradients);
  queue.finish();
}

BOOST_AUTO_TEST_CASE(wrong_shapes_are_refused) {
  const auto flip = registry().create<Augmenter>("RandomFlip", Json::object(), "test");
  BOOST_CHECK_EXCEPTION(flip->prepare(*test::world().device, {4, 4}), ShapeError, says("(4, 4)"));
  BOOST_CHECK_THROW(registry().create<Augmenter>("RandomTranslation", Json::object(), "test"),
                    UsageError);
}
