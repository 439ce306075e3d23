// keras_json: the architecture alone, as model.to_json() gives it. Weights come from a file of
// their own (--weights), the way in which models of Keras 1 were often kept.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "keras.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/file.hpp"
#include "ocellus/core/model_format.hpp"

namespace ocellus::keras {
namespace {

namespace fs = std::filesystem;

class KerasJson : public ModelFormat {
 public:
  // Told from Ocellus' own short JSON by "class_name". A larger file is no architecture.
  bool recognizes(const fs::path& file) const override {
    std::error_code ignored;
    if (fs::file_size(file, ignored) > (size_t{64} << 20) || ignored) return false;
    char first = 0;
    std::ifstream(file, std::ios::binary) >> first;
    if (first != '{') return false;
    try {
      const Json j = Json::parse(read_text(file), file.string());
      return j.find("class_name") && j.find("config");
    } catch (const DataError&) {
      return false;  // whoever reads it as another JSON says what is wrong
    }
  }

  ModelDocument read(const fs::path& file, const Registry& registry) const override {
    const Json j = Json::parse(read_text(file), file.string());
    const int version = std::max(1, std::atoi(j.get("keras_version", "2").c_str()));
    ModelDocument document;
    const Reading reading{registry, version, version, document.warnings};
    try {
      document.graph = flatten(parse_model(j, reading), reading);
      to_channels_last(document);
    } catch (const DataError& e) {
      throw DataError(fmt::format("{}: {}", file.string(), e.what()));
    }
    return document;
  }

  void write(const ModelDocument& document, const fs::path& file, const Registry& registry,
             Log& log) const override {
    Json j = write_graph(document.graph, registry).model_config;
    j["keras_version"] = "2.13.1";
    j["backend"] = "tensorflow";
    if (!document.weights.empty())
      log.warning("keras_json holds the layers alone: weights are not written");
    write_atomically(file, j.dump(1));
  }
};

}  // namespace

void register_keras_json(Registrar& r) {
  r.add<KerasJson>("keras_json", "a Keras model without its weights, as model.to_json() gives it");
}

}  // namespace ocellus::keras
