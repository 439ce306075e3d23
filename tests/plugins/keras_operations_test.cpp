// Models of Keras with operations between their layers, with several inputs and outputs, and models
// in models: what we compute against what Keras computed, and the same after a round trip.
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>
#include <set>

#include "core/temporary.hpp"
#include "ocellus/core/error.hpp"
#include "plugins/models_for_keras.hpp"

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

// Every operation that no layer of Keras computes, and those that some layers together do.
std::vector<std::string> operation_lines() {
  std::vector<std::string> lines;
  const auto add = [&](const std::string& type, const std::string& parameters,
                       const std::string& inputs = "\"x\"") {
    lines.push_back("[\"" + type + "\", {" + parameters + (parameters.empty() ? "" : ", ") +
                    "\"name\": \"op_" + std::to_string(lines.size()) + "\", \"inputs\": [" +
                    inputs + "]}]");
  };
  for (const char* f :
       {"abs", "ceil", "cos", "erf", "exp", "expm1", "floor", "log", "log1p", "negative",
        "reciprocal", "round", "rsqrt", "sign", "sin", "sqrt", "square"})
    add("UnaryOperation", "\"operation\": \"" + std::string(f) + "\"");
  for (const char* f : {"add", "subtract", "reverse_subtract", "multiply", "divide",
                        "reverse_divide", "power", "reverse_power", "maximum", "minimum"})
    for (const char* value : {"0.75", "2", "[0.5, 1.25, 2]"})
      add("ConstantOperation", "\"operation\": \"" + std::string(f) + "\", \"value\": " + value);
  for (const char* type : {"ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin"})
    for (const char* axes : {"[1]", "[3]", "[1, 2]", "[1, 2, 3]"})
      for (const char* keep : {"false", "true"})
        if (std::string(axes) != "[1, 2, 3]" || std::string(keep) == "true")
          add(type, std::string("\"axes\": ") + axes + ", \"keepdims\": " + keep);
  add("Divide", "", "\"x\", \"op_0\"");
  add("Slice", R"("begin": [1, null, null], "end": [4, -1, 2], "stride": [2, 1, null])");
  add("Slice", R"("begin": [null, null, 2], "end": [null, null, null], "stride": [null, -1, -1])");
  add("Slice", R"("begin": [2, null, 1], "end": [3, null, 2], "stride": [], "squeeze": [1, 3])");
  return lines;
}

ModelDocument model_of_operations(const fs::path& folder) {
  std::string layers, outputs;
  const auto lines = operation_lines();
  for (size_t i = 0; i < lines.size(); ++i) {
    layers += (i ? ",\n" : "") + lines[i];
    outputs += (i ? ", \"op_" : "\"op_") + std::to_string(i) + "\"";
  }
  const fs::path file = folder / "operations.json";
  std::ofstream(file) << R"({"name": "operations", "inputs": {"x": [5, 4, 3]}, "layers": [)"
                      << layers << "], \"outputs\": [" << outputs << "]}";
  return open_quietly(world().registry, file);
}

// Above 0, where all of them are defined.
Array operands() {
  Array x(Shape({2, 5, 4, 3}), DType::f32);
  for (int64_t i = 0; i < x.elements(); ++i)
    x.f32()[static_cast<size_t>(i)] = 0.1f + 0.0177f * static_cast<float>((i * 37) % 120);
  return x;
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
        save_model(world().registry, d, (dir / "model.keras").string(), log);
        for (const char* saved : {"model.h5", "model.keras"}) {
          const ModelDocument e = open_quietly(world().registry, dir / saved);
          BOOST_TEST(description(d.graph) == description(e.graph),
                     boost::test_tools::per_element());
          check_outputs(world().registry, e, file);
        }
      }
    }
}

// Each operation by itself, in both files: what is read again computes the same.
BOOST_AUTO_TEST_CASE(every_operation_is_written) {
  TemporaryDirectory dir;
  const ModelDocument d = model_of_operations(dir.path());
  const std::vector<Array> x = {operands()}, y = predict_all(world().registry, d, x);
  for (const char* saved : {"model.h5", "model.keras"}) {
    Lines log;
    save_model(world().registry, d, (dir / saved).string(), log);
    BOOST_REQUIRE_EQUAL(log.warnings.size(), 1u);
    const bool archive = fs::path(saved).extension() == ".keras";
    const std::string by = archive ? "Keras 3 opens the file" : "tf.keras opens the file";
    BOOST_TEST(log.warnings[0].find(by) != std::string::npos, log.warnings[0]);
    const std::vector<Array> again =
        predict_all(world().registry, open_quietly(world().registry, dir / saved), x);
    BOOST_REQUIRE_EQUAL(y.size(), again.size());
    for (size_t i = 0; i < y.size(); ++i) BOOST_TEST_CONTEXT(saved << " " << operation_lines()[i])
    check_close(again[i], y[i], 1e-6);
  }
}

// What a few layers of Keras say together needs no operation, and is read as one layer again.
BOOST_AUTO_TEST_CASE(layers_of_keras_say_it) {
  TemporaryDirectory dir;
  const fs::path file = dir / "simple.json";
  std::ofstream(file) << R"({"input": [5, 4, 3], "layers": [
    ["UnaryOperation", {"operation": "abs", "name": "positive"}],
    ["ConstantOperation", {"operation": "maximum", "value": 0.25, "name": "low"}],
    ["ConstantOperation", {"operation": "minimum", "value": [0.5, 0.75, 1], "name": "high"}],
    ["Slice", {"begin": [null, null, 2], "end": [], "stride": [null, null, -1], "name": "bgr"}]]})";
  const ModelDocument d = open_quietly(world().registry, file);
  for (const char* saved : {"model.h5", "model.keras"}) {
    Lines log;
    save_model(world().registry, d, (dir / saved).string(), log);
    BOOST_TEST(log.warnings.empty(), (log.warnings.empty() ? "" : log.warnings.front()));
    const ModelDocument e = open_quietly(world().registry, dir / saved);
    BOOST_TEST(description(d.graph) == description(e.graph), boost::test_tools::per_element());
    BOOST_TEST(layer(e.graph, "high").parameters.at("value").dump() == "[0.5,0.75,1.0]");
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
                             "Cropping2D", "MaxPooling2D", "ZeroPadding2D"})
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
  const auto out = ModelsForKeras::wanted();
  if (!out) return;
  for (const auto& names : {portable, others})
    for (const fs::path& file : fixture_files(names)) {
      const std::string name = file.parent_path().filename().string() + "_" + file.stem().string();
      out->model(world().registry, open_quietly(world().registry, file), name, {".h5", ".keras"});
      out->values_of_keras(name, file);
    }
  TemporaryDirectory dir;
  const ModelDocument d = model_of_operations(dir.path());
  out->model(world().registry, d, "operations", {".h5", ".keras"});
  out->values("operations", {operands()}, predict_all(world().registry, d, {operands()}));
}
