// Layers that Keras does not have, in words that a Keras understands: what keras_operations.cpp
// reads is written so that it reads the same again. Where a layer or a few layers of Keras say the
// same they are written, since both Kerases open them. Else tf.keras has TFOpLambda for any
// function of TensorFlow, and Keras 3, in archives, the classes of keras.ops: it opens no .h5 file
// with operations.
#include <algorithm>
#include <cctype>
#include <functional>
#include <map>
#include <optional>

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

Json map_numbers(const Json& value, double (*f)(double)) {
  if (!value.is_list()) return f(value.as_double());
  Json list = Json::list();
  for (const Json& v : value.as_list()) list.push_back(f(v.as_double()));
  return list;
}

// A whole number would be an integer, which TensorFlow does not add to floats.
Json floats(const Json& value) {
  return map_numbers(value, [](double v) { return v; });
}

const std::string reverse = "reverse_";

// A function of two, one of them constant or another tensor.
Json binary(const std::string& name, std::string f, const Calls& calls, const Json& constant) {
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

// For each axis, the batch included, {start, stop, step} or a number.
Json slice_spec(const LayerRecord& layer) {
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
  return spec;
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

Json plain_layer(const std::string& class_name, const std::string& name, Json config,
                 const Calls& calls) {
  Json nodes = Json::list();
  for (const auto& call : calls) {
    Json node = Json::list();
    for (const Json& input : call) node.push_back(with_arguments(input, Json::object()));
    nodes.push_back(std::move(node));
  }
  return entry(class_name, name, std::move(config), std::move(nodes));
}

// Calls on what each call of the layer `name` gives.
Calls outputs_of(const std::string& name, size_t calls) {
  Calls c;
  for (size_t k = 0; k < calls; ++k) c.emplace_back().push_back(Json::List{name, k, 0});
  return c;
}

// (H, W, C) -> (C, H, W), cut into rows of one channel, put together in the other order, and back.
std::vector<Json> reverse_channels(const std::string& name, const std::vector<int>& channels,
                                   const Calls& calls) {
  const int count = static_cast<int>(channels.size());
  const std::string first = name + "_channels_first", joined = name + "_joined";
  std::vector<Json> layers = {
      plain_layer("Permute", first, Json::Object{{"dims", Json::List{3, 1, 2}}}, calls)};
  Calls parts(calls.size());
  for (const int c : channels) {
    const std::string part = name + "_channel_" + std::to_string(c);
    const Json rows = Json::List{c, count - 1 - c}, columns = Json::List{0, 0};
    layers.push_back(plain_layer(
        "Cropping2D", part,
        Json::Object{{"cropping", Json::List{rows, columns}}, {"data_format", "channels_last"}},
        outputs_of(first, calls.size())));
    for (size_t k = 0; k < calls.size(); ++k) parts[k].push_back(Json::List{part, k, 0});
  }
  layers.push_back(plain_layer("Concatenate", joined, Json::Object{{"axis", 1}}, parts));
  layers.push_back(plain_layer("Permute", name, Json::Object{{"dims", Json::List{2, 3, 1}}},
                               outputs_of(joined, calls.size())));
  return layers;
}

// max(x, c) is Maximum of x and 0 x + c (which is c for all finite x), |x| that of x and -x.
struct Helped {
  std::string type, suffix;
  Json scale, offset;
};
std::optional<Helped> helped(const LayerRecord& layer) {
  const std::string operation = layer.parameters.get("operation", "");
  if (layer.type == "UnaryOperation" && operation == "abs")
    return Helped{"Maximum", "_negative", -1.0, 0.0};
  if (layer.type == "ConstantOperation" && (operation == "maximum" || operation == "minimum"))
    return Helped{operation == "maximum" ? "Maximum" : "Minimum", "_constant", 0.0,
                  floats(layer.parameters.at("value"))};
  return std::nullopt;
}

std::vector<Json> with_helper(const Helped& h, const std::string& name, const Calls& calls) {
  const std::string helper = name + h.suffix;
  Calls both = calls;
  for (size_t k = 0; k < calls.size(); ++k) both[k].push_back(Json::List{helper, k, 0});
  return {plain_layer("Rescaling", helper, Json::Object{{"scale", h.scale}, {"offset", h.offset}},
                      calls),
          plain_layer(h.type, name, Json::object(), both)};
}

bool is_reduction(const LayerRecord& layer) {
  const Json* axes = layer.parameters.find("axes");
  return layer.type.starts_with("Reduce") && axes && axes->is_list();
}

// --- Keras 3
// --------------------------------------------------------------------------------------------------------

// An entry of keras.ops. `arguments` are those of one call. The shape of a tensor is that of a
// placeholder: Keras takes the tensor from `keras_history`.
Json keras3_operation(const std::string& name, const std::string& class_name, Json config,
                      const Calls& calls,
                      const std::function<Json::List(const std::vector<Json>&)>& arguments) {
  Json nodes = Json::list();
  for (const auto& call : calls) {
    std::vector<Json> tensors;
    for (const Json& history : call)
      tensors.push_back(Json::Object{{"class_name", "__keras_tensor__"},
                                     {"config", Json::Object{{"shape", Json::List{Json()}},
                                                             {"dtype", "float32"},
                                                             {"keras_history", history}}}});
    nodes.push_back(Json::Object{{"args", arguments(tensors)}, {"kwargs", Json::object()}});
  }
  const bool mathematical = class_name == "Erf" || class_name == "Rsqrt";
  config["name"] = name;
  return Json::Object{{"module", mathematical ? "keras.src.ops.math" : "keras.src.ops.numpy"},
                      {"class_name", class_name},
                      {"config", std::move(config)},
                      {"registered_name", class_name},
                      {"name", name},
                      {"inbound_nodes", std::move(nodes)}};
}

// "power" -> "Power"
std::string capitalized(std::string function) {
  function.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(function.front())));
  return function;
}

Json keras3_slice(const LayerRecord& layer, const std::string& name, const Calls& calls) {
  Json key = Json::list();
  const Json spec = slice_spec(layer);
  for (const Json& axis : spec.as_list())
    key.push_back(axis.is_object()
                      ? Json(Json::Object{{"class_name", "__slice__"}, {"config", axis}})
                      : axis);
  return keras3_operation(name, "GetItem", Json::object(), calls, [&](const auto& x) {
    return Json::List{x[0], key};
  });
}

Json keras3_constant_operation(const LayerRecord& layer, const std::string& name,
                               const Calls& calls) {
  std::string f = layer.parameters.at("operation").as_string();
  const bool constant_first = f.starts_with(reverse);
  if (constant_first) f.erase(0, reverse.size());
  Json value = floats(layer.parameters.at("value"));
  if (value.is_list())
    value = Json::Object{{"class_name", "__numpy__"},
                         {"config", Json::Object{{"value", value}, {"dtype", "float32"}}}};
  return keras3_operation(name, capitalized(f), Json::object(), calls, [&](const auto& x) {
    return constant_first ? Json::List{value, x[0]} : Json::List{x[0], value};
  });
}

Json keras3(const LayerRecord& layer, const std::string& name, const Calls& calls) {
  if (layer.type == "Slice") return keras3_slice(layer, name, calls);
  if (layer.type == "ConstantOperation") return keras3_constant_operation(layer, name, calls);
  const auto tensors = [](const std::vector<Json>& x) { return Json::List(x.begin(), x.end()); };
  if (layer.type == "Divide")
    return keras3_operation(name, "Divide", Json::object(), calls, tensors);
  const Json& p = layer.parameters;
  if (layer.type == "UnaryOperation")
    return keras3_operation(name, capitalized(p.at("operation").as_string()), Json::object(), calls,
                            tensors);
  static const std::string prefix = "Reduce";
  return keras3_operation(
      name, layer.type.substr(prefix.size()),
      Json::Object{{"axis", p.at("axes")}, {"keepdims", p.get("keepdims", false)}}, calls, tensors);
}

// --- tf.keras
// -------------------------------------------------------------------------------------------------------

Json tf_keras(const LayerRecord& layer, const std::string& name, const Calls& calls) {
  const Json& p = layer.parameters;
  if (layer.type == "Slice")
    return operation(name, "__operators__.getitem", calls,
                     Json::Object{{"slice_spec", slice_spec(layer)}});
  if (layer.type == "Divide") return binary(name, "divide", calls, {});
  if (layer.type == "ConstantOperation")
    return binary(name, p.at("operation").as_string(), calls, floats(p.at("value")));
  if (layer.type == "UnaryOperation")
    return operation(name, "math." + p.at("operation").as_string(), calls, Json::object());
  if (layer.type == "LocalResponseNormalization")
    return operation(name, "nn.local_response_normalization", calls, p);
  static const std::map<std::string, std::string> reductions = {{"ReduceMean", "math.reduce_mean"},
                                                                {"ReduceSum", "math.reduce_sum"},
                                                                {"ReduceMax", "math.reduce_max"},
                                                                {"ReduceMin", "math.reduce_min"}};
  return operation(name, reductions.at(layer.type), calls,
                   Json::Object{{"axis", p.at("axes")}, {"keepdims", p.get("keepdims", false)}});
}

}  // namespace

LayerRecord in_keras_words(LayerRecord layer) {
  if (layer.type != "ConstantOperation" && layer.type != "UnaryOperation") return layer;
  const std::string f = layer.parameters.at("operation").as_string();
  const auto become = [&](const char* type, Json parameters) {
    layer.type = type;
    layer.parameters = std::move(parameters);
  };
  const auto rescale = [&](const Json& scale, const Json& offset) {
    become("Rescaling", Json::Object{{"scale", scale}, {"offset", offset}});
  };
  const auto multiply = [&](size_t factors) {
    become("Multiply", Json::object());
    for (auto& call : layer.calls) call.assign(factors, TensorRef(call.front()));
  };
  const Json* v = layer.parameters.find("value");
  const Json value = v ? floats(*v) : Json();
  if (f == "exp") become("Activation", Json::Object{{"activation", "exponential"}});
  if (f == "negative") rescale(-1.0, 0.0);
  if (f == "square") multiply(2);
  if (f == "power" && value == Json(2.0)) multiply(2);
  if (f == "power" && value == Json(3.0)) multiply(3);
  if (f == "add") rescale(1.0, value);
  if (f == "subtract") rescale(1.0, map_numbers(value, [](double v) { return -v; }));
  if (f == "reverse_subtract") rescale(-1.0, value);
  if (f == "multiply") rescale(value, 0.0);
  if (f == "divide") rescale(map_numbers(value, [](double v) { return 1 / v; }), 0.0);
  return layer;
}

Openable openable(const LayerRecord& layer) {
  if (is_keras_layer(in_keras_words(layer).type) || !reversed_channels(layer).empty() ||
      helped(layer))
    return Openable::everywhere;
  if (layer.type == "LocalResponseNormalization") return Openable::tf_keras;
  const bool operation = layer.type == "ConstantOperation" || layer.type == "UnaryOperation" ||
                         layer.type == "Divide" || layer.type == "Slice" || is_reduction(layer);
  return operation ? Openable::operation : Openable::nowhere;
}

Dialect archive_dialect(const GraphRecord& graph) {
  for (const LayerRecord& l : graph.layers)
    if (openable(l) == Openable::tf_keras) return Dialect::tf_keras;
  return Dialect::keras3;
}

int extra_depth(const LayerRecord& layer) {
  return helped(layer) ? 1 : reversed_channels(layer).empty() ? 0 : 3;
}

std::vector<Json> write_operation(const LayerRecord& layer, const std::string& name,
                                  const Calls& calls, Dialect dialect) {
  if (const auto channels = reversed_channels(layer); !channels.empty())
    return reverse_channels(name, channels, calls);
  if (const auto h = helped(layer)) return with_helper(*h, name, calls);
  const Openable by = openable(layer);
  if (by == Openable::operation && dialect == Dialect::keras3) return {keras3(layer, name, calls)};
  if (by == Openable::operation || by == Openable::tf_keras) return {tf_keras(layer, name, calls)};
  return {};
}

}  // namespace ocellus::keras
