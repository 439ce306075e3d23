#include "unknown_layer.hpp"

#include <fmt/format.h>

#include "ocellus/core/error.hpp"
#include "ocellus/core/text.hpp"

namespace ocellus {
namespace {

std::vector<std::string> names(const Registry& registry, Kind kind) {
  std::vector<std::string> all;
  for (const TypeInfo* t : registry.all(kind)) all.push_back(t->name);
  return all;
}

std::string weights_text(const std::string& layer, const std::vector<WeightsRecord>& weights) {
  std::string text;
  for (const WeightsRecord& w : weights)
    for (size_t i = 0; w.layer == layer && i < w.values.size(); ++i)
      text += fmt::format("{}{} {}", text.empty() ? "; its weights are " : ", ",
                          i < w.names.size() ? w.names[i] : "?", w.values[i].shape().str());
  return text;
}

[[noreturn]] void refuse(const Registry& registry, const LayerRecord& r,
                         const std::vector<WeightsRecord>& weights) {
  // Keras' layer for a function of Python, saved as bytecode.
  if (r.type == "Lambda")
    throw PluginError(fmt::format(
        "layer '{0}' is a Lambda, code of Python, which is never executed: put a layer in its "
        "place, as in: ocellus convert MODEL OUT --replace '{0}=Rescaling(scale=1/255)'",
        r.name));
  if (r.type == "Masking")
    throw PluginError(fmt::format(
        "layer '{0}' is a Masking: it marks steps that later layers and the loss must leave out, "
        "which those here do not do. Where no step is marked (none of the inputs has all its "
        "features equal to mask_value) the model runs without it: ocellus convert MODEL OUT "
        "--replace '{0}=Activation(activation=linear)'",
        r.name));
  const std::string near = nearest(r.type, names(registry, Kind::layer));
  const std::string name = r.type.substr(r.type.rfind('>') + 1);
  const std::string claim = name == r.type ? "" : fmt::format(" that claims '{}'", r.type);
  throw PluginError(fmt::format(
      "layer '{}' is a {}, which no loaded plugin supplies{}{}; to run the model, load a plugin "
      "that registers a layer '{}'{} (docs/writing-a-plugin.md), or put another layer in its "
      "place: ocellus convert MODEL OUT --replace '{}=...'",
      r.name, r.type, near.empty() ? "" : fmt::format(" (did you mean '{}'?)", near),
      weights_text(r.name, weights), name, claim, r.name));
}

}  // namespace

const GraphRecord& known_layers(const Registry& registry, const GraphRecord& graph,
                                const std::vector<WeightsRecord>& weights) {
  for (const LayerRecord& r : graph.layers)
    if (!registry.find(Kind::layer, r.type) && !registry.find(Kind::augmenter, r.type))
      refuse(registry, r, weights);
  return graph;
}

void refuse_activation(const Registry& registry, const std::string& where,
                       const std::string& name) {
  // docs/decisions/0008: what Keras 3.15 computes under this name is another function.
  if (name == "sparsemax")
    throw PluginError(
        where +
        ": its activation is sparsemax, which is left out: what Keras computes by that name is not "
        "the published function (its values do not add up to 1), and a model holds for one of the "
        "two only; a plugin that registers an activation 'sparsemax' makes the model run");
  throw PluginError(fmt::format(
      "{}: its activation is '{}', which no loaded plugin supplies{}; a plugin that registers an "
      "activation of that name would make the model run",
      where, name, suggestion(name, names(registry, Kind::activation))));
}

}  // namespace ocellus
