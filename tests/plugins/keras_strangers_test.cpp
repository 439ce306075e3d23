// Layers that Keras does not have: those of a plugin, and those that nobody supplies.
#include <boost/test/unit_test.hpp>
#include <cstdlib>

#include "core/temporary.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/replace.hpp"
#include "plugins/keras_outputs.hpp"

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

// For tests/fixtures/check_in_keras.py.
BOOST_AUTO_TEST_CASE(models_for_keras) {
  const char* to = std::getenv("OCELLUS_WRITE_MODELS");
  if (!to) {
    BOOST_TEST_MESSAGE("SKIPPED: OCELLUS_WRITE_MODELS names no folder");
    return;
  }
  fs::create_directories(to);
  SilentLog log;
  for (const fs::path& file : fixture_files({"strangers"})) {
    const std::string name = file.parent_path().filename().string() + "_strangers";
    for (const char* ending : {".h5", ".keras", ".weights.h5"})
      save_model(with_template(), open_quietly(with_template(), file),
                 (fs::path(to) / (name + ending)).string(), log);
    fs::copy_file(fs::path(file).replace_extension(".io.h5"), fs::path(to) / (name + ".io.h5"),
                  fs::copy_options::overwrite_existing);
  }
}
