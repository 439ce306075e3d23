#include "unknown_layer.hpp"

#include <fmt/format.h>

#include "ocellus/core/error.hpp"
#include "ocellus/core/text.hpp"

namespace ocellus {
namespace {

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
  std::vector<std::string> known;
  for (const TypeInfo* t : registry.all(Kind::layer)) known.push_back(t->name);
  const std::string near = nearest(r.type, known);
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

}  // namespace ocellus
