// The weights of one file for the layers of another model.
#include <algorithm>

#include "ocellus/core/error.hpp"
#include "ocellus/core/file.hpp"
#include "plugins/keras_testing.hpp"

using namespace ocellus;
using namespace ocellus::test;

namespace {

ModelDocument open_with(const fs::path& model, const fs::path& weights, WeightsMatching matching,
                        Log& log) {
  return open_model(
      world().registry,
      {.address = model.string(), .weights = weights.string(), .matching = matching, .trust = true},
      log);
}

// Whether a model that has the weights of `weights` computes what Keras computed beside it.
void check_outputs(const fs::path& model, const fs::path& weights, const fs::path& io,
                   WeightsMatching matching = {}) {
  BOOST_TEST_CONTEXT(weights << " for " << model) {
    Lines log;
    const ModelDocument d = open_with(model, weights, matching, log);
    BOOST_TEST(log.warnings.empty(), (log.warnings.empty() ? "" : log.warnings.front()));
    const H5Reader file(io);
    check_close(predict(d, file.read("/input")), file.read("/output"), 1e-5);
  }
}

const fs::path containers2 = fixtures / "keras2" / "containers";

// A copy of a fixture's model whose last layer has one unit more.
fs::path with_another_top(const TemporaryDirectory& dir, const fs::path& file) {
  ModelDocument d = open(file);
  LayerRecord& last = d.graph.layers.back();
  last.parameters["units"] = last.parameters.at("units").as_int() + 1;
  d.weights.clear();
  d.optimizer.reset();
  SilentLog log;
  const fs::path to = dir / "another_top.h5";
  save_model(world().registry, d, to.string(), log);
  return to;
}

}  // namespace

BOOST_AUTO_TEST_CASE(files_of_weights_only) {
  for (const char* name : {"functional_residual", "nested", "functional_nested", "adam"})
    for (const std::string& version : versions)
      check_outputs(fixtures / version / (std::string(name) + ".h5"),
                    containers2 / (std::string(name) + ".legacy.h5"),
                    containers2 / (std::string(name) + ".io.h5"));
  // Layers of these were named by hand.
  for (const char* name : {"nested", "adam"})
    check_outputs(fixtures / "keras3" / (std::string(name) + ".h5"),
                  containers2 / (std::string(name) + ".legacy.h5"),
                  containers2 / (std::string(name) + ".io.h5"), {.by_name = true});
}

BOOST_AUTO_TEST_CASE(whole_models_give_their_weights) {
  TemporaryDirectory dir;
  for (const auto& names : {inference_models, trained_models})
    for (const std::string& name : names) {
      const fs::path from = fixtures / "keras3" / (name + ".h5"),
                     io = fixtures / "keras3" / (name + ".io.h5"),
                     to = fixtures / "keras2" / (name + ".h5"), ours = dir / "ours.h5";
      check_outputs(to, from, io);
      // As we write it: flat, with Keras' order of layers.
      SilentLog log;
      save_model(world().registry, open(from), ours.string(), log);
      check_outputs(to, ours, io);
    }
}

BOOST_AUTO_TEST_CASE(the_model_keeps_its_optimizer_but_not_its_state) {
  SilentLog log;
  const ModelDocument d =
      open_with(fixtures / "keras3" / "adam.h5", containers2 / "adam.legacy.h5", {}, log);
  BOOST_REQUIRE(d.optimizer);
  BOOST_TEST(d.optimizer->type == "Adam");
  BOOST_TEST(d.optimizer->iteration == 0);
  BOOST_TEST(d.optimizer->slots.empty());
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_refused_or_left_out) {
  TemporaryDirectory dir;
  const fs::path weights = containers2 / "adam.legacy.h5",
                 model = with_another_top(dir, fixtures / "keras3" / "adam.h5");
  Lines log;
  const auto names_both = [](const DataError& e) {
    return holds(e.what(), "scores") && holds(e.what(), "kernel") && holds(e.what(), ", 3)") &&
           holds(e.what(), ", 4)");
  };
  BOOST_CHECK_EXCEPTION(open_with(model, weights, {}, log), DataError, names_both);
  BOOST_CHECK_EXCEPTION(open_with(model, weights, {.by_name = true}, log), DataError, names_both);
  for (const bool by_name : {false, true}) {
    log.warnings.clear();
    ModelDocument d = open_with(model, weights, {.by_name = by_name, .skip_mismatch = true}, log);
    BOOST_REQUIRE_EQUAL(log.warnings.size(), 2u);
    BOOST_TEST((holds(log.warnings[0], "scores") && holds(log.warnings[0], "left out")));
    BOOST_TEST((holds(log.warnings[1], "scores") && holds(log.warnings[1], "initializers")));
    // What was left out is initialized, the rest is the file's.
    Network n(world().registry, d);
    n.place(world().device, 3);
    const H5Reader file(weights);
    for (const WeightsRecord& r : n.read_weights()) {
      if (r.layer == "conv") BOOST_TEST(same_bits(r.values[0], file.read("/conv/conv/kernel:0")));
      if (r.layer != "scores") continue;
      BOOST_TEST(std::any_of(r.values[0].f32().begin(), r.values[0].f32().end(),
                             [](float v) { return v != 0; }));
    }
  }
}

BOOST_AUTO_TEST_CASE(another_number_of_layers_is_refused) {
  Lines log;
  const auto counts = [](const DataError& e) {
    return holds(e.what(), "5 layers") && holds(e.what(), "3 with weights");
  };
  BOOST_CHECK_EXCEPTION(open_with(fixtures / "keras3" / "adam.h5",
                                  containers2 / "functional_residual.legacy.h5", {}, log),
                        DataError, counts);
  const auto no_names = [](const DataError& e) { return holds(e.what(), "no layer"); };
  BOOST_CHECK_EXCEPTION(
      open_with(fixtures / "keras3" / "adam.h5", containers2 / "functional_residual.legacy.h5",
                {.by_name = true}, log),
      DataError, no_names);
  // Weights alone are no model.
  const auto asks_for_model = [](const DataError& e) { return holds(e.what(), "name the model"); };
  BOOST_CHECK_EXCEPTION(open(containers2 / "adam.legacy.h5"), DataError, asks_for_model);
}

BOOST_AUTO_TEST_CASE(names_with_a_slash) {
  // Keras 2 called DenseNet's first layers "conv1/conv" and "conv1/bn", Keras 3 "conv1_conv" and
  // "conv1_bn".
  TemporaryDirectory dir;
  const Array kernel(Shape{1, 1, 1, 2}, std::vector<float>{3, 4});
  const fs::path weights = dir / "old.h5", model = dir / "new.json";
  H5Writer::write(weights, [&](H5Writer& h5) {
    h5.attribute("/", "layer_names", std::vector<std::string>{"conv1/conv", "conv2/conv"});
    for (const char* layer : {"/conv1/conv", "/conv2/conv"}) {
      h5.group(layer);
      h5.attribute(layer, "weight_names", std::vector<std::string>{"kernel:0"});
      h5.dataset(std::string(layer) + "/kernel:0", kernel);
    }
  });
  write_atomically(model, std::string_view(R"({"input": [2, 2, 1], "layers": [
    ["Conv2D", {"filters": 2, "kernel_size": 1, "use_bias": false, "name": "conv1_conv"}]]})"));
  Lines log;
  const ModelDocument d = open_with(model, weights, {.by_name = true}, log);
  BOOST_REQUIRE_EQUAL(d.weights.size(), 1u);
  BOOST_TEST(same_bits(d.weights[0].values[0], kernel));
}
