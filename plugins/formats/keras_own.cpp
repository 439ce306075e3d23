// What Keras has no place for stands in a group of our own, which Keras ignores:
//
//   /ocellus                attribute `document`: training state, classes, preprocessing, names of
//                           nested layers, the order of layers
//   /ocellus/best_weights   laid out as /model_weights
//   /ocellus/sample         input, logits
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "keras.hpp"
#include "ocellus/core/abi.hpp"
#include "ocellus/core/error.hpp"

namespace ocellus::keras {
namespace {

constexpr const char* own_group = "/ocellus";
constexpr const char* best_group = "/ocellus/best_weights";
constexpr const char* sample_group = "/ocellus/sample";

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
  if (document.optimizer && document.optimizer->parameters.get(own_decay, false))
    own[own_decay] = true;
  if (!document.optimizer) {
    own["loss"] = document.loss;
    own["metrics"] = Json::list_of(document.metrics);
  }
  return own;
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

}  // namespace

Opened open_config(const Json& config, int version, const H5Reader& file, const Registry& registry,
                   std::vector<std::string>& warnings) {
  Json own = read_own(file);
  const Reading reading{registry, version, own.get("hard_sigmoid", version), warnings};
  Model model = parse_model(config, reading);
  restore_names(own, model);
  GraphRecord graph = flatten(model, reading);
  restore_graph(own, graph);
  return {std::move(own), reading, std::move(model), std::move(graph)};
}

std::vector<Group> in_graph_order(const GraphRecord& graph, std::vector<Group> groups) {
  std::map<std::string, Group*> by_layer;
  for (Group& g : groups) by_layer[g.name] = &g;
  std::vector<Group> sorted;
  for (const Entry& e : tree_of(graph).entries)
    for (const auto& [path, layer] : leaves_of(e))
      if (const auto g = by_layer.find(path); g != by_layer.end())
        sorted.push_back(std::move(*g->second));
  return sorted;
}

std::vector<WeightsRecord> read_groups(const H5Reader& file, const std::vector<Group>& groups,
                                       const GraphRecord& graph) {
  std::map<std::string, size_t> place;
  for (size_t i = 0; i < graph.layers.size(); ++i) place[graph.layers[i].name] = i;
  std::vector<WeightsRecord> records;
  for (const Group& g : groups) records.push_back(read_group(file, g));
  std::stable_sort(records.begin(), records.end(),
                   [&](const WeightsRecord& a, const WeightsRecord& b) {
                     return place[a.layer] < place[b.layer];
                   });
  return records;
}

void read_own_parts(const H5Reader& file, const Opened& opened, ModelDocument& document) {
  const Json& own = opened.own;
  if (own.is_null()) return;
  document.best_weights = read_groups(
      file, leaf_groups(file, groups_of(file, best_group), opened.model), document.graph);
  if (const Json* state = own.find("training_state")) document.training_state = *state;
  if (const Json* classes = own.find("classes"))
    for (const Json& name : classes->as_list()) document.classes.push_back(name.as_string());
  if (const Json* p = own.find("preprocessing"); p && !p->is_null())
    document.preprocessing = Preprocessing::from_json(*p);
  if (document.optimizer && own.get(own_decay, false))
    document.optimizer->parameters[own_decay] = true;
  if (document.loss.empty()) document.loss = own.get("loss", "");
  if (const Json* metrics = own.find("metrics"); metrics && document.metrics.empty())
    for (const Json& name : metrics->as_list()) document.metrics.push_back(name.as_string());
  if (file.has_group(sample_group))
    document.sample = SampleRecord{file.read(std::string(sample_group) + "/input"),
                                   file.read(std::string(sample_group) + "/logits")};
}

void write_own_parts(H5Writer& file, const ModelDocument& document, const Written& written) {
  file.group(own_group);
  file.attribute(own_group, "document", own_json(document, written).dump());
  if (!document.best_weights.empty())
    write_groups(file, best_group, document.best_weights, document.graph, written);
  if (!document.sample) return;
  file.dataset(std::string(sample_group) + "/input", document.sample->input);
  file.dataset(std::string(sample_group) + "/logits", document.sample->logits);
}

void warn_of_strangers(const GraphRecord& graph, Dialect dialect, Log& log) {
  std::string names, operations;
  const auto note = [](std::string& list, const std::string& type) {
    if (list.find(type) == std::string::npos) list += (list.empty() ? "" : ", ") + type;
  };
  for (const LayerRecord& l : graph.layers) {
    const Openable by = openable(l);
    if (by == Openable::nowhere) note(names, l.type);
    if (by == Openable::operation || by == Openable::tf_keras) note(operations, l.type);
  }
  for (const auto& [activation, other] :
       {std::pair{"hard_sigmoid", "tf.keras"}, std::pair{"hard_sigmoid_v2", "Keras 3"}})
    if (uses_activation(graph, activation))
      log.warning(
          fmt::format("{} computes its hard_sigmoid by another formula than this model's {}", other,
                      activation));
  if (!operations.empty() && dialect == Dialect::keras3)
    log.warning(
        fmt::format("{} is written as an operation of Keras 3: Keras 3 opens the file, tf.keras "
                    "will not (for tf.keras write .h5)",
                    operations));
  else if (!operations.empty())
    log.warning(fmt::format(
        "{} is written as an operation of TensorFlow: tf.keras opens the file, "
        "Keras 3 will not{}",
        operations,
        archive_dialect(graph) == Dialect::keras3 ? " (for Keras 3 write .keras)" : ""));
  if (!names.empty())
    log.warning(
        fmt::format("Keras has no layer {}: Ocellus opens the file, Keras will not", names));
}

}  // namespace ocellus::keras
