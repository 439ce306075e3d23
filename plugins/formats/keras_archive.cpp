// keras: the archive that Keras 3, and tf.keras since 2.12, save as `.keras`.
//
//   metadata.json      keras_version, date_saved
//   config.json        the model's configuration, and how it was compiled
//   model.weights.h5   see keras_variables.cpp; our own group stands in it
//
// Written so that both open it: its layers speak Keras 2's dialect, which both read where a layer
// does not name its module. Operations that no layer computes have no words that both read: here
// they are those of Keras 3.
#include <fmt/format.h>

#include <fstream>

#include "keras.hpp"
#include "ocellus/core/zip.hpp"

namespace ocellus::keras {
namespace {

namespace fs = std::filesystem;
constexpr const char* config_entry = "config.json";
constexpr const char* metadata_entry = "metadata.json";
constexpr const char* weights_entry = "model.weights.h5";

H5Reader open_weights(const ZipReader& zip) {
  if (!zip.has(weights_entry))
    throw DataError(fmt::format("{}: holds no {}: only archives with weights in HDF5 are read",
                                zip.name(), weights_entry));
  return H5Reader(zip.source(weights_entry));
}

Json read_json(const ZipReader& zip, const char* entry) {
  return Json::parse(zip.read_text(entry), zip.name() + ": " + entry);
}

Opened open(const ZipReader& zip, const Json& config, const H5Reader& file,
            const Registry& registry, std::vector<std::string>& warnings) {
  int version = 3;
  if (zip.has(metadata_entry))
    version = std::atoi(read_json(zip, metadata_entry).get("keras_version", "3").c_str());
  return open_config(config, version, file, registry, warnings);
}

ModelDocument read_document(const ZipReader& zip, const Registry& registry) {
  ModelDocument document;
  const Json config = read_json(zip, config_entry);
  const H5Reader file = open_weights(zip);
  const Opened opened = open(zip, config, file, registry, document.warnings);
  document.graph = opened.graph;
  document.weights =
      read_groups(file, variable_groups(file, opened.model, registry), document.graph);
  if (const Json* compiled = config.find("compile_config"); compiled && compiled->is_object())
    read_training(*compiled, opened.reading, document);
  read_numbered_state(file, opened.model, opened.reading, document);
  read_own_parts(file, opened, document);
  to_channels_last(document);
  return document;
}

class KerasArchive : public ModelFormat {
 public:
  bool recognizes(const fs::path& path) const override {
    std::string start(4, '\0');
    std::ifstream in(path, std::ios::binary);
    return in.read(start.data(), 4) && start == "PK\x03\x04" && ZipReader(path).has(config_entry);
  }

  void verify(const fs::path& path) const override { ZipReader(path).verify(); }

  ModelDocument read(const fs::path& path, const Registry& registry) const override {
    const ZipReader zip(path);
    return naming(zip.name(), [&] { return read_document(zip, registry); });
  }

  void read_weights(const fs::path& path, const WeightsMatching& matching, ModelDocument& document,
                    const Registry& registry) const override {
    const ZipReader zip(path);
    naming(zip.name(), [&] {
      std::vector<std::string> ignored;
      const H5Reader file = open_weights(zip);
      const Opened opened = open(zip, read_json(zip, config_entry), file, registry, ignored);
      load_groups(file, in_graph_order(opened.graph, variable_groups(file, opened.model, registry)),
                  {}, matching, document, registry);
    });
  }

  void write(const ModelDocument& document, const fs::path& path, const Registry& registry,
             Log& log) const override {
    const Dialect dialect = archive_dialect(document.graph);
    const Written written = write_graph(document.graph, registry, dialect);
    warn_of_strangers(document.graph, dialect, log);
    Json config = Json::object();
    config["module"] = "keras";
    // Both make a Functional of a Model with a graph; under that name they look in other modules.
    config["class_name"] = written.sequential ? "Sequential" : "Model";
    config["config"] = written.model_config.at("config");
    config["registered_name"] = Json();
    if (document.optimizer) config["compile_config"] = training_config(document, registry, true);
    ZipWriter::write(path, [&](ZipWriter& zip) {
      zip.add(metadata_entry, Json(Json::Object{{"keras_version", written_version}}).dump());
      zip.add(config_entry, config.dump());
      zip.add(weights_entry, [&](const fs::path& temporary) {
        H5Writer::write(temporary, [&](H5Writer& file) {
          write_variables(file, document, written, registry);
          if (document.optimizer)
            write_state(file, document, written, registry, /*numbered=*/true, log);
          write_own_parts(file, document, written);
        });
      });
    });
  }
};

}  // namespace

void register_keras_archive(Registrar& r) {
  r.add<KerasArchive>("keras", "a Keras model in the archive that Keras 3 saves as .keras");
}

}  // namespace ocellus::keras
