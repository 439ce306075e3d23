#pragma once

#include <boost/test/unit_test.hpp>

#include "core/networks.hpp"
#include "core/synthetic_data.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/graph_builder.hpp"
#include "ocellus/core/trainer.hpp"

/// What the tests of training share: a small network, how it is trained, and nobody who watches.
namespace ocellus::test {

/// Convolution, batch normalization (states), dropout (randomness) and a short last batch:
/// everything that resuming could lose.
inline std::unique_ptr<Network> small_cnn(uint64_t seed = 5) {
  GraphBuilder b("small");
  b.input({8, 8, 1});
  b.add("Conv2D", {{"filters", 6}, {"kernel_size", 3}, {"padding", "same"}});
  b.add("BatchNormalization");
  b.add("Activation", {{"activation", "relu"}});
  b.add("MaxPooling2D");
  b.add("Flatten");
  b.add("Dropout", {{"rate", 0.2}});
  b.add("Dense", {{"units", 4}, {"activation", "softmax"}});
  auto n = std::make_unique<Network>(world().registry, b.finish());
  n->preprocessing = Preprocessing::named("unit");
  n->place(world().device, seed);
  return n;
}

inline TrainingOptions small_options() {
  TrainingOptions o;
  o.epochs = 3;
  o.batch = 32;
  o.optimizer = "Adam";
  o.optimizer_parameters["learning_rate"] = 0.01;
  o.augmenters = {
      {"RandomTranslation",
       Json::parse(R"({"height_factor": 0.05, "width_factor": 0.05, "fill_mode": "nearest"})",
                   "test")}};
  return o;
}

inline void check_same_bits(const Network& a, const Network& b) {
  const auto x = a.read_weights(), y = b.read_weights();
  BOOST_REQUIRE_EQUAL(x.size(), y.size());
  for (size_t l = 0; l < x.size(); ++l)
    for (size_t i = 0; i < x[l].values.size(); ++i)
      BOOST_CHECK_MESSAGE(std::ranges::equal(x[l].values[i].bytes(), y[l].values[i].bytes()),
                          x[l].layer << "/" << x[l].names[i] << " differs");
}

inline SilentProgress silent;
inline SilentLog quiet;

}  // namespace ocellus::test
