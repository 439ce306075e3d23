// Layers that Keras does not have: those of a plugin, and those that nobody supplies.
#include <boost/test/unit_test.hpp>
#include <cstdlib>

#include "core/temporary.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/replace.hpp"
#include "plugins/models_for_keras.hpp"

using namespace ocellus;
using namespace ocellus::test;

namespace {

// With the plugin template loaded beside the plugins that ship.
const Registry& with_template() {
  static Registry registry;
  static const bool loaded = (registry.load_default({OCELLUS_TEMPLATE_PLUGIN}), true);
  (void)loaded;
  return registry;
}

const LayerRecord& layer(const GraphRecord& g, const std::string& name) {
  for (const LayerRecord& l : g.layers)
    if (l.name == name) return l;
  BOOST_FAIL("no layer " << name);
  std::abort();
}

bool says(const std::exception& e, const std::string& part) { return holds(e.what(), part); }

}  // namespace

BOOST_AUTO_TEST_CASE(a_plugin_stands_for_a_registered_class_of_keras) {
  TemporaryDirectory dir;
  for (const fs::path& file : fixture_files({"strangers"})) {
    BOOST_TEST_CONTEXT(file) {
      const ModelDocument d = open_quietly(with_template(), file);
      BOOST_TEST(layer(d.graph, "gain").type == "ChannelGain");
      BOOST_TEST(layer(d.graph, "gain").parameters.at("offset").as_double() == 0.25);
      BOOST_TEST(layer(d.graph, "inner/inner_gain").type == "ChannelGain");
      check_outputs(with_template(), d, file);
      // Saved under the name that Keras knows it by.
      SilentLog log;
      save_model(with_template(), d, (dir / "model.h5").string(), log);
      const std::string config = H5Reader(dir / "model.h5").text("/", "model_config", "");
      BOOST_TEST(config.find("\"my_plugin>ChannelGain\"") != std::string::npos);
      const ModelDocument e = open_quietly(with_template(), dir / "model.h5");
      BOOST_TEST(layer(e.graph, "inner/inner_gain").type == "ChannelGain");
      check_outputs(with_template(), e, file);
    }
  }
}

// In archives Keras tells class and registered name apart, and groups weights by the class.
BOOST_AUTO_TEST_CASE(a_plugin_stands_for_it_in_archives_too) {
  TemporaryDirectory dir;
  const fs::path io = fixtures / "keras3" / "strangers.h5",
                 file = fixtures / "keras3" / "containers" / "strangers.keras";
  const ModelDocument d = open_quietly(with_template(), file);
  BOOST_TEST(layer(d.graph, "inner/inner_gain").type == "ChannelGain");
  check_outputs(with_template(), d, io);
  SilentLog log;
  save_model(with_template(), d, (dir / "model.keras").string(), log);
  check_outputs(with_template(), open_quietly(with_template(), dir / "model.keras"), io);
}

// Without the plugin the model opens; the network says what is missing.
BOOST_AUTO_TEST_CASE(a_layer_of_nobody_is_named_with_its_weights) {
  for (const fs::path& file : fixture_files({"strangers"})) {
    const ModelDocument d = open_quietly(world().registry, file);
    BOOST_TEST(d.graph.layers.size() == 8u);
    BOOST_CHECK_EXCEPTION(Network(world().registry, d), PluginError, [](const PluginError& e) {
      return says(e, "'gain'") && says(e, "my_plugin>ChannelGain") && says(e, "gain (3)") &&
             says(e, "registers a layer 'ChannelGain'") && says(e, "writing-a-plugin.md");
    });
  }
}

BOOST_AUTO_TEST_CASE(a_lambda_is_refused_until_it_is_replaced) {
  for (const fs::path& file : fixture_files({"with_lambda"})) {
    ModelDocument d = open_quietly(world().registry, file);
    BOOST_TEST(layer(d.graph, "lambda_1").type == "Lambda");
    BOOST_CHECK_EXCEPTION(Network(world().registry, d), PluginError, [](const PluginError& e) {
      return says(e, "lambda_1") && says(e, "never executed") &&
             says(e, "--replace 'lambda_1=Rescaling(scale=1/255)'");
    });
    replace_layer(world().registry, d, "lambda_1=Rescaling(scale=1/255)");
    check_outputs(world().registry, d, file);
  }
}

// What Keras has and Ocellus leaves out on purpose: the reason is told, and a way out.
BOOST_AUTO_TEST_CASE(what_is_left_out_says_why) {
  const GraphRecord masked = graph({{"Input", "in", R"({"shape": [7, 3]})", {}},
                                    {"Masking", "skip", R"({"mask_value": 0.0})", {"in"}},
                                    {"Flatten", "flat", "{}", {"skip"}}},
                                   {"flat"});
  BOOST_CHECK_EXCEPTION(Network(world().registry, masked), PluginError, [](const PluginError& e) {
    return says(e, "'skip' is a Masking") && says(e, "loss") &&
           says(e, "--replace 'skip=Activation(activation=linear)'");
  });
  ModelDocument d;
  d.graph = masked;
  replace_layer(world().registry, d, "skip=Activation(activation=linear)");
  BOOST_CHECK_NO_THROW(Network(world().registry, d));
  const GraphRecord sparse =
      graph({{"Input", "in", R"({"shape": [5]})", {}},
             {"Dense", "top", R"({"units": 3, "activation": "sparsemax"})", {"in"}}},
            {"top"});
  BOOST_CHECK_EXCEPTION(Network(world().registry, sparse), PluginError, [](const PluginError& e) {
    return says(e, "'top'") && says(e, "sparsemax") && says(e, "do not add up to 1");
  });
}

// For tests/fixtures/check_in_keras.py.
BOOST_AUTO_TEST_CASE(models_for_keras) {
  const auto out = ModelsForKeras::wanted();
  if (!out) return;
  for (const fs::path& file : fixture_files({"strangers"})) {
    const std::string name = file.parent_path().filename().string() + "_strangers";
    out->model(with_template(), open_quietly(with_template(), file), name,
               {".h5", ".keras", ".weights.h5"});
    out->values_of_keras(name, file);
  }
}
