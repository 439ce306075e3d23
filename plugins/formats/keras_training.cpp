// Loss, metrics, optimizer and the optimizer's state.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "keras.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/graph_builder.hpp"
#include "ocellus/core/optimizer.hpp"

namespace ocellus::keras {
namespace {

constexpr const char* state_group = "/optimizer_weights";

std::string known_by(const std::string& name) {
  static const std::map<std::string, std::string> aliases = {{"mse", "mean_squared_error"},
                                                             {"mae", "mean_absolute_error"},
                                                             {"acc", "accuracy"},
                                                             {"MSE", "mean_squared_error"},
                                                             {"MAE", "mean_absolute_error"}};
  const auto it = aliases.find(name);
  return it == aliases.end() ? keras_layer_name(name, 0) : it->second;
}

// Name of a loss or metric: a string, a function's object, or {"class_name", "config"}.
std::string function_name(const Json& j) {
  if (j.is_string()) return known_by(without_package(j.as_string()));
  const Json* config = j.find("config");
  if (config && config->is_string()) return known_by(config->as_string());
  const std::string class_name = without_package(j.get("class_name", ""));
  // A wrapped function says its name in its configuration.
  if (class_name.ends_with("MetricWrapper") && config) return known_by(config->get("name", ""));
  return known_by(class_name);
}

std::string read_loss(const Json& j, const Reading& reading) {
  if (j.is_null()) return {};
  const bool per_output = (j.is_object() && !j.find("class_name")) || j.is_list();
  if (!per_output) {
    const Json* config = j.find("config");
    if (config && config->is_object() && config->get("from_logits", false))
      reading.warnings.push_back(
          "the loss was compiled with from_logits: name it again for training");
    return function_name(j);
  }
  if (j.size() != 1) {
    reading.warnings.push_back(
        "the model was compiled with a loss for each output, which is not kept");
    return {};
  }
  return read_loss(j.is_list() ? j.at(size_t{0}) : j.as_object().front().second, reading);
}

void read_metrics(const Json& j, const Reading& reading, std::vector<std::string>& out) {
  const bool many = j.is_list() || (j.is_object() && !j.find("class_name"));
  if (j.is_null()) return;
  if (j.is_list())
    for (const Json& item : j.as_list()) read_metrics(item, reading, out);
  else if (many)
    for (const auto& [key, value] : j.as_object()) read_metrics(value, reading, out);
  if (many) return;
  const std::string name = function_name(j);
  if (!reading.registry.find(Kind::metric, name))
    reading.warnings.push_back(
        fmt::format("the metric '{}' is not known here and is dropped", name));
  else if (std::find(out.begin(), out.end(), name) == out.end())
    out.push_back(name);
}

// Keys of an optimizer that steer other things than its step.
bool is_steering(const std::string& key) {
  static const std::set<std::string> keys = {"name",
                                             "decay",
                                             "jit_compile",
                                             "is_legacy_optimizer",
                                             "use_ema",
                                             "ema_momentum",
                                             "ema_overwrite_frequency",
                                             "loss_scale_factor",
                                             "gradient_accumulation_steps"};
  return keys.count(key) != 0;
}

OptimizerRecord read_optimizer(const Json& j, const TypeInfo& info, const Reading& reading) {
  OptimizerRecord o;
  o.type = info.name;
  for (const auto& [key, value] : j.at("config").as_object()) {
    const std::string our = key == "lr" ? "learning_rate" : key;
    if (value.is_null()) continue;
    if (our == "learning_rate" && value.is_object()) {
      o.parameters[our] = value.at("config").get("initial_learning_rate", 0.001);
      reading.warnings.push_back(
          fmt::format("the optimizer's learning rate follows a {}, which is not kept: it is {} now",
                      value.get("class_name", "schedule"), o.parameters.at(our).dump()));
    } else if (info.schema.find(our)) {
      o.parameters[our] = value;
    } else if (!is_steering(key) && !(value.is_bool() && !value.as_bool())) {
      reading.warnings.push_back(fmt::format(
          "optimizer {}: {} = {} is not known here and is dropped", o.type, key, value.dump()));
    }
  }
  return o;
}

// --- state
// -------------------------------------------------------------------------------------------------------------

// Words by which versions of Keras call a slot: Keras 3, tf.keras since 2.11, tf.keras before.
const std::vector<std::pair<std::string, std::vector<std::string>>>& slot_words() {
  static const std::vector<std::pair<std::string, std::vector<std::string>>> words = {
      {"average_gradient", {"average_gradient", "mg"}},
      {"velocity_hat", {"velocity_hat", "vhat"}},
      {"velocity", {"velocity", "v", "rms"}},
      {"momentum", {"momentum", "m"}}};
  return words;
}

// "adam/dense_kernel_velocity", "Adam/v/dense/kernel:0", "training/Adam/dense/kernel/v:0":
// velocity.
std::string slot_of(const std::string& variable) {
  const std::string name = variable.substr(0, variable.find(':'));
  std::vector<std::string> parts;
  for (size_t at = 0; at <= name.size();) {
    const size_t end = std::min(name.find('/', at), name.size());
    parts.push_back(name.substr(at, end - at));
    at = end + 1;
  }
  for (const auto& [slot, words] : slot_words())
    for (const std::string& word : words)
      if (parts.back() == word || (parts.size() > 2 && parts[1] == word)) return slot;
  for (const auto& [slot, words] : slot_words())
    if (parts.back().ends_with("_" + slot)) return slot;
  return {};
}

bool is_iteration(const std::string& variable) {
  const std::string last = variable.substr(variable.rfind('/') + 1);
  return last.starts_with("iter");
}

// The trained weights of the network, in Keras' order: (layer, index of the parameter among all of
// the network's).
struct Trained {
  size_t count = 0;                // all parameters, frozen ones included
  std::vector<Shape> shapes;       // of all
  std::vector<size_t> in_order;    // trained ones in Keras' order
  std::vector<std::string> names;  // of all: "conv2d/kernel"
};

Trained trained_of(const GraphRecord& graph, const std::vector<WeightsRecord>& weights,
                   const std::vector<std::string>& order,
                   const std::map<std::string, std::string>& keras_name) {
  Trained t;
  std::map<std::string, std::pair<size_t, size_t>> range;  // layer -> first, count
  for (const LayerRecord& l : graph.layers) {
    const auto w = std::find_if(weights.begin(), weights.end(),
                                [&](const WeightsRecord& r) { return r.layer == l.name; });
    if (w == weights.end()) continue;
    const size_t n = parameter_count(l, *w);
    if (is_trainable(graph, l)) range[l.name] = {t.count, n};
    for (size_t i = 0; i < n; ++i) {
      t.shapes.push_back(w->values[i].shape());
      const auto k = keras_name.find(l.name);
      t.names.push_back((k == keras_name.end() ? l.name : k->second) + "/" + w->names[i]);
    }
    t.count += n;
  }
  for (const std::string& name : order)
    if (const auto it = range.find(name); it != range.end())
      for (size_t i = 0; i < it->second.second; ++i) t.in_order.push_back(it->second.first + i);
  return t;
}

std::vector<std::string> keras_leaf_order(const Model& model) {
  std::vector<std::string> order;
  for (const Entry& e : model.entries)
    for (const auto& [path, layer] : leaves_of(e)) order.push_back(path);
  return order;
}

// Slots by name; where a version's names say nothing, as one slot after the other.
void read_state(const H5Reader& file, const Model& model, const Reading& reading,
                ModelDocument& document) {
  OptimizerRecord& o = *document.optimizer;
  const Trained trained = trained_of(document.graph, document.weights, keras_leaf_order(model), {});
  const auto optimizer =
      reading.registry.create<Optimizer>(o.type, o.parameters, "optimizer " + o.type);
  const std::vector<std::string> slots = optimizer->slots();
  std::map<std::string, std::vector<Array>> found;
  std::vector<Array> nameless;
  for (const std::string& name : file.texts(state_group, "weight_names")) {
    Array values = file.read(std::string(state_group) + "/" + name);
    if (is_iteration(name)) {
      if (values.elements() == 1)
        o.iteration = values.type() == DType::i64 ? values.i64()[0]
                                                  : static_cast<int64_t>(values.to_f32().f32()[0]);
    } else if (values.shape().rank() > 0) {
      const std::string slot = slot_of(name);
      (slot.empty() ? nameless : found[slot]).push_back(values.to_f32());
    }
  }
  const size_t n = trained.in_order.size();
  if (found.empty() && nameless.size() >= n * slots.size())
    for (size_t s = 0; s < slots.size(); ++s)
      found[slots[s]].assign(nameless.begin() + static_cast<ptrdiff_t>(s * n),
                             nameless.begin() + static_cast<ptrdiff_t>((s + 1) * n));
  for (const std::string& slot : slots) {
    std::vector<Array> all;
    for (const Shape& s : trained.shapes) all.emplace_back(s, DType::f32);
    std::vector<Array>& values = found[slot];
    bool fits = values.size() == n;
    for (size_t i = 0; fits && i < n; ++i)
      fits = values[i].shape() == trained.shapes[trained.in_order[i]];
    if (!fits) {
      reading.warnings.push_back(
          fmt::format("the state of the optimizer {} does not fit the network ({} of {} tensors of "
                      "'{}'): it starts afresh",
                      o.type, values.size(), n, slot));
      o.slots.clear();
      o.iteration = 0;
      return;
    }
    for (size_t i = 0; i < n; ++i) all[trained.in_order[i]] = std::move(values[i]);
    o.slots.push_back(std::move(all));
  }
}

// Keras' keyword arguments only: what it does not know makes it refuse the file.
Json written_optimizer(const OptimizerRecord& o, const Registry& registry) {
  Json config = Json::object();
  config["name"] = o.type;
  const TypeInfo* info = registry.find(Kind::optimizer, o.type);
  const Json parameters =
      info ? info->schema.check(o.parameters, "optimizer " + o.type) : o.parameters;
  for (const auto& [key, value] : parameters.as_object()) {
    // Only AdamW of all had it before tf.keras 2.11.
    if (key == "weight_decay" && o.type != "AdamW" && (value.is_null() || value.as_double() == 0))
      continue;
    config[key] = value;
  }
  // tf.keras knows AdamW by its registered name only, Keras 3 by either.
  return Json::Object{{"class_name", o.type == "AdamW" ? "Custom>AdamW" : o.type},
                      {"config", config}};
}

// Laid out so that tf.keras 2.4 to 2.15 goes on from it: the iteration, then one slot after the
// other, as its older optimizers list their weights, which it makes of a configuration that does
// not say otherwise; only AdamW, which is younger, lists the slots of each weight together. Keras 3
// does not go on even from its own .h5 files: its loader builds the optimizer without weights, and
// says so in a warning (3.15).
void write_state(H5Writer& file, const OptimizerRecord& o, const Trained& trained,
                 const Registry& registry) {
  std::vector<std::string> names;
  file.group(state_group);
  const auto put = [&](const std::string& name, const Array& values) {
    names.push_back(name);
    file.dataset(std::string(state_group) + "/" + name, values);
  };
  Array iteration(Shape(), DType::i64);
  iteration.i64()[0] = o.iteration;
  put("iteration:0", iteration);
  const auto slots =
      registry.create<Optimizer>(o.type, o.parameters, "optimizer " + o.type)->slots();
  const auto put_slot = [&](size_t s, size_t p) {
    // All but RMSprop abbreviate.
    const std::string slot = o.type == "RMSprop"         ? slots.at(s)
                             : slots.at(s) == "velocity" ? "v"
                                                         : "m";
    put(fmt::format("{}/{}/{}:0", o.type, slot, trained.names[p]), o.slots[s].at(p));
  };
  if (o.type == "AdamW") {
    for (const size_t p : trained.in_order)
      for (size_t s = 0; s < o.slots.size(); ++s) put_slot(s, p);
  } else {
    for (size_t s = 0; s < o.slots.size(); ++s)
      for (const size_t p : trained.in_order) put_slot(s, p);
  }
  file.attribute(state_group, "weight_names", names);
}

}  // namespace

void read_training(const H5Reader& file, const Model& model, const Reading& reading,
                   ModelDocument& document) {
  const std::string text = file.text("/", "training_config", "");
  if (text.empty()) return;
  const Json j = Json::parse(text, file.name() + ": training_config");
  if (const Json* loss = j.find("loss")) document.loss = read_loss(*loss, reading);
  if (const Json* metrics = j.find("metrics")) read_metrics(*metrics, reading, document.metrics);
  const Json* config = j.find("optimizer_config");
  if (!config || !config->is_object()) return;
  const std::string type = without_package(config->get("class_name", ""));
  const TypeInfo* info = reading.registry.find(Kind::optimizer, type);
  if (!info) {
    reading.warnings.push_back(
        fmt::format("the optimizer '{}' is not known here and is dropped", type));
    return;
  }
  document.optimizer = read_optimizer(*config, *info, reading);
  if (!document.weights.empty() && file.has_group(state_group))
    read_state(file, model, reading, document);
}

void write_training(H5Writer& file, const ModelDocument& document, const Written& written,
                    const Registry& registry, Log& log) {
  if (!document.optimizer) return;
  const OptimizerRecord& o = *document.optimizer;
  Json j = Json::object();
  j["loss"] = document.loss.empty() ? Json() : Json(document.loss);
  j["metrics"] = Json::list_of(document.metrics);
  j["weighted_metrics"] = Json();
  j["loss_weights"] = Json();
  j["optimizer_config"] = written_optimizer(o, registry);
  file.attribute("/", "training_config", j.dump());
  if (o.slots.empty() && o.iteration == 0) return;
  std::vector<std::string> order;
  std::map<std::string, std::string> names;
  for (const size_t i : written.order) order.push_back(document.graph.layers[i].name);
  for (size_t i = 0; i < written.names.size(); ++i)
    names[document.graph.layers[i].name] = written.names[i];
  const Trained trained = trained_of(document.graph, document.weights, order, names);
  for (const auto& slot : o.slots)
    if (slot.size() != trained.count) {
      log.warning(fmt::format(
          "the optimizer's state has {} tensors a slot, the network {} parameters: it is not saved",
          slot.size(), trained.count));
      return;
    }
  write_state(file, o, trained, registry);
}

}  // namespace ocellus::keras
