// Models of Keras with operations between their layers, with several inputs and outputs, and models
// in models: what we compute against what Keras computed, and the same after a round trip.
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <set>

#include "core/temporary.hpp"
#include "ocellus/core/error.hpp"
#include "plugins/keras_outputs.hpp"

using namespace ocellus;
using namespace ocellus::test;

namespace {

// Those whose layers Keras has too, so that it opens what we save.
const std::vector<std::string> portable = {"tf_and_torch_preprocessing", "several", "deep"};
const std::vector<std::string> others = {
    "caffe_preprocessing", "constants",     "functions", "shaping", "resizing",
    "shared_operations",   "raw_operations"};

// What a graph computes and how it is named and trained, as text.
std::set<std::string> description(const GraphRecord& g) {
  std::set<std::string> lines;
  for (const LayerRecord& l : g.layers) {
    std::string line = l.name + " " + l.type + (l.trainable ? "" : " frozen") + " <-";
    for (const auto& call : l.calls) {
      line += " (";
      for (const TensorRef& t : call)
        line += " " + t.layer + ":" + std::to_string(t.call) + ":" + std::to_string(t.output);
      line += " )";
    }
    lines.insert(line);
  }
  for (const ScopeRecord& s : g.scopes)
    lines.insert("scope " + s.path + (s.sequential ? " sequential" : "") +
                 (s.trainable ? "" : " frozen"));
  return lines;
}

const LayerRecord& layer(const GraphRecord& g, const std::string& name) {
  for (const LayerRecord& l : g.layers)
    if (l.name == name) return l;
  BOOST_FAIL("no layer " << name);
  std::abort();
}

}  // namespace

BOOST_AUTO_TEST_CASE(outputs_equal_those_of_keras) {
  for (const auto& names : {portable, others})
    for (const fs::path& file : fixture_files(names)) BOOST_TEST_CONTEXT(file) {
        check_outputs(world().registry, open_quietly(world().registry, file), file);
      }
}

BOOST_AUTO_TEST_CASE(written_and_reopened_is_the_same) {
  TemporaryDirectory dir;
  for (const auto& names : {portable, others})
    for (const fs::path& file : fixture_files(names)) {
      BOOST_TEST_CONTEXT(file) {
        const ModelDocument d = open_quietly(world().registry, file);
        Lines log;
        save_model(world().registry, d, (dir / "model.h5").string(), log);
        const bool is_portable =
            std::find(portable.begin(), portable.end(), file.stem()) != portable.end();
        if (is_portable)
          BOOST_TEST(log.warnings.empty(), (log.warnings.empty() ? "" : log.warnings.front()));
        const ModelDocument e = open_quietly(world().registry, dir / "model.h5");
        BOOST_TEST(description(d.graph) == description(e.graph), boost::test_tools::per_element());
        check_outputs(world().registry, e, file);
      }
    }
}

// Keras 2 turns channels round by a slice, Keras 3 by picking and stacking them: the same layer.
BOOST_AUTO_TEST_CASE(channel_order_is_one_slice) {
  for (const fs::path& file : fixture_files({"caffe_preprocessing"})) {
    const GraphRecord g = open_quietly(world().registry, file).graph;
    BOOST_TEST(g.layers.size() == 6u, file);
    BOOST_TEST(g.layers.at(1).type == "Slice", file);
    BOOST_TEST(g.layers.at(2).type == "Rescaling", file);
  }
}

BOOST_AUTO_TEST_CASE(operations_become_layers_of_keras) {
  for (const fs::path& file : fixture_files({"functions", "shaping"})) {
    std::multiset<std::string> types;
    for (const LayerRecord& l : open_quietly(world().registry, file).graph.layers)
      types.insert(l.type);
    const bool functions = file.stem() == "functions";
    for (const char* type : {"Add", "Subtract", "Multiply", "Maximum", "Minimum", "ReLU", "Softmax",
                             "LeakyReLU", "Rescaling", "Concatenate"})
      if (functions && std::string(type) != "Softmax") BOOST_TEST(types.count(type) > 0u, type);
    for (const char* type : {"GlobalAveragePooling2D", "GlobalMaxPooling2D", "Permute", "Reshape",
                             "Cropping2D", "ZeroPadding2D"})
      if (!functions) BOOST_TEST(types.count(type) > 0u, type);
  }
}

BOOST_AUTO_TEST_CASE(nesting_and_sharing_are_kept) {
  for (const fs::path& file : fixture_files({"several"})) {
    const GraphRecord g = open_quietly(world().registry, file).graph;
    BOOST_TEST(g.inputs.size() == 2u);
    BOOST_TEST(g.outputs.size() == 3u);
    BOOST_TEST(layer(g, "pair/inner_conv").calls.size() == 2u);
    BOOST_TEST(layer(g, "to_three").calls.size() == 2u);
    BOOST_TEST(layer(g, "head/dense").calls.size() == 2u);
  }
  for (const fs::path& file : fixture_files({"deep"})) {
    const GraphRecord g = open_quietly(world().registry, file).graph;
    BOOST_TEST(layer(g, "sequential_1/wrapped/model1/bn_Conv1").calls.size() == 1u);
    for (const ScopeRecord& s : g.scopes)
      BOOST_TEST(s.trainable == (s.path != "sequential_1/wrapped/model1"), s.path);
  }
}

// An operation that nobody computes: the model opens, its name and the reason are told, and the
// network refuses it.
BOOST_AUTO_TEST_CASE(what_no_layer_computes_is_named) {
  TemporaryDirectory dir;
  const fs::path file = fixtures / "keras2" / "functions.h5", changed = dir / "changed.h5";
  const H5Reader in(file);
  std::string config = in.text("/", "model_config", "");
  const std::string from = "\"math.exp\"", to = "\"math.digamma\"";
  const size_t at = config.find(from);
  BOOST_REQUIRE(at != std::string::npos);
  config.replace(at, from.size(), to);
  H5Writer::write(changed, [&](H5Writer& out) { out.attribute("/", "model_config", config); });
  Lines log;
  const ModelDocument d =
      open_model(world().registry, {.address = changed.string(), .trust = true}, log);
  BOOST_REQUIRE_EQUAL(log.warnings.size(), 1u);
  BOOST_TEST(log.warnings[0].find("tf.math.exp") != std::string::npos, log.warnings[0]);
  BOOST_TEST(log.warnings[0].find("math.digamma") != std::string::npos, log.warnings[0]);
  BOOST_CHECK_EXCEPTION(Network(world().registry, d), PluginError, [](const PluginError& e) {
    return std::string(e.what()).find("math.digamma") != std::string::npos;
  });
}

// For tests/fixtures/check_in_keras.py: these models as we write them, with what Keras computed.
BOOST_AUTO_TEST_CASE(models_for_keras) {
  const char* to = std::getenv("OCELLUS_WRITE_MODELS");
  if (!to) {
    BOOST_TEST_MESSAGE("SKIPPED: OCELLUS_WRITE_MODELS names no folder");
    return;
  }
  fs::create_directories(to);
  Lines log;
  for (const auto& names : {portable, others})
    for (const fs::path& file : fixture_files(names)) {
      const std::string name = file.parent_path().filename().string() + "_" + file.stem().string();
      save_model(world().registry, open_quietly(world().registry, file),
                 (fs::path(to) / (name + ".h5")).string(), log);
      fs::copy_file(fs::path(file).replace_extension(".io.h5"), fs::path(to) / (name + ".io.h5"),
                    fs::copy_options::overwrite_existing);
    }
}
