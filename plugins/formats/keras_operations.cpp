// Operations of a graph that are no layers of Keras, `x[..., ::-1] - mean` in a Functional model,
// become layers: Keras' own where one says the same, so that what is saved opens in every Keras
// (whereas Keras 3 does not reopen its own .h5 files with operations).
#include "keras_operations.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>

#include "ocellus/core/augmenter.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/layer.hpp"

namespace ocellus::keras {
namespace {

/// A number, or a number for every channel; constants of another shape have no layer.
Json per_channel(const Json& constant) {
  const Json* c = &constant;
  while (c->is_list() && c->size() == 1) c = &c->at(size_t{0});
  const bool numbers = c->is_list() && c->size() > 0 &&
                       std::all_of(c->as_list().begin(), c->as_list().end(),
                                   [](const Json& v) { return v.is_number(); });
  if (!c->is_number() && !numbers)
    throw Untranslatable{"its constant is neither a number nor a list with one for every channel"};
  return *c;
}

Json map_numbers(const Json& constant, const std::function<double(double)>& f) {
  if (!constant.is_list()) return f(constant.as_double());
  Json list = Json::list();
  for (const Json& v : constant.as_list()) list.push_back(f(v.as_double()));
  return list;
}

}  // namespace

void Translator::run() {
  restore_written(graph_);
  const auto is_operation = [](const LayerRecord& l) { return l.type == operation_type; };
  if (std::none_of(graph_.layers.begin(), graph_.layers.end(), is_operation)) return;
  join_channel_picks(graph_);
  std::vector<LayerRecord> layers = std::move(graph_.layers);
  graph_.layers.clear();
  for (LayerRecord& l : layers) {
    if (is_operation(l))
      translate(l);
    else
      append(std::move(l));
  }
}

void Translator::append(LayerRecord layer) {
  learn_shapes(layer);
  graph_.layers.push_back(std::move(layer));
}

// Some operations mean different things by the shape of their input; plans know shapes. Where one
// cannot be had (a layer that nobody supplies), what comes behind has none either.
void Translator::learn_shapes(const LayerRecord& l) {
  const TypeInfo* info = reading_.registry.find(Kind::layer, l.type);
  if (!info) info = reading_.registry.find(Kind::augmenter, l.type);
  if (!info || l.calls.empty()) return;
  PlanRequest request;
  for (const TensorRef& t : l.calls.front()) {
    const Shape* s = shape_of(t);
    if (!s) return;
    request.inputs.push_back(*s);
  }
  try {
    Json checked = info->schema.check(open_extents_filled(l), l.name);
    const auto object = info->create(checked);
    const auto layer = info->kind == Kind::layer
                           ? std::static_pointer_cast<const Layer>(object)
                           : as_layer(std::static_pointer_cast<const Augmenter>(object));
    const LayerPlan plan = layer->plan(request);
    for (size_t i = 0; i < plan.outputs.size(); ++i)
      shapes_[{l.name, static_cast<int>(i)}] = plan.outputs[i];
  } catch (const Error&) {
    // The network will say what is wrong with it.
  }
}

// A size that the file leaves open is stood for by some number: rank and channels stay right, and
// operations that would need the size itself are refused.
Json Translator::open_extents_filled(const LayerRecord& l) {
  Json parameters = l.parameters;
  Json* shape = parameters.find("shape");
  if (l.type != "Input" || !shape || !shape->is_list()) return parameters;
  for (Json& extent : shape->as_list())
    if (!extent.is_integer() || extent.as_int() < 0) {
      extent = 64;
      open_ = true;
    }
  return parameters;
}

const Shape* Translator::shape_of(const TensorRef& t) const {
  const auto it = shapes_.find({t.layer, t.output});
  return it == shapes_.end() ? nullptr : &it->second;
}

const Shape& Translator::known_shape(int input) const {
  const Shape* s = shape_of(layer_->calls.front().at(static_cast<size_t>(input)));
  if (!s) throw Untranslatable{"the shape of its input is not known"};
  return *s;
}

const Shape& Translator::fixed_shape(int input) const {
  if (open_) throw Untranslatable{"it needs the size of its input, which the file leaves open"};
  return known_shape(input);
}

std::string Translator::emit(const std::string& type, Json parameters,
                             const std::vector<Source>& sources, const std::string& suffix) {
  LayerRecord l;
  l.type = type;
  l.name = layer_->name + (suffix.empty() ? "" : "/" + suffix);
  l.parameters = std::move(parameters);
  for (size_t k = 0; k < layer_->calls.size(); ++k) {
    std::vector<TensorRef>& call = l.calls.emplace_back();
    for (const Source& s : sources) {
      if (const int* input = std::get_if<int>(&s))
        call.push_back(layer_->calls[k].at(static_cast<size_t>(*input)));
      else
        call.push_back({std::get<std::string>(s), static_cast<int>(k), 0});
    }
  }
  const std::string name = l.name;
  append(std::move(l));
  return name;
}

void Translator::translate(LayerRecord& layer) {
  layer_ = &layer;
  const OperationCall call(layer);
  const size_t before = graph_.layers.size();
  try {
    emit_function(call);
  } catch (const Untranslatable& u) {
    keep(call, before, u.reason);
  } catch (const DataError& e) {
    keep(call, before, e.what());
  }
}

// Opened by its name, so that the rest of the model can be looked at.
void Translator::keep(const OperationCall& call, size_t before, const std::string& reason) {
  graph_.layers.resize(before);
  const std::string function = layer_->parameters.at("function").as_string();
  reading_.warnings.push_back(
      fmt::format("operation '{}' ({}): {}; the model opens, but does not run", layer_->name,
                  function, reason));
  layer_->type = function;
  layer_->parameters = Json::Object{{"arguments", call.positional}, {"options", call.named}};
  append(std::move(*layer_));
}

void Translator::emit_function(const OperationCall& c) {
  using Method = void (Translator::*)(const OperationCall&);
  static const std::map<std::string, Method> methods = {
      {"add", &Translator::binary},
      {"subtract", &Translator::binary},
      {"multiply", &Translator::binary},
      {"divide", &Translator::binary},
      {"power", &Translator::binary},
      {"maximum", &Translator::binary},
      {"minimum", &Translator::binary},
      {"reverse_subtract", &Translator::binary},
      {"reverse_divide", &Translator::binary},
      {"reverse_power", &Translator::binary},
      {"cast", &Translator::cast},
      {"clip", &Translator::clip},
      {"concatenate", &Translator::concatenate},
      {"expand_dims", &Translator::expand_dims},
      {"flip", &Translator::flip},
      {"get_item", &Translator::get_item},
      {"local_response_normalization", &Translator::local_response_normalization},
      {"pad", &Translator::pad},
      {"reshape", &Translator::reshape},
      {"resize", &Translator::resize},
      {"squeeze", &Translator::squeeze},
      {"stack", &Translator::stack},
      {"strided_slice", &Translator::strided_slice},
      {"transpose", &Translator::transpose},
  };
  if (const auto m = methods.find(c.function); m != methods.end()) return (this->*m->second)(c);
  if (is_reduction(c.function)) return reduce(c);
  if (is_activation_function(c.function)) return activation(c);
  if (is_unary_function(c.function)) return unary(c);
  throw Untranslatable{"no layer computes it"};
}

Json Translator::first(const OperationCall& c) {
  return c.argument(0, {"x", "input", "inputs", "input_tensor", "tensor", "images", "features",
                        "logits", "value", "a", "t"});
}

int Translator::input_of(const Json& argument) {
  if (argument.is_list() && argument.size() == 1) return input_of(argument.at(size_t{0}));
  if (!is_tensor(argument)) throw Untranslatable{"its first argument is no tensor"};
  return argument.at("tensor").as_int();
}

// x + y and the like, where one of the two may be constant.
void Translator::binary(const OperationCall& c) {
  if (c.option({"data_format"}).is_string() && c.option({"data_format"}).as_string() == "NCHW")
    throw Untranslatable{"it is channels_first"};
  std::string f = c.function;
  Json x = c.argument(0, {"x", "x1", "value"}), y = c.argument(1, {"y", "x2", "bias"});
  if (f.starts_with("reverse_")) {
    f.erase(0, 8);
    std::swap(x, y);
  }
  if (is_tensor(x) && is_tensor(y)) return merge(f, input_of(x), input_of(y));
  if (is_tensor(y))
    with_constant(f, input_of(y), per_channel(x), true);
  else
    with_constant(f, input_of(x), per_channel(y), false);
}

void Translator::merge(const std::string& f, int x, int y) {
  static const std::map<std::string, std::string> types = {
      {"add", "Add"},       {"subtract", "Subtract"}, {"multiply", "Multiply"},
      {"divide", "Divide"}, {"maximum", "Maximum"},   {"minimum", "Minimum"}};
  const auto type = types.find(f);
  if (type == types.end()) throw Untranslatable{"no layer computes it for two tensors"};
  // Operations align shapes at their ends, Keras' merging layers behind the batch.
  const auto& inputs = layer_->calls.front();
  const Shape *a = shape_of(inputs.at(static_cast<size_t>(x))),
              *b = shape_of(inputs.at(static_cast<size_t>(y)));
  if (a && b && a->rank() != b->rank()) throw Untranslatable{"its tensors have different ranks"};
  emit(type->second, Json::object(), {x, y});
}

// `reverse`: the constant comes first.
void Translator::with_constant(const std::string& f, int x, const Json& value, bool reverse) {
  const auto rescale = [&](const Json& scale, const Json& offset) {
    emit("Rescaling", Json::Object{{"scale", scale}, {"offset", offset}}, {x});
  };
  const auto negative = [](double v) { return -v; };
  if (f == "add") return rescale(1.0, value);
  if (f == "multiply") return rescale(value, 0.0);
  if (f == "subtract" && reverse) return rescale(-1.0, value);
  if (f == "subtract") return rescale(1.0, map_numbers(value, negative));
  if (f == "divide" && !reverse)
    return rescale(map_numbers(value, [](double v) { return 1 / v; }), 0.0);
  if (f == "maximum" && value.is_number() && value.as_double() == 0)
    return void(emit("ReLU", Json::object(), {x}));
  const double exponent = f == "power" && !reverse && value.is_number() ? value.as_double() : 0;
  if (exponent == 2 || exponent == 3) return product(x, static_cast<size_t>(exponent));
  const bool commutes = f == "maximum" || f == "minimum";
  emit("ConstantOperation",
       Json::Object{{"operation", (reverse && !commutes ? "reverse_" : "") + f}, {"value", value}},
       {x});
}

void Translator::product(int x, size_t factors) {
  emit("Multiply", Json::object(), std::vector<Source>(factors, x));
}

void Translator::clip(const OperationCall& c) {
  const int x = tensor_of(c);
  const Json low = per_channel(c.argument(1, {"clip_value_min", "x_min"})),
             high = per_channel(c.argument(2, {"clip_value_max", "x_max"}));
  if (low.is_number() && low.as_double() == 0 && high.is_number())
    return void(emit("ReLU", Json::Object{{"max_value", high}}, {x}));
  const std::string above = emit(
      "ConstantOperation", Json::Object{{"operation", "maximum"}, {"value", low}}, {x}, "maximum");
  emit("ConstantOperation", Json::Object{{"operation", "minimum"}, {"value", high}}, {above});
}

// Everything is computed in f32: a change among floats is nothing, one to whole numbers rounds.
void Translator::cast(const OperationCall& c) {
  Json type = c.argument(1, {"dtype", "DstT"});
  if (type.is_object()) type = type.get("name", "");
  static const std::set<std::string> floats = {"float16", "bfloat16",    "float32",  "float64",
                                               "DT_HALF", "DT_BFLOAT16", "DT_FLOAT", "DT_DOUBLE",
                                               "half",    "float",       "double"};
  if (!type.is_string() || !floats.count(type.as_string()))
    throw Untranslatable{fmt::format("it casts to {}; only floats are computed", type.dump())};
  emit("Activation", Json::Object{{"activation", "linear"}}, {tensor_of(c)});
}

void Translator::activation(const OperationCall& c) {
  const int x = tensor_of(c);
  const auto number = [&](std::initializer_list<const char*> names, double otherwise) {
    const Json v = c.argument(1, names);
    return v.is_number() ? v.as_double() : otherwise;
  };
  const std::string& f = c.function;
  if (f == "relu") return void(emit("ReLU", Json::object(), {x}));
  if (f == "relu6") return void(emit("ReLU", Json::Object{{"max_value", 6.0}}, {x}));
  if (f == "leaky_relu")
    return void(emit("LeakyReLU",
                     Json::Object{{"negative_slope", number({"alpha", "negative_slope"}, 0.2)}},
                     {x}));
  if (f == "elu") return void(emit("ELU", Json::Object{{"alpha", number({"alpha"}, 1.0)}}, {x}));
  if (f == "softmax" && number({"axis"}, -1) != -1)
    return void(emit("Softmax", Json::Object{{"axis", c.argument(1, {"axis"})}}, {x}));
  if (f == "log_softmax" && number({"axis"}, -1) != -1)
    throw Untranslatable{"log_softmax is computed along the last axis only"};
  std::string name = f == "identity" ? "linear" : f;
  if (f == "gelu") {
    // keras.ops.gelu approximates unless told otherwise, tf.nn.gelu does not.
    const Json approximate = c.argument(1, {"approximate"});
    if (approximate.is_bool() && approximate.as_bool()) name = "gelu_tanh";
  }
  if (!reading_.registry.find(Kind::activation, name))
    throw Untranslatable{fmt::format("no loaded plugin supplies the activation '{}'", name)};
  emit("Activation", Json::Object{{"activation", name}}, {x});
}

void Translator::unary(const OperationCall& c) {
  if (c.function == "negative") return with_constant("multiply", tensor_of(c), -1.0, false);
  if (c.function == "square") return product(tensor_of(c), 2);
  emit("UnaryOperation", Json::Object{{"operation", c.function}}, {tensor_of(c)});
}

void Translator::reduce(const OperationCall& c) {
  const int x = tensor_of(c);
  const std::vector<int> axes = axes_of(c.argument(1, {"axis", "reduction_indices", "axes"}), x);
  const Json keep = c.option({"keepdims", "keep_dims"});
  const bool keepdims = keep.is_bool() && keep.as_bool();
  if (axes.empty() || axes.front() == 0) throw Untranslatable{"it reduces over the batch as well"};
  const bool global = c.function == "mean" || c.function == "max";
  const std::string pooling = c.function == "mean" ? "GlobalAveragePooling" : "GlobalMaxPooling";
  const int rank = known_shape(x).rank();
  const Json keep_parameter = Json::Object{{"keepdims", keepdims}};
  if (global && rank == 4 && axes == std::vector<int>{1, 2})
    return void(emit(pooling + "2D", keep_parameter, {x}));
  if (global && rank == 3 && axes == std::vector<int>{1})
    return void(emit(pooling + "1D", keep_parameter, {x}));
  static const std::map<std::string, std::string> types = {
      {"mean", "ReduceMean"}, {"sum", "ReduceSum"}, {"max", "ReduceMax"}, {"min", "ReduceMin"}};
  emit(types.at(c.function), Json::Object{{"axes", Json::list_of(axes)}, {"keepdims", keepdims}},
       {x});
}

void Translator::local_response_normalization(const OperationCall& c) {
  Json parameters = Json::object();
  for (const char* key : {"depth_radius", "bias", "alpha", "beta"}) {
    const Json v = c.option({key});
    if (!v.is_null()) parameters[key] = v;
  }
  emit("LocalResponseNormalization", parameters, {tensor_of(c)});
}
void translate_operations(GraphRecord& graph, const Reading& reading) {
  Translator(graph, reading).run();
}

}  // namespace ocellus::keras
