// keras_hdf5: a whole Keras model in one HDF5 file, Ocellus' own format.
//
//   /                   attributes model_config, training_config, keras_version, backend
//   /model_weights      a group a layer, attribute weight_names, the datasets
//   /optimizer_weights  iteration, learning rate and slots
//   /ocellus            what Keras has no place for: training state, best weights, classes,
//   preprocessing, sample, names of
//                       nested layers
//
// Reads what Keras 2 and 3 save; writes what tf.keras 2.4 and newer and Keras 3 read.
// docs/formats.md is the contract.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>

#include "keras.hpp"
#include "ocellus/core/abi.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/model_format.hpp"

namespace ocellus::keras {
namespace {

namespace fs = std::filesystem;
constexpr const char* weights_group = "/model_weights";
constexpr const char* own_group = "/ocellus";
constexpr const char* best_group = "/ocellus/best_weights";
// What the file claims to be written by: a version whose dialect it speaks.
constexpr const char* written_version = "2.13.1";

bool has_signature(const fs::path& file) {
  static const std::string signature = "\x89HDF\r\n\x1a\n";
  std::string start(signature.size(), '\0');
  std::ifstream in(file, std::ios::binary);
  return in.read(start.data(), static_cast<std::streamsize>(start.size())) && start == signature;
}

// --- reading
// -----------------------------------------------------------------------------------------------------------

int major_version(const H5Reader& file) {
  for (const char* place : {"/", weights_group}) {
    if (std::string_view(place) != "/" && !file.has_group(place)) continue;
    const std::string version = file.text(place, "keras_version", "");
    if (!version.empty()) return std::atoi(version.c_str());
  }
  return 2;
}

// The weights below `root`, which is Keras' group or ours of the same make.
std::vector<WeightsRecord> read_records(const H5Reader& file, const std::string& root,
                                        const Model& model) {
  std::vector<WeightsRecord> all;
  for (const Group& g : leaf_groups(file, groups_of(file, root), model))
    all.push_back(read_group(file, g));
  return all;
}

// Our own group's JSON; null in files of others.
Json read_own(const H5Reader& file) {
  if (!file.has_group(own_group)) return {};
  const std::string text = file.text(own_group, "document", "");
  return text.empty() ? Json() : Json::parse(text, file.name() + ": /ocellus");
}

void restore_names(const Json& own, Model& model) {
  const Json* renamed = own.find("renamed");
  if (!renamed) return;
  std::vector<std::pair<std::string, std::string>> names;
  for (const auto& [keras, ours] : renamed->as_object())
    names.emplace_back(keras, ours.as_string());
  rename(model, names);
}

// The order in which layers stood before they were written in Keras' order; randomness and arenas
// go by it.
void restore_graph(const Json& own, GraphRecord& graph) {
  graph.sequential = own.get("sequential", graph.sequential);
  if (const Json* scopes = own.find("scopes"))
    for (const Json& s : scopes->as_list())
      graph.scopes.push_back(
          {s.at("path").as_string(), s.get("sequential", false), s.get("trainable", true)});
  const Json* order = own.find("order");
  if (!order) return;
  std::map<std::string, size_t> place;
  for (size_t i = 0; i < order->size(); ++i) place[order->at(i).as_string()] = i;
  const bool known = std::all_of(graph.layers.begin(), graph.layers.end(),
                                 [&](const LayerRecord& l) { return place.count(l.name) != 0; });
  if (known)
    std::stable_sort(
        graph.layers.begin(), graph.layers.end(),
        [&](const LayerRecord& a, const LayerRecord& b) { return place[a.name] < place[b.name]; });
}

void sort_weights(const GraphRecord& graph, std::vector<WeightsRecord>& weights) {
  std::map<std::string, size_t> place;
  for (size_t i = 0; i < graph.layers.size(); ++i) place[graph.layers[i].name] = i;
  std::stable_sort(weights.begin(), weights.end(),
                   [&](const WeightsRecord& a, const WeightsRecord& b) {
                     return place[a.layer] < place[b.layer];
                   });
}

void read_rest(const H5Reader& file, const Json& own, ModelDocument& document) {
  if (own.is_null()) return;
  if (const Json* state = own.find("training_state")) document.training_state = *state;
  if (const Json* classes = own.find("classes"))
    for (const Json& name : classes->as_list()) document.classes.push_back(name.as_string());
  if (const Json* p = own.find("preprocessing"); p && !p->is_null())
    document.preprocessing = Preprocessing::from_json(*p);
  if (document.loss.empty()) document.loss = own.get("loss", "");
  if (const Json* metrics = own.find("metrics"); metrics && document.metrics.empty())
    for (const Json& name : metrics->as_list()) document.metrics.push_back(name.as_string());
  const std::string sample = std::string(own_group) + "/sample";
  if (file.has_group(sample))
    document.sample = SampleRecord{file.read(sample + "/input"), file.read(sample + "/logits")};
}

// The model of a file and what reading it takes.
struct Opened {
  Json own;
  Reading reading;
  Model model;
};

Opened open_model(const H5Reader& file, const Registry& registry,
                  std::vector<std::string>& warnings) {
  const std::string config = file.text("/", "model_config", "");
  if (config.empty())
    throw DataError(fmt::format(
        "{}: holds weights without their model: name the model, and this file for its weights",
        file.name()));
  const int version = major_version(file);
  Json own = read_own(file);
  const Reading reading{registry, version, own.get("hard_sigmoid", version), warnings};
  Model model = parse_model(Json::parse(config, file.name() + ": model_config"), reading);
  restore_names(own, model);
  return {std::move(own), reading, std::move(model)};
}

ModelDocument read_document(const H5Reader& file, const Registry& registry) {
  ModelDocument document;
  const auto [own, reading, model] = open_model(file, registry, document.warnings);
  document.graph = flatten(model, reading);
  document.weights = read_records(file, weights_group, model);
  document.best_weights = read_records(file, best_group, model);
  orient_kernels(document.graph, reading.version,
                 is_written_by_theano(file, weights_group, reading.version), document.weights);
  restore_graph(own, document.graph);
  sort_weights(document.graph, document.weights);
  sort_weights(document.graph, document.best_weights);
  read_training(file, model, reading, document);
  read_rest(file, own, document);
  to_channels_last(document);
  return document;
}

// A file of weights only, or of a whole model. Of that the layers below nested models count one by
// one, in the order that a graph of its own would have.
void read_weights_for(const H5Reader& file, const WeightsMatching& matching,
                      ModelDocument& document, const Registry& registry) {
  if (file.has_texts("/", "layer_names"))
    return load_groups(file, groups_of(file, ""), matching, document, registry);
  if (!file.has_attribute("/", "model_config"))
    return load_groups(file, groups_of(file, weights_group), matching, document, registry);
  std::vector<std::string> ignored;
  const auto [own, reading, model] = open_model(file, registry, ignored);
  GraphRecord graph = flatten(model, reading);
  restore_graph(own, graph);
  std::map<std::string, Group> by_layer;
  for (Group& g : leaf_groups(file, groups_of(file, weights_group), model))
    by_layer.insert_or_assign(g.name, g);
  std::vector<Group> groups;
  for (const Entry& e : tree_of(graph).entries)
    for (const auto& [path, layer] : leaves_of(e))
      if (const auto g = by_layer.find(path); g != by_layer.end()) groups.push_back(g->second);
  load_groups(file, groups, matching, document, registry);
}

// --- writing
// -----------------------------------------------------------------------------------------------------------

void write_weights(H5Writer& file, const std::string& root,
                   const std::vector<WeightsRecord>& weights, const GraphRecord& graph,
                   const Written& written) {
  std::map<std::string, const WeightsRecord*> of_layer;
  for (const WeightsRecord& w : weights) of_layer[w.layer] = &w;
  std::vector<std::string> layer_names;
  file.group(root);
  for (const size_t i : written.order) {
    // A Sequential does not list its input.
    if (written.sequential && graph.layers[i].type == "Input") continue;
    const std::string& name = written.names[i];
    const std::string place = root + "/" + name;
    layer_names.push_back(name);
    file.group(place);
    std::vector<std::string> names;
    if (const auto w = of_layer.find(graph.layers[i].name); w != of_layer.end()) {
      for (size_t k = 0; k < w->second->values.size(); ++k) {
        names.push_back(name + "/" + w->second->names.at(k) + ":0");
        file.dataset(place + "/" + names.back(), w->second->values[k]);
      }
    }
    file.attribute(place, "weight_names", names);
  }
  file.attribute(root, "layer_names", layer_names);
}

void write_model_weights(H5Writer& file, const ModelDocument& document, const Written& written) {
  write_weights(file, weights_group, document.weights, document.graph, written);
  file.attribute(weights_group, "backend", "tensorflow");
  // Without it Keras takes the weights for those of version 1.
  file.attribute(weights_group, "keras_version", written_version);
  const std::string top = std::string(weights_group) + "/top_level_model_weights";
  file.group(top);
  file.attribute(top, "weight_names", std::vector<std::string>{});
}

bool uses_activation(const GraphRecord& graph, const std::string& name) {
  return std::any_of(graph.layers.begin(), graph.layers.end(), [&](const LayerRecord& l) {
    const Json* a = l.parameters.find("activation");
    return a && *a == Json(name);
  });
}

Json own_json(const ModelDocument& document, const Written& written) {
  Json own = Json::object();
  own["format"] = 1;
  own["version"] = OCELLUS_VERSION;
  own["sequential"] = document.graph.sequential;
  Json renamed = Json::object(), scopes = Json::list(), order = Json::list();
  for (size_t i = 0; i < written.names.size(); ++i) {
    const std::string& name = document.graph.layers[i].name;
    if (name != written.names[i]) renamed[written.names[i]] = name;
    order.push_back(name);
  }
  for (const ScopeRecord& s : document.graph.scopes)
    scopes.push_back(
        Json::Object{{"path", s.path}, {"sequential", s.sequential}, {"trainable", s.trainable}});
  own["renamed"] = renamed;
  own["scopes"] = scopes;
  own["order"] = order;
  if (uses_activation(document.graph, "hard_sigmoid")) own["hard_sigmoid"] = 3;
  own["classes"] = Json::list_of(document.classes);
  own["preprocessing"] = document.preprocessing ? document.preprocessing->to_json() : Json();
  own["training_state"] = document.training_state;
  if (!document.optimizer) {
    own["loss"] = document.loss;
    own["metrics"] = Json::list_of(document.metrics);
  }
  return own;
}

void warn_of_strangers(const GraphRecord& graph, Log& log) {
  std::string names;
  for (const LayerRecord& l : graph.layers)
    if (!is_keras_layer(l.type) && names.find(l.type) == std::string::npos)
      names += (names.empty() ? "" : ", ") + l.type;
  for (const auto& [activation, other] :
       {std::pair{"hard_sigmoid", "tf.keras"}, std::pair{"hard_sigmoid_v2", "Keras 3"}})
    if (uses_activation(graph, activation))
      log.warning(
          fmt::format("{} computes its hard_sigmoid by another formula than this model's {}", other,
                      activation));
  if (!names.empty())
    log.warning(
        fmt::format("Keras has no layer {}: Ocellus opens the file, Keras will not", names));
}

// Runs `read` and puts the file's name before errors that lack it.
template <class F>
auto naming(const H5Reader& file, const F& read) {
  try {
    return read();
  } catch (const DataError& e) {
    const std::string what = e.what();
    throw what.starts_with(file.name()) ? e : DataError(fmt::format("{}: {}", file.name(), what));
  }
}

class KerasHdf5 : public ModelFormat {
 public:
  bool recognizes(const fs::path& file) const override {
    if (!has_signature(file)) return false;
    const H5Reader h5(file);
    return h5.has_attribute("/", "model_config") || h5.has_texts("/", "layer_names") ||
           h5.has_group(weights_group);
  }

  ModelDocument read(const fs::path& path, const Registry& registry) const override {
    const H5Reader file(path);
    return naming(file, [&] { return read_document(file, registry); });
  }

  void read_weights(const fs::path& path, const WeightsMatching& matching, ModelDocument& document,
                    const Registry& registry) const override {
    const H5Reader file(path);
    naming(file, [&] { read_weights_for(file, matching, document, registry); });
  }

  void write(const ModelDocument& document, const fs::path& path, const Registry& registry,
             Log& log) const override {
    const Written written = write_graph(document.graph, registry);
    warn_of_strangers(document.graph, log);
    H5Writer::write(path, [&](H5Writer& file) {
      file.attribute("/", "keras_version", written_version);
      file.attribute("/", "backend", "tensorflow");
      file.attribute("/", "model_config", written.model_config.dump());
      write_model_weights(file, document, written);
      write_training(file, document, written, registry, log);
      file.group(own_group);
      file.attribute(own_group, "document", own_json(document, written).dump());
      if (!document.best_weights.empty())
        write_weights(file, best_group, document.best_weights, document.graph, written);
      if (document.sample) {
        file.dataset(std::string(own_group) + "/sample/input", document.sample->input);
        file.dataset(std::string(own_group) + "/sample/logits", document.sample->logits);
      }
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
