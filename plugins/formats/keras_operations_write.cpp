// Layers that Keras does not have, in words that a Keras understands: what keras_operations.cpp
// reads is written so that it reads the same again. tf.keras has TFOpLambda for any function of
// TensorFlow; Keras 3 opens no .h5 file with operations, so channels that change places, which
// models of image classification begin with, are written in layers that both have.
#include <algorithm>
#include <map>

#include "keras.hpp"

namespace ocellus::keras {
namespace {

using Calls = std::vector<std::vector<Json>>;  // [call][input]: [layer, node, tensor]

Json entry(const std::string& class_name, const std::string& name, Json config, Json nodes) {
  Json all = Json::Object{{"name", name}, {"trainable", true}, {"dtype", "float32"}};
  for (auto& [key, value] : config.as_object()) all[key] = std::move(value);
  return Json::Object{{"class_name", class_name},
                      {"config", std::move(all)},
                      {"name", name},
                      {"inbound_nodes", std::move(nodes)}};
}

// [layer, node, tensor, {named arguments}]
Json with_arguments(Json input, const Json& arguments) {
  input.push_back(arguments);
  return input;
}

Json operation(const std::string& name, const std::string& function, const Calls& calls,
               const Json& arguments) {
  Json nodes = Json::list();
  for (const auto& call : calls) nodes.push_back(with_arguments(call.front(), arguments));
  return entry(function == "__operators__.getitem" ? "SlicingOpLambda" : "TFOpLambda", name,
               Json::Object{{"function", function}}, nodes);
}

// A function of two, one of them constant or another tensor.
Json binary(const std::string& name, std::string f, const Calls& calls, const Json& constant) {
  static const std::string reverse = "reverse_";
  const bool constant_first = f.starts_with(reverse);
  if (constant_first) f.erase(0, reverse.size());
  const std::string function = f == "divide"  ? "math.truediv"
                               : f == "power" ? "math.pow"
                                              : "math." + f;
  Json nodes = Json::list();
  for (const auto& call : calls) {
    if (constant_first)
      nodes.push_back(
          Json::List{"_CONSTANT_VALUE", -1, constant, Json::Object{{"y", call.front()}}});
    else
      nodes.push_back(with_arguments(
          call.front(), Json::Object{{"y", call.size() > 1 ? call.back() : constant}}));
  }
  return entry("TFOpLambda", name, Json::Object{{"function", function}}, nodes);
}

Json item_of(const Json& list, size_t i) { return i < list.size() ? list.at(i) : Json(); }

Json slice(const std::string& name, const LayerRecord& layer, const Calls& calls) {
  const Json empty = Json::list();
  const auto parameter = [&](const char* key) {
    const Json* p = layer.parameters.find(key);
    return p && p->is_list() ? *p : empty;
  };
  const Json begin = parameter("begin"), end = parameter("end"), stride = parameter("stride"),
             squeeze = parameter("squeeze");
  size_t axes = std::max({begin.size(), end.size(), stride.size()});
  for (const Json& a : squeeze.as_list()) axes = std::max(axes, static_cast<size_t>(a.as_int()));
  Json spec = Json::list();
  const auto range = [&](const Json& start, const Json& stop, const Json& step) {
    spec.push_back(Json::Object{{"start", start}, {"stop", stop}, {"step", step}});
  };
  range({}, {}, {});
  for (size_t i = 0; i < axes; ++i) {
    const Json axis(static_cast<int>(i) + 1);
    const bool dropped = std::count(squeeze.as_list().begin(), squeeze.as_list().end(), axis) != 0;
    if (dropped)
      spec.push_back(item_of(begin, i).is_null() ? Json(0) : item_of(begin, i));
    else
      range(item_of(begin, i), item_of(end, i), item_of(stride, i));
  }
  return operation(name, "__operators__.getitem", calls, Json::Object{{"slice_spec", spec}});
}

// The channels that a Slice takes one by one, where all it does is to take them: their number is
// `begin` + 1 when it walks backwards to the first.
std::vector<int> reversed_channels(const LayerRecord& layer) {
  if (layer.type != "Slice") return {};
  const auto axis = [&](const char* key, size_t i) {
    const Json* list = layer.parameters.find(key);
    return list && list->is_list() ? item_of(*list, i) : Json();
  };
  const Json* squeeze = layer.parameters.find("squeeze");
  if (squeeze && squeeze->size() > 0) return {};
  for (size_t i = 0; i < 2; ++i) {
    const Json step = axis("stride", i);
    if (!axis("begin", i).is_null() || !axis("end", i).is_null() ||
        !(step.is_null() || step == Json(1)))
      return {};
  }
  const Json first = axis("begin", 2);
  if (axis("stride", 2) != Json(-1) || !axis("end", 2).is_null() || !first.is_integer() ||
      first.as_int() < 1 || first.as_int() > 15)
    return {};
  std::vector<int> channels;
  for (int c = first.as_int(); c >= 0; --c) channels.push_back(c);
  return channels;
}

// (H, W, C) -> (C, H, W), cut into rows of one channel, put together in the other order, and back.
std::vector<Json> reverse_channels(const std::string& name, const std::vector<int>& channels,
                                   const Calls& calls) {
  const auto layer = [](const std::string& class_name, const std::string& n, Json config,
                        const Calls& inputs) {
    Json nodes = Json::list();
    for (const auto& call : inputs) {
      Json node = Json::list();
      for (const Json& input : call) node.push_back(with_arguments(input, Json::object()));
      nodes.push_back(std::move(node));
    }
    return entry(class_name, n, std::move(config), std::move(nodes));
  };
  const auto outputs_of = [&](const std::string& n) {
    Calls c;
    for (size_t k = 0; k < calls.size(); ++k) c.emplace_back().push_back(Json::List{n, k, 0});
    return c;
  };
  const int count = static_cast<int>(channels.size());
  const std::string first = name + "_channels_first", joined = name + "_joined";
  std::vector<Json> layers = {
      layer("Permute", first, Json::Object{{"dims", Json::List{3, 1, 2}}}, calls)};
  Calls parts(calls.size());
  for (const int c : channels) {
    const std::string part = name + "_channel_" + std::to_string(c);
    const Json rows = Json::List{c, count - 1 - c}, columns = Json::List{0, 0};
    layers.push_back(layer(
        "Cropping2D", part,
        Json::Object{{"cropping", Json::List{rows, columns}}, {"data_format", "channels_last"}},
        outputs_of(first)));
    for (size_t k = 0; k < calls.size(); ++k) parts[k].push_back(Json::List{part, k, 0});
  }
  layers.push_back(layer("Concatenate", joined, Json::Object{{"axis", 1}}, parts));
  layers.push_back(
      layer("Permute", name, Json::Object{{"dims", Json::List{2, 3, 1}}}, outputs_of(joined)));
  return layers;
}

bool is_reduction(const LayerRecord& layer) {
  const Json* axes = layer.parameters.find("axes");
  return layer.type.starts_with("Reduce") && axes && axes->is_list();
}

}  // namespace

Openable openable(const LayerRecord& layer) {
  if (is_keras_layer(layer.type) || !reversed_channels(layer).empty()) return Openable::everywhere;
  const bool operation = layer.type == "ConstantOperation" || layer.type == "UnaryOperation" ||
                         layer.type == "Divide" || layer.type == "Slice" ||
                         layer.type == "LocalResponseNormalization" || is_reduction(layer);
  return operation ? Openable::tf_keras : Openable::nowhere;
}

int extra_depth(const LayerRecord& layer) { return reversed_channels(layer).empty() ? 0 : 3; }

std::vector<Json> write_operation(const LayerRecord& layer, const std::string& name,
                                  const Calls& calls) {
  if (const auto channels = reversed_channels(layer); !channels.empty())
    return reverse_channels(name, channels, calls);
  if (is_keras_layer(layer.type) || openable(layer) != Openable::tf_keras) return {};
  const Json& p = layer.parameters;
  if (layer.type == "Slice") return {slice(name, layer, calls)};
  if (layer.type == "Divide") return {binary(name, "divide", calls, {})};
  if (layer.type == "ConstantOperation")
    return {binary(name, p.at("operation").as_string(), calls, p.at("value"))};
  if (layer.type == "UnaryOperation")
    return {operation(name, "math." + p.at("operation").as_string(), calls, Json::object())};
  if (layer.type == "LocalResponseNormalization")
    return {operation(name, "nn.local_response_normalization", calls, p)};
  static const std::map<std::string, std::string> reductions = {{"ReduceMean", "math.reduce_mean"},
                                                                {"ReduceSum", "math.reduce_sum"},
                                                                {"ReduceMax", "math.reduce_max"},
                                                                {"ReduceMin", "math.reduce_min"}};
  return {operation(name, reductions.at(layer.type), calls,
                    Json::Object{{"axis", p.at("axes")}, {"keepdims", p.get("keepdims", false)}})};
}

}  // namespace ocellus::keras
