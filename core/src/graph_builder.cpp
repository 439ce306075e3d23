#include "ocellus/core/graph_builder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "ocellus/core/error.hpp"
#include "ocellus/core/text.hpp"

namespace ocellus {

std::string keras_layer_name(const std::string& type, int n) {
  // Keras' to_snake_case: "(.)([A-Z][a-z]+)" then "([a-z])([A-Z])", each "\1_\2": Conv2D -> conv2d,
  // ReLU -> re_lu.
  const auto upper = [&](size_t i) {
    return i < type.size() && std::isupper(static_cast<unsigned char>(type[i]));
  };
  const auto lower = [&](size_t i) {
    return i < type.size() && std::islower(static_cast<unsigned char>(type[i]));
  };
  std::string name;
  for (size_t i = 0; i < type.size(); ++i) {
    if (i && upper(i) && (lower(i + 1) || lower(i - 1))) name += '_';
    name += static_cast<char>(std::tolower(static_cast<unsigned char>(type[i])));
  }
  if (name == "input") name = "input_layer";
  return n == 0 ? name : fmt::format("{}_{}", name, n);
}

GraphBuilder::GraphBuilder(std::string name) { graph_.name = std::move(name); }

TensorRef GraphBuilder::input(const std::vector<int>& shape, std::string name) {
  LayerRecord layer;
  layer.type = "Input";
  layer.name = std::move(name);
  layer.parameters["shape"] = Json::list_of(shape);
  layer.calls.emplace_back();
  const TensorRef made = append(std::move(layer));
  graph_.inputs.push_back(made);
  return made;
}

TensorRef GraphBuilder::add(const std::string& type, Json::Object parameters, std::string name) {
  return add(type, std::move(parameters), {last()}, std::move(name));
}

TensorRef GraphBuilder::add(const std::string& type, Json::Object parameters,
                            std::vector<TensorRef> inputs, std::string name) {
  LayerRecord layer;
  layer.type = type;
  layer.name = std::move(name);
  layer.parameters = Json(std::move(parameters));
  layer.calls.push_back(std::move(inputs));
  return append(std::move(layer));
}

TensorRef GraphBuilder::append(LayerRecord layer) {
  const auto taken = [&](const std::string& name) {
    return std::any_of(graph_.layers.begin(), graph_.layers.end(),
                       [&](const LayerRecord& l) { return l.name == name; });
  };
  if (layer.name.empty()) {
    do layer.name = keras_layer_name(layer.type, counts_[layer.type]++);
    while (taken(layer.name));
  } else if (taken(layer.name)) {
    throw UsageError(fmt::format("two layers are named '{}'", layer.name));
  }
  last_ = {layer.name, 0, 0};
  graph_.layers.push_back(std::move(layer));
  return last_;
}

const TensorRef& GraphBuilder::last() const {
  if (graph_.layers.empty()) throw UsageError("a model begins with an input");
  return last_;
}

TensorRef GraphBuilder::output_of(const std::string& name) const {
  std::vector<std::string> known;
  for (const LayerRecord& l : graph_.layers) {
    if (l.name == name) return {name, 0, 0};
    known.push_back(l.name);
  }
  throw UsageError(fmt::format("no layer '{}' stands before{}", name, suggestion(name, known)));
}

GraphRecord GraphBuilder::finish(std::vector<TensorRef> outputs) {
  graph_.outputs = outputs.empty() ? std::vector{last()} : std::move(outputs);
  const auto& layers = graph_.layers;
  graph_.sequential = graph_.inputs.size() == 1 && layers.front().type == "Input" &&
                      graph_.outputs == std::vector{last_};
  for (size_t i = 1; i < layers.size(); ++i)
    graph_.sequential &=
        layers[i].calls.front() == std::vector<TensorRef>{{layers[i - 1].name, 0, 0}};
  return graph_;
}

}  // namespace ocellus
