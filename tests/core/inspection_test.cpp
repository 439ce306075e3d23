// What a summary knows: against the Network where the model runs, and by hand where a layer is
// missing.
#include "ocellus/core/inspection.hpp"

#include <boost/test/unit_test.hpp>

#include "core/temporary.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/graph_builder.hpp"
#include "ocellus/core/model.hpp"

using namespace ocellus;

namespace {

const Registry& registry() {
  static const auto r = [] {
    auto registry = std::make_unique<Registry>();
    registry->load_default();
    return registry;
  }();
  return *r;
}

const LayerRow& row(const Inspection& i, const std::string& name) {
  for (const LayerRow& r : i.layers)
    if (r.name == name) return r;
  throw Error("no row " + name);
}

// conv -> layer of the given type -> conv -> global pooling -> dense, with a branch round the type.
ModelDocument branched(const std::string& type) {
  GraphBuilder b("branched");
  const TensorRef x = b.input({8, 6, 3}, "x");
  b.add("Conv2D", {{"filters", 4}, {"kernel_size", 3}, {"padding", "same"}, {"activation", "relu"}},
        "first");
  const TensorRef stem = b.last();
  b.add(type, {}, "odd");
  const TensorRef odd = b.last();
  b.add("Conv2D", {{"filters", 4}, {"kernel_size", 1}}, {stem}, "side");
  b.add("Add", {}, {odd, b.last()}, "sum");
  b.add("GlobalAveragePooling2D", {}, "pool");
  b.add("Dense", {{"units", 2}, {"activation", "softmax"}}, "out");
  ModelDocument d;
  d.graph = b.finish();
  return d;
}

WeightsRecord weights(const std::string& layer,
                      const std::vector<std::pair<std::string, Shape>>& values) {
  WeightsRecord r;
  r.layer = layer;
  for (const auto& [name, shape] : values) {
    r.names.push_back(name);
    r.values.emplace_back(shape, DType::f32);
  }
  return r;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_model_that_runs_is_described_as_its_network) {
  const ModelDocument d = branched("ReLU");
  const Network network(registry(), d.graph);
  const auto fields = receptive_fields(network);
  const Inspection i = inspect(registry(), d);
  BOOST_TEST(i.refusal == "");
  BOOST_TEST(static_cast<int>(i.code) == 0);
  BOOST_TEST(i.parameters == network.parameter_count());
  BOOST_TEST(i.multiply_adds == network.multiply_adds());
  BOOST_TEST(i.depth == 3);
  BOOST_TEST(i.layers.size() == d.graph.layers.size());
  for (const LayerRow& r : i.layers) {
    const int node = network.tensor(r.name).node;
    BOOST_TEST((r.shape.value() == network.nodes()[node].outputs[0]), r.name);
    BOOST_TEST(r.field.value().global == fields[node].global);
    if (!r.field->global)
      BOOST_TEST((r.field->h == fields[node].h && r.field->w == fields[node].w));
    BOOST_TEST(r.problem == "");
  }
  BOOST_TEST(
      (row(i, "first").weights == std::vector<std::string>{"kernel (3, 3, 3, 4)", "bias (4)"}));
  BOOST_TEST((i.inputs.at(0).value() == Shape{1, 8, 6, 3}));
  BOOST_TEST((i.outputs.at(0).value() == Shape{1, 2}));
}

BOOST_AUTO_TEST_CASE(a_missing_layer_is_named_and_the_rest_is_shown) {
  ModelDocument d = branched("Hologram");
  d.weights = {weights("first", {{"kernel", {3, 3, 3, 4}}, {"bias", {4}}}),
               weights("odd", {{"kernel", {5, 7}}, {"offset", {7}}}),
               weights("side", {{"kernel", {1, 1, 4, 4}}, {"bias", {4}}}),
               weights("out", {{"kernel", {4, 2}}, {"bias", {2}}})};
  const Inspection i = inspect(registry(), d);
  BOOST_TEST(static_cast<int>(i.code) == static_cast<int>(ExitCode::plugin));
  BOOST_TEST(i.refusal.find("Hologram") != std::string::npos);
  BOOST_TEST(row(i, "odd").problem.find("Hologram") != std::string::npos);
  BOOST_TEST(!row(i, "odd").shape.has_value());
  BOOST_TEST(row(i, "odd").parameters == 42);
  // What does not depend on it is planned as ever.
  BOOST_TEST((row(i, "side").shape.value() == Shape{1, 8, 6, 4}));
  BOOST_TEST(row(i, "side").field.value().h.size == 3);
  BOOST_TEST(row(i, "side").multiply_adds.value() == 8 * 6 * 16);
  // What does is not, but is no problem of its own.
  for (const char* name : {"sum", "pool", "out"}) {
    BOOST_TEST(!row(i, name).shape.has_value(), name);
    BOOST_TEST(!row(i, name).multiply_adds.has_value(), name);
    BOOST_TEST(row(i, name).problem == "", name);
  }
  BOOST_TEST(row(i, "out").parameters == 10);
  BOOST_TEST(i.parameters == 112 + 42 + 20 + 10);
  BOOST_TEST(i.depth == 3);  // first, odd (its kernel is in the file), out
  BOOST_TEST(!i.outputs.at(0).has_value());
}

BOOST_AUTO_TEST_CASE(each_missing_class_is_found_behind_the_first) {
  GraphBuilder b;
  b.input({4, 4, 1});
  b.add("Hologram", {}, "h");
  b.add("Mirage", {}, "m");
  ModelDocument d;
  d.graph = b.finish();
  const Inspection i = inspect(registry(), d);
  BOOST_TEST(row(i, "h").problem.find("Hologram") != std::string::npos);
  BOOST_TEST(row(i, "m").problem.find("Mirage") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(weights_that_do_not_fit_are_the_layers_problem) {
  ModelDocument d = branched("ReLU");
  d.weights = {weights("first", {{"kernel", {3, 3, 3, 5}}, {"bias", {4}}}),
               weights("side", {{"kernel", {1, 1, 4, 4}}, {"bias", {4}}}),
               weights("out", {{"kernel", {4, 2}}, {"bias", {2}}})};
  const Inspection i = inspect(registry(), d);
  BOOST_TEST(static_cast<int>(i.code) == static_cast<int>(ExitCode::data));
  BOOST_TEST(row(i, "first").problem.find("kernel (3, 3, 3, 5)") != std::string::npos);
  BOOST_TEST(row(i, "side").problem == "");
  BOOST_CHECK_EXCEPTION(Network(registry(), d), DataError, test::says("first"));
}

BOOST_AUTO_TEST_CASE(a_shared_layer_counts_its_weights_once_and_its_work_twice) {
  GraphBuilder b;
  const TensorRef x = b.input({5, 5, 2}, "x");
  const TensorRef y = b.add("Conv2D", {{"filters", 2}, {"kernel_size", 1}}, {x}, "shared");
  b.record().calls.push_back({y});
  ModelDocument d;
  d.graph = b.finish({{"shared", 1}});
  const Inspection i = inspect(registry(), d);
  BOOST_TEST(i.refusal == "");
  BOOST_TEST(row(i, "shared").parameters == 6);
  BOOST_TEST(row(i, "shared").multiply_adds.value() == 2 * 25 * 4);
  BOOST_TEST(i.depth == 2);
}

BOOST_AUTO_TEST_CASE(an_open_input_is_shown_as_such) {
  GraphBuilder b;
  b.input({-1, -1, 3}, "x");
  b.add("ReLU", {}, "a");
  ModelDocument d;
  d.graph = b.finish();
  const Inspection i = inspect(registry(), d);
  BOOST_TEST(row(i, "x").open_shape == (std::vector<int>{-1, -1, 3}),
             boost::test_tools::per_element());
  BOOST_TEST(!row(i, "a").shape.has_value());
  BOOST_TEST(i.refusal.find("--input-shape") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_cycle_ends) {
  GraphBuilder b;
  b.input({5, 5, 2}, "x");
  b.add("ReLU", {}, "a");
  ModelDocument d;
  d.graph = b.finish();
  d.graph.layers.back().calls = {{{"a"}}};
  const Inspection i = inspect(registry(), d);
  BOOST_TEST(static_cast<int>(i.code) == static_cast<int>(ExitCode::usage));
  BOOST_TEST(!row(i, "a").shape.has_value());
}
