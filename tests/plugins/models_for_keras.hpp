#pragma once

// Models for tests/fixtures/check_in_keras.py: as Ocellus writes them, with what it computes.
#include <optional>

#include "plugins/keras_testing.hpp"

namespace ocellus::test {

class ModelsForKeras {
 public:
  /// Into the folder that OCELLUS_WRITE_MODELS names. Without it the test is skipped.
  static std::optional<ModelsForKeras> wanted() {
    if (const char* folder = std::getenv("OCELLUS_WRITE_MODELS")) return ModelsForKeras(folder);
    BOOST_TEST_MESSAGE("SKIPPED: OCELLUS_WRITE_MODELS names no folder");
    return std::nullopt;
  }

  void model(const Registry& registry, const ModelDocument& document, const std::string& name,
             const std::vector<std::string>& endings) const {
    SilentLog log;
    for (const std::string& ending : endings)
      save_model(registry, document, (folder_ / (name + ending)).string(), log);
  }

  /// What the model gives for x, and the weights that further training comes to.
  void values(const std::string& name, const std::vector<Array>& x, const std::vector<Array>& y,
              const std::vector<Array>& further = {}) const {
    H5Writer::write(io(name), [&](H5Writer& file) {
      const auto write = [&](const std::string& group, const std::vector<Array>& arrays) {
        for (size_t i = 0; i < arrays.size(); ++i)
          file.dataset(group + "/" + std::to_string(i), arrays[i]);
      };
      write("/input", x);
      write("/output", y);
      write("/further", further);
    });
  }

  /// What Keras computed for the fixture.
  void values_of_keras(const std::string& name, const fs::path& fixture) const {
    fs::copy_file(fs::path(fixture).replace_extension(".io.h5"), io(name),
                  fs::copy_options::overwrite_existing);
  }

 private:
  explicit ModelsForKeras(const fs::path& folder) : folder_(folder) {
    fs::create_directories(folder);
  }
  fs::path io(const std::string& name) const { return folder_ / (name + ".io.h5"); }

  fs::path folder_;
};

}  // namespace ocellus::test
