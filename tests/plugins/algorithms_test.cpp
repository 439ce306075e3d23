// Whole networks at full size, their convolutions by Winograd in every size of tile against the
// same network by direct ones: the logits and the last map agree within 1e-4 of the largest.
// `--log_level=message` prints the errors.
#include <fmt/format.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>

#include "core/networks.hpp"
#include "ocellus/core/graph_builder.hpp"
#include "ocellus/core/model.hpp"
#include "plugins/made_up_weights.hpp"

using namespace ocellus;
using namespace ocellus::test;

namespace {

const char* const kDirect = "gemm,direct";
/// Tiles of one size wherever they can be, in one launch or in three, and the rule's choice.
const char* const kWinograd[] = {"winograd2,winograd", "winograd4_fused,winograd4,winograd",
                                 "winograd4,winograd", "winograd6_fused,winograd6,winograd",
                                 "winograd6,winograd", ""};

struct Algorithms {
  explicit Algorithms(const std::string& names) { setenv("OCELLUS_ALGORITHMS", names.c_str(), 1); }
  ~Algorithms() { unsetenv("OCELLUS_ALGORITHMS"); }
};

/// How many steps run by an algorithm whose name begins so.
int count(const Execution& e, const std::string& algorithm) {
  int steps = 0;
  for (const std::string& s : e.steps()) steps += s.find(" " + algorithm) != std::string::npos;
  return steps;
}

/// max|a - b| / max|b|.
double difference(const Array& a, const Array& b) {
  double error = 0, scale = 0;
  for (size_t i = 0; i < b.f32().size(); ++i) {
    const double d = std::abs(double(a.f32()[i]) - b.f32()[i]);
    error = std::isnan(d) ? HUGE_VAL : std::max(error, d);
    scale = std::max(scale, std::abs(double(b.f32()[i])));
  }
  return error / scale;
}

void compare(const std::string& architecture, const std::string& map, int threes) {
  ModelDocument document;
  document.graph =
      world()
          .registry
          .create<Architecture>(architecture, Json::Object{{"classifier_activation", "linear"}},
                                architecture)
          ->build();
  document.weights = made_up_weights(Network(world().registry, document.graph));
  Network network(world().registry, document);
  network.place(world().device);
  const std::string logits = network.tensor_name(network.outputs().front());
  Array image(network.shape(network.inputs().front()), uniform(-1, 0, 224 * 224 * 3));
  for (float& u : image.f32()) u = 2 * u - 1;

  Array direct[2];
  const auto run = [&](const char* names, Array(&out)[2]) {
    const Algorithms forced(names);
    Execution e(network, {.batch = 1, .fetches = {map, logits}});
    upload(world().device->compute(), image, e.feed());
    e.forward();
    for (int i : {0, 1}) out[i] = download(world().device->compute(), e.fetch(i));
    return count(e, "winograd");
  };
  BOOST_TEST(run(kDirect, direct) == 0);
  for (const char* names : kWinograd) {
    Array by_winograd[2];
    const int steps = run(names, by_winograd);
    BOOST_TEST((*names ? steps == threes : steps > threes / 2), names << ": " << steps);
    const double errors[] = {difference(by_winograd[0], direct[0]),
                             difference(by_winograd[1], direct[1])};
    BOOST_TEST_MESSAGE(fmt::format("{} by '{}', {} steps: {} {:.1e}, {} {:.1e}", architecture,
                                   names, steps, map, errors[0], logits, errors[1]));
    for (const double e : errors) {
      BOOST_TEST(e < 1e-4, architecture << " by '" << names << "'");
      BOOST_TEST(e > 0);  // other sums, other roundings
    }
  }
  // One image row shifted by a pixel is found out.
  std::rotate(image.f32().begin() + 100 * 224 * 3, image.f32().begin() + 100 * 224 * 3 + 3,
              image.f32().begin() + 101 * 224 * 3);
  Array shifted[2];
  run("", shifted);
  BOOST_TEST(difference(shifted[0], direct[0]) > 1e-4);
  BOOST_TEST(difference(shifted[1], direct[1]) > 1e-4);
}

}  // namespace

BOOST_AUTO_TEST_CASE(vgg16) { compare("vgg16", "block5_pool", 13); }
BOOST_AUTO_TEST_CASE(resnet50) { compare("resnet50", "conv5_block3_out", 16); }

// A training step of a network in which Winograd does all three passes.
BOOST_AUTO_TEST_CASE(gradients) {
  GraphBuilder b("residual");
  b.input({20, 22, 3});
  for (const int filters : {32, 48, 40}) {
    // Without bias, whose gradient before a batch normalization is nothing but rounding.
    b.add("Conv2D",
          {{"filters", filters}, {"kernel_size", 3}, {"padding", "same"}, {"use_bias", false}});
    b.add("BatchNormalization");
    b.add("Activation", {{"activation", "relu"}});
  }
  b.add("GlobalAveragePooling2D");
  b.add("Dense", {{"units", 10}});
  const auto network = make(b.finish());
  const Array image = noise({6, 20, 22, 3}, 1), seed = noise({6, 10}, 2);
  const auto run = [&](const char* names, int& steps) {
    const Algorithms forced(names);
    Execution e(*network, {.batch = 6, .training = true, .parameter_gradients = true});
    steps = count(e, "winograd") + count(e, "weights winograd");
    opencl::Queue& queue = world().device->compute();
    upload(queue, image, e.feed());
    e.forward();
    upload(queue, seed, e.seed());
    const Arenas gradients = Arenas::make(*world().device, network->layout(), "gradients");
    e.backward(&gradients);
    std::vector<Array> all;
    for (const Segment& s : network->layout().segments) {
      all.emplace_back(Shape{static_cast<int>(s.count)}, DType::f32);
      queue.read(gradients.buffers[s.arena], s.offset * sizeof(float), all.back().f32().data(),
                 s.count * sizeof(float));
    }
    return all;
  };
  int steps = 0;
  const std::vector<Array> direct = run(kDirect, steps);
  BOOST_TEST(steps == 0);
  for (const char* names : kWinograd) {
    if (!*names) continue;
    const std::vector<Array> by_winograd = run(names, steps);
    BOOST_TEST(steps >= 3 + 3, names << ": " << steps);
    for (size_t i = 0; i < direct.size(); ++i) {
      const double e = difference(by_winograd[i], direct[i]);
      BOOST_TEST(e < 1e-4, names << ": segment " << i << ": " << e);
    }
  }
}
