// Loss, metrics, optimizer and the optimizer's state.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "keras.hpp"
#include "ocellus/core/call.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/graph_builder.hpp"
#include "ocellus/core/optimizer.hpp"

namespace ocellus::keras {
namespace {

// {"class_name", "config"}, and where the object comes from in the dialect of `.keras`.
Json keras_object(const char* module, const std::string& class_name, const Json& config,
                  bool archive) {
  Json j = Json::object();
  if (archive) j["module"] = module;
  j["class_name"] = class_name;
  j["config"] = config;
  if (archive) j["registered_name"] = Json();
  return j;
}

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
    const std::string name = function_name(j);
    const Json* config = j.find("config");
    const TypeInfo* info = reading.registry.find(Kind::loss, name);
    const bool logits = config && config->is_object() && config->get("from_logits", false);
    return logits && info && info->schema.find("from_logits") ? name + "(from_logits=true)" : name;
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

const TypeInfo* find_optimizer(const Registry& registry, const std::string& name) {
  for (const TypeInfo* info : registry.all(Kind::optimizer))
    if (keras_layer_name(info->name, 0) == keras_layer_name(name, 0)) return info;
  return nullptr;
}

OptimizerRecord read_optimizer(const Json& config, const TypeInfo& info, const Reading& reading) {
  OptimizerRecord o;
  o.type = info.name;
  for (const auto& [key, value] : config.as_object()) {
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

// Keras' keyword arguments only: what it does not know makes it refuse the file.
Json written_optimizer(const OptimizerRecord& o, const Registry& registry, bool archive) {
  Json config = Json::object();
  config["name"] = o.type;
  const TypeInfo* info = registry.find(Kind::optimizer, o.type);
  const Json parameters =
      info ? info->schema.check(o.parameters, "optimizer " + o.type) : o.parameters;
  for (const auto& [key, value] : parameters.as_object()) {
    // Only AdamW of all had it before tf.keras 2.11.
    if (key == "weight_decay" && o.type != "AdamW" && (value.is_null() || value.as_double() == 0))
      continue;
    if (key == own_decay) continue;
    config[key] = value;
  }
  // In HDF5 files tf.keras knows AdamW by its registered name only, Keras 3 by either.
  return keras_object("keras.optimizers", o.type == "AdamW" && !archive ? "Custom>AdamW" : o.type,
                      config, archive);
}

// Whether the network ends in a softmax or sigmoid, so that its output is a probability.
bool ends_in_probability(const GraphRecord& graph) {
  const auto is_one = [](const std::string& name) {
    return name == "softmax" || name == "sigmoid";
  };
  for (const LayerRecord& l : graph.layers)
    if (!graph.outputs.empty() && l.name == graph.outputs.front().layer)
      return l.type == "Softmax" || is_one(l.parameters.get("activation", ""));
  return false;
}

// By its name; where the network gives logits, with the word without which Keras would take them
// for probabilities.
Json written_loss(const ModelDocument& document, const Registry& registry, bool archive) {
  if (document.loss.empty()) return {};
  const Call call = parse_call(registry, Kind::loss, document.loss, "the model's loss");
  const bool crossentropy = call.type.ends_with("crossentropy");
  const bool logits =
      call.parameters.get("from_logits", crossentropy && !ends_in_probability(document.graph));
  if (!crossentropy || !logits) return call.type;
  const std::string class_name = call.type == "binary_crossentropy" ? "BinaryCrossentropy"
                                 : call.type == "categorical_crossentropy"
                                     ? "CategoricalCrossentropy"
                                     : "SparseCategoricalCrossentropy";
  Json config = Json::object();
  config["from_logits"] = true;
  return keras_object("keras.losses", class_name, config, archive);
}

}  // namespace

void read_training(const Json& config, const Reading& reading, ModelDocument& document) {
  if (const Json* loss = config.find("loss")) document.loss = read_loss(*loss, reading);
  if (const Json* metrics = config.find("metrics"))
    read_metrics(*metrics, reading, document.metrics);
  const Json* optimizer = config.find("optimizer_config");
  if (!optimizer) optimizer = config.find("optimizer");
  if (!optimizer || optimizer->is_null()) return;
  // Keras 3 may have but the name, and then means its defaults.
  const bool named = optimizer->is_string();
  const std::string type =
      named ? optimizer->as_string() : without_package(optimizer->get("class_name", ""));
  const TypeInfo* info = find_optimizer(reading.registry, type);
  if (!info) {
    reading.warnings.push_back(
        fmt::format("the optimizer '{}' is not known here and is dropped", type));
    return;
  }
  document.optimizer =
      read_optimizer(named ? Json::object() : optimizer->at("config"), *info, reading);
}

Json training_config(const ModelDocument& document, const Registry& registry, bool archive) {
  Json j = Json::object();
  j["loss"] = written_loss(document, registry, archive);
  j["metrics"] = Json::list_of(document.metrics);
  j["weighted_metrics"] = Json();
  j["loss_weights"] = Json();
  j[archive ? "optimizer" : "optimizer_config"] =
      written_optimizer(*document.optimizer, registry, archive);
  return j;
}

}  // namespace ocellus::keras
