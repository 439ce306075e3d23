// keras_hdf5: a whole Keras model in one HDF5 file, Ocellus' own format; or weights only.
//
//   /                   attributes model_config, training_config, keras_version, backend
//   /model_weights      a group a layer, attribute weight_names, the datasets
//   /optimizer_weights  iteration, learning rate and slots
//   /ocellus            see keras_own.cpp
//
// A file of weights only has at its root what /model_weights has here. Reads what Keras 2 and 3
// save; writes what tf.keras 2.4 and newer and Keras 3 read. docs/formats.md is the contract.
#include <fmt/format.h>

#include <fstream>

#include "keras.hpp"

namespace ocellus::keras {

namespace fs = std::filesystem;

bool has_hdf5_signature(const fs::path& file) {
  static const std::string signature = "\x89HDF\r\n\x1a\n";
  std::string start(signature.size(), '\0');
  std::ifstream in(file, std::ios::binary);
  return in.read(start.data(), static_cast<std::streamsize>(start.size())) && start == signature;
}

namespace {

constexpr const char* weights_group = "/model_weights";

// Weights of which no version is told are taken for those of Keras 1, as Keras does.
int major_version(const H5Reader& file, const std::vector<std::string>& places, int otherwise) {
  for (const std::string& place : places) {
    if (!place.empty() && !file.has_group(place)) continue;
    const std::string version = file.text(place, "keras_version", "");
    if (!version.empty()) return std::atoi(version.c_str());
  }
  return otherwise;
}

Origin origin_of(const H5Reader& file, const std::string& group) {
  const int version = major_version(file, {group, ""}, 1);
  return {version, is_written_by_theano(file, group, version)};
}

Opened open(const H5Reader& file, const Registry& registry, std::vector<std::string>& warnings) {
  const std::string config = file.text("/", "model_config", "");
  if (config.empty())
    throw DataError(fmt::format(
        "{}: holds weights without their model: name the model, with --weights and this file",
        file.name()));
  const int version = major_version(file, {"", weights_group}, 2);
  return open_config(Json::parse(config, file.name() + ": model_config"), version, file, registry,
                     warnings);
}

ModelDocument read_document(const H5Reader& file, const Registry& registry) {
  ModelDocument document;
  const Opened opened = open(file, registry, document.warnings);
  document.graph = opened.graph;
  document.weights = read_groups(
      file, leaf_groups(file, groups_of(file, weights_group), opened.model), document.graph);
  if (const std::string text = file.text("/", "training_config", ""); !text.empty())
    read_training(Json::parse(text, file.name() + ": training_config"), opened.reading, document);
  const Origin origin = origin_of(file, weights_group);
  orient_kernels(document.graph, origin.version, origin.theano, document.weights);
  if (origin.version < 2) infer_shared_axes(document.graph, document.weights);
  if (origin.theano)
    for (std::string& warning : differences_to_theano(document.graph))
      document.warnings.push_back(std::move(warning));
  read_named_state(file, opened.model, opened.reading, document);
  read_own_parts(file, opened, document);
  to_channels_last(document);
  return document;
}

// Of a whole model the layers below nested models count one by one.
std::vector<Group> groups_for_others(const H5Reader& file, const Registry& registry) {
  if (file.has_texts("/", "layer_names")) return groups_of(file, "");
  const std::vector<Group> groups = groups_of(file, weights_group);
  if (!file.has_attribute("/", "model_config")) return groups;
  std::vector<std::string> ignored;
  const Opened opened = open(file, registry, ignored);
  return in_graph_order(opened.graph, leaf_groups(file, groups, opened.model));
}

void write_model_weights(H5Writer& file, const ModelDocument& document, const Written& written) {
  write_groups(file, weights_group, document.weights, document.graph, written);
  file.attribute(weights_group, "backend", "tensorflow");
  // Without it Keras takes the weights for those of version 1.
  file.attribute(weights_group, "keras_version", written_version);
  const std::string top = std::string(weights_group) + "/top_level_model_weights";
  file.group(top);
  file.attribute(top, "weight_names", std::vector<std::string>{});
}

class KerasHdf5 : public ModelFormat {
 public:
  bool recognizes(const fs::path& path) const override {
    if (!has_hdf5_signature(path)) return false;
    const H5Reader file(path);
    return file.has_attribute("/", "model_config") || file.has_texts("/", "layer_names") ||
           file.has_group(weights_group);
  }

  ModelDocument read(const fs::path& path, const Registry& registry) const override {
    const H5Reader file(path);
    return naming(file.name(), [&] { return read_document(file, registry); });
  }

  void read_weights(const fs::path& path, const WeightsMatching& matching, ModelDocument& document,
                    const Registry& registry) const override {
    const H5Reader file(path);
    naming(file.name(), [&] {
      const std::string group = file.has_texts("/", "layer_names") ? "" : weights_group;
      load_groups(file, groups_for_others(file, registry), origin_of(file, group), matching,
                  document, registry);
    });
  }

  void annotate(const ModelDocument& document, const fs::path& from, const fs::path& to,
                const Registry&, Log&) const override {
    keras::annotate(document, from, to);
  }

  void write(const ModelDocument& document, const fs::path& path, const Registry& registry,
             Log& log) const override {
    const Written written = write_graph(document.graph, registry);
    warn_of_strangers(document.graph, Dialect::tf_keras, log);
    H5Writer::write(path, [&](H5Writer& file) {
      file.attribute("/", "keras_version", written_version);
      file.attribute("/", "backend", "tensorflow");
      file.attribute("/", "model_config", written.model_config.dump());
      write_model_weights(file, document, written);
      if (document.optimizer) {
        file.attribute("/", "training_config", training_config(document, registry, false).dump());
        write_state(file, document, written, registry, /*numbered=*/false, log);
      }
      write_own_parts(file, document, written);
    });
  }
};

}  // namespace

void register_keras_hdf5(Registrar& r) {
  r.add<KerasHdf5>(
      "keras_hdf5",
      "a whole Keras model in one HDF5 file, with optimizer and training state; the native format");
}

}  // namespace ocellus::keras
