// Operations of a graph that are no layers of Keras: `x[..., ::-1] - mean` in a Functional model.
// Files hold them as TFOpLambda and SlicingOpLambda (Keras 2.4 and newer), as TensorFlowOpLayer
// with a NodeDef (TensorFlow 2.1 to 2.3), or as classes of keras.ops (Keras 3). All are brought
// into one form, OperationCall, and become layers: Keras' own where one says the same, so that what
// is saved opens in every Keras (whereas Keras 3 does not reopen its own .h5 files with
// operations).
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <functional>
#include <map>
#include <set>
#include <variant>

#include "keras.hpp"
#include "ocellus/core/augmenter.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/graph_builder.hpp"
#include "ocellus/core/layer.hpp"

namespace ocellus::keras {
namespace {

// --- one form for all dialects
// ---------------------------------------------------------------------------------------

// Functions by the names that TensorFlow, its raw operations and keras.ops give them -> ours.
// Operations of keras.ops are classes: "TrueDivide" comes as "true_divide".
const std::map<std::string, std::string>& function_aliases() {
  static const std::map<std::string, std::string> names = {{"add_v2", "add"},
                                                           {"radd", "add"},
                                                           {"bias_add", "add"},
                                                           {"sub", "subtract"},
                                                           {"rsub", "reverse_subtract"},
                                                           {"mul", "multiply"},
                                                           {"rmul", "multiply"},
                                                           {"truediv", "divide"},
                                                           {"rtruediv", "reverse_divide"},
                                                           {"true_divide", "divide"},
                                                           {"real_div", "divide"},
                                                           {"div", "divide"},
                                                           {"pow", "power"},
                                                           {"rpow", "reverse_power"},
                                                           {"neg", "negative"},
                                                           {"absolute", "abs"},
                                                           {"inv", "reciprocal"},
                                                           {"clip_by_value", "clip"},
                                                           {"reduce_mean", "mean"},
                                                           {"reduce_sum", "sum"},
                                                           {"reduce_max", "max"},
                                                           {"reduce_min", "min"},
                                                           {"amax", "max"},
                                                           {"amin", "min"},
                                                           {"concat", "concatenate"},
                                                           {"concat_v2", "concatenate"},
                                                           {"getitem", "get_item"},
                                                           {"pack", "stack"},
                                                           {"reverse_v2", "flip"},
                                                           {"reverse", "flip"},
                                                           {"stop_gradient", "identity"},
                                                           {"resize_bilinear", "resize"},
                                                           {"resize_nearest_neighbor", "resize"},
                                                           {"resize_v2", "resize"},
                                                           {"pad_v2", "pad"},
                                                           {"lrn", "local_response_normalization"},
                                                           {"exp", "exponential"},
                                                           {"swish", "silu"},
                                                           {"hard_swish", "hard_silu"}};
  return names;
}

bool is_activation_function(const std::string& function) {
  static const std::set<std::string> names = {
      "celu",        "elu",       "exponential", "gelu",        "hard_sigmoid",
      "hard_silu",   "hard_tanh", "identity",    "leaky_relu",  "log_sigmoid",
      "log_softmax", "mish",      "relu",        "relu6",       "selu",
      "sigmoid",     "silu",      "soft_shrink", "hard_shrink", "softmax",
      "softplus",    "softsign",  "squareplus",  "tanh",        "tanh_shrink"};
  return names.count(function) != 0;
}

bool is_unary_function(const std::string& function) {
  static const std::set<std::string> names = {
      "abs",      "ceil",       "cos",   "erf",   "exp",  "expm1", "floor", "log",   "log1p",
      "negative", "reciprocal", "round", "rsqrt", "sign", "sin",   "sqrt",  "square"};
  return names.count(function) != 0;
}

bool is_reduction(const std::string& function) {
  return function == "mean" || function == "sum" || function == "max" || function == "min";
}

// "math.reduce_mean", "__operators__.getitem", "TrueDivide", "AddV2" -> "mean", "get_item", ...
std::string canonical(const std::string& function) {
  std::string name = function.substr(function.rfind('.') + 1);
  if (std::isupper(static_cast<unsigned char>(name.front()))) name = keras_layer_name(name, 0);
  const auto alias = function_aliases().find(name);
  return alias == function_aliases().end() ? name : alias->second;
}

Json tensor_argument(int input) { return Json::Object{{"tensor", input}}; }
bool is_tensor(const Json& j) { return j.is_object() && j.size() == 1 && j.find("tensor"); }

// A list that begins with a layer's name: [layer, node, tensor], and kwargs in the fourth place.
bool is_reference(const Json& j) {
  return j.is_list() && j.size() >= 3 && j.at(size_t{0}).is_string() && j.at(1).is_integer();
}

// Numbers, lists and slices out of the objects that stand for them; tensors become
// {"tensor": index into `inputs`}.
Json argument_of(const Json& j, std::vector<Reference>& inputs) {
  const auto tensor = [&](const Json& r) {
    inputs.push_back({r.at(size_t{0}).as_string(), r.at(1).as_int(), r.at(2).as_int()});
    return tensor_argument(static_cast<int>(inputs.size()) - 1);
  };
  if (is_reference(j)) {
    // tf.keras: a constant in the place of the first input.
    return j.at(size_t{0}).as_string() == "_CONSTANT_VALUE" ? argument_of(j.at(2), inputs)
                                                            : tensor(j);
  }
  if (j.is_list()) {
    Json list = Json::list();
    for (const Json& item : j.as_list()) list.push_back(argument_of(item, inputs));
    return list;
  }
  if (!j.is_object()) return j;
  const std::string class_name = j.get("class_name", "");
  if (class_name == "__keras_tensor__") return tensor(j.at("config").at("keras_history"));
  if (class_name == "__numpy__" || class_name == "__tensor__") return j.at("config").at("value");
  if (class_name == "__slice__") return argument_of(j.at("config"), inputs);
  if (class_name == "__tuple__") return argument_of(j.at("items"), inputs);
  Json object = Json::object();
  for (const auto& [key, value] : j.as_object()) object[key] = argument_of(value, inputs);
  return object;
}

// Attributes of a NodeDef in JSON: {"b": true}, {"i": "3"} (64 bits are a string), {"f": 0.5},
// {"type": "DT_FLOAT"}, {"list": {"i": ["1", "2"]}}.
Json attribute_value(const std::string& kind, const Json& v) {
  if (v.is_list()) {
    Json list = Json::list();
    for (const Json& item : v.as_list()) list.push_back(attribute_value(kind, item));
    return list;
  }
  return kind == "i" && v.is_string() ? Json(std::atoll(v.as_string().c_str())) : v;
}
Json attribute_of(const Json& j) {
  if (!j.is_object() || j.size() != 1) return j;
  const auto& [kind, value] = j.as_object().front();
  return kind == "list" ? attribute_of(value) : attribute_value(kind, value);
}

// The inputs of a TensorFlowOpLayer: its tensors, and between them constants by their place.
Json with_constants(const Json& arguments, const Json& constants) {
  Json::List tensors;
  for (const Json& a : arguments.as_list())
    for (const Json& t : a.is_list() ? a.as_list() : Json::List{a}) tensors.push_back(t);
  Json all = Json::list();
  for (size_t i = 0, next = 0; i < tensors.size() + constants.size(); ++i) {
    const Json* constant = constants.find(std::to_string(i));
    if (!constant && next == tensors.size())
      throw DataError("its constants leave a place without an input");
    all.push_back(constant ? *constant : tensors[next++]);
  }
  return all;
}

/// One call of an operation: a function's name, and arguments by place and by name.
struct OperationCall {
  std::string function;
  Json positional, named;

  explicit OperationCall(const LayerRecord& layer)
      : function(canonical(layer.parameters.at("function").as_string())),
        positional(layer.parameters.at("arguments")),
        named(layer.parameters.at("options")) {}

  /// An argument by its place or one of its names; null where it is not given.
  Json argument(size_t place, std::initializer_list<const char*> names) const {
    if (place < positional.size()) return positional.at(place);
    return option(names);
  }
  Json option(std::initializer_list<const char*> names) const {
    for (const char* name : names)
      if (const Json* value = named.find(name)) return *value;
    return {};
  }
};

// --- translation
// ----------------------------------------------------------------------------------------------------

/// Why an operation has no counterpart among layers.
struct Untranslatable {
  std::string reason;
};

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

/// What an index does to one axis.
struct AxisIndex {
  Json begin, end, stride;  ///< integers or null, as in Python
  bool dropped = false;     ///< a number: the axis goes
};

class Translator {
 public:
  Translator(GraphRecord& graph, const Reading& reading) : graph_(graph), reading_(reading) {}

  void run() {
    restore_reversals();
    restore_helped();
    const auto is_operation = [](const LayerRecord& l) { return l.type == operation_type; };
    if (std::none_of(graph_.layers.begin(), graph_.layers.end(), is_operation)) return;
    join_channel_picks();
    std::vector<LayerRecord> layers = std::move(graph_.layers);
    graph_.layers.clear();
    for (LayerRecord& l : layers) {
      if (is_operation(l))
        translate(l);
      else
        append(std::move(l));
    }
  }

 private:
  // --- the graph around an operation

  void append(LayerRecord layer) {
    learn_shapes(layer);
    graph_.layers.push_back(std::move(layer));
  }

  // Some operations mean different things by the shape of their input; plans know shapes. Where one
  // cannot be had (a layer that nobody supplies), what comes behind has none either.
  void learn_shapes(const LayerRecord& l) {
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
  Json open_extents_filled(const LayerRecord& l) {
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

  const Shape* shape_of(const TensorRef& t) const {
    const auto it = shapes_.find({t.layer, t.output});
    return it == shapes_.end() ? nullptr : &it->second;
  }

  const Shape& known_shape(int input) const {
    const Shape* s = shape_of(layer_->calls.front().at(static_cast<size_t>(input)));
    if (!s) throw Untranslatable{"the shape of its input is not known"};
    return *s;
  }
  const Shape& fixed_shape(int input) const {
    if (open_) throw Untranslatable{"it needs the size of its input, which the file leaves open"};
    return known_shape(input);
  }

  /// A layer on inputs of the operation (numbers) or on layers emitted before (names). The last one
  /// takes the operation's name (empty `suffix`), those before it "NAME/suffix". Returns its name.
  using Source = std::variant<int, std::string>;
  std::string emit(const std::string& type, Json parameters, const std::vector<Source>& sources,
                   const std::string& suffix = {}) {
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

  void translate(LayerRecord& layer) {
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
  void keep(const OperationCall& call, size_t before, const std::string& reason) {
    graph_.layers.resize(before);
    const std::string function = layer_->parameters.at("function").as_string();
    reading_.warnings.push_back(
        fmt::format("operation '{}' ({}): {}; the model opens, but does not run", layer_->name,
                    function, reason));
    layer_->type = function;
    layer_->parameters = Json::Object{{"arguments", call.positional}, {"options", call.named}};
    append(std::move(*layer_));
  }

  // --- functions

  void emit_function(const OperationCall& c) {
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

  /// Index of the operation's only tensor, which must stand in the first place.
  int tensor_of(const OperationCall& c) const { return input_of(first(c)); }
  static Json first(const OperationCall& c) {
    return c.argument(0, {"x", "input", "inputs", "input_tensor", "tensor", "images", "features",
                          "logits", "value", "a", "t"});
  }
  static int input_of(const Json& argument) {
    if (argument.is_list() && argument.size() == 1) return input_of(argument.at(size_t{0}));
    if (!is_tensor(argument)) throw Untranslatable{"its first argument is no tensor"};
    return argument.at("tensor").as_int();
  }

  // x + y and the like, where one of the two may be constant.
  void binary(const OperationCall& c) {
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

  void merge(const std::string& f, int x, int y) {
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
  void with_constant(const std::string& f, int x, const Json& value, bool reverse) {
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
    emit(
        "ConstantOperation",
        Json::Object{{"operation", (reverse && !commutes ? "reverse_" : "") + f}, {"value", value}},
        {x});
  }

  void product(int x, size_t factors) {
    emit("Multiply", Json::object(), std::vector<Source>(factors, x));
  }

  void clip(const OperationCall& c) {
    const int x = tensor_of(c);
    const Json low = per_channel(c.argument(1, {"clip_value_min", "x_min"})),
               high = per_channel(c.argument(2, {"clip_value_max", "x_max"}));
    if (low.is_number() && low.as_double() == 0 && high.is_number())
      return void(emit("ReLU", Json::Object{{"max_value", high}}, {x}));
    const std::string above =
        emit("ConstantOperation", Json::Object{{"operation", "maximum"}, {"value", low}}, {x},
             "maximum");
    emit("ConstantOperation", Json::Object{{"operation", "minimum"}, {"value", high}}, {above});
  }

  // Everything is computed in f32: a change among floats is nothing, one to whole numbers rounds.
  void cast(const OperationCall& c) {
    Json type = c.argument(1, {"dtype", "DstT"});
    if (type.is_object()) type = type.get("name", "");
    static const std::set<std::string> floats = {"float16", "bfloat16",    "float32",  "float64",
                                                 "DT_HALF", "DT_BFLOAT16", "DT_FLOAT", "DT_DOUBLE",
                                                 "half",    "float",       "double"};
    if (!type.is_string() || !floats.count(type.as_string()))
      throw Untranslatable{fmt::format("it casts to {}; only floats are computed", type.dump())};
    emit("Activation", Json::Object{{"activation", "linear"}}, {tensor_of(c)});
  }

  void activation(const OperationCall& c) {
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

  void unary(const OperationCall& c) {
    if (c.function == "negative") return with_constant("multiply", tensor_of(c), -1.0, false);
    if (c.function == "square") return product(tensor_of(c), 2);
    emit("UnaryOperation", Json::Object{{"operation", c.function}}, {tensor_of(c)});
  }

  // Axes counted with the batch, none negative; empty where the argument is null.
  std::vector<int> axes_of(const Json& j, int x) const {
    std::vector<int> axes;
    if (j.is_null()) return axes;
    for (const Json& a : j.is_list() ? j.as_list() : Json::List{j}) {
      const int axis = a.as_int();
      axes.push_back(axis < 0 ? axis + known_shape(x).rank() : axis);
    }
    std::sort(axes.begin(), axes.end());
    return axes;
  }

  void reduce(const OperationCall& c) {
    const int x = tensor_of(c);
    const std::vector<int> axes = axes_of(c.argument(1, {"axis", "reduction_indices", "axes"}), x);
    const Json keep = c.option({"keepdims", "keep_dims"});
    const bool keepdims = keep.is_bool() && keep.as_bool();
    if (axes.empty() || axes.front() == 0)
      throw Untranslatable{"it reduces over the batch as well"};
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

  // --- shapes

  void reshape(const OperationCall& c) {
    const Json shape = c.argument(1, {"shape", "newshape"});
    if (!shape.is_list() || shape.size() < 2)
      throw Untranslatable{"its shape is no list that begins with the batch"};
    Json target = Json::list();
    for (size_t i = 1; i < shape.size(); ++i) {
      const Json& extent = shape.at(i);
      if (!extent.is_integer() && !extent.is_null())
        throw Untranslatable{"its shape is computed by other operations"};
      target.push_back(extent.is_null() ? Json(-1) : extent);
    }
    emit("Reshape", Json::Object{{"target_shape", target}}, {tensor_of(c)});
  }

  std::string emit_shape(const std::vector<int>& item, Source x, const std::string& suffix = {}) {
    return emit("Reshape", Json::Object{{"target_shape", Json::list_of(item)}}, {x}, suffix);
  }

  // Extents of one item of the operation's input.
  std::vector<int> item_of(int x) const {
    const Shape item = fixed_shape(x).without_batch();
    return {item.extents().begin(), item.extents().end()};
  }

  static int axis_in(const Json& j, int rank) {
    const int axis = j.as_int() < 0 ? j.as_int() + rank : j.as_int();
    if (axis < 1 || axis >= rank) throw Untranslatable{"it changes the batch's axis"};
    return axis;
  }

  void expand_dims(const OperationCall& c) {
    const int x = tensor_of(c);
    std::vector<int> item = item_of(x);
    const int axis = axis_in(c.argument(1, {"axis", "dim"}), static_cast<int>(item.size()) + 2);
    item.insert(item.begin() + axis - 1, 1);
    emit_shape(item, x);
  }

  void squeeze(const OperationCall& c) {
    const int x = tensor_of(c);
    const std::vector<int> item = item_of(x);
    const std::vector<int> axes = axes_of(c.argument(1, {"axis", "squeeze_dims"}), x);
    std::vector<int> left;
    for (size_t i = 0; i < item.size(); ++i) {
      const bool named = std::count(axes.begin(), axes.end(), static_cast<int>(i) + 1) != 0;
      if (named && item[i] != 1) throw Untranslatable{"it drops an axis that is not 1"};
      if (axes.empty() ? item[i] != 1 : !named) left.push_back(item[i]);
    }
    emit_shape(left, x);
  }

  void transpose(const OperationCall& c) {
    const Json order = c.argument(1, {"perm", "axes"});
    if (!order.is_list() || order.size() < 2 || order.at(size_t{0}).as_int() != 0)
      throw Untranslatable{"it moves the batch's axis"};
    const Json dims(Json::List(order.as_list().begin() + 1, order.as_list().end()));
    emit("Permute", Json::Object{{"dims", dims}}, {tensor_of(c)});
  }

  // Its tensors: one list, or (raw operations) one argument each.
  std::vector<Source> tensors_of(const OperationCall& c) const {
    const Json given = first(c).is_list() ? first(c) : c.argument(0, {"values", "xs"});
    std::vector<Source> sources;
    for (const Json& t : given.is_list() ? given.as_list() : c.positional.as_list())
      if (!t.is_number()) sources.emplace_back(input_of(t));  // the last of ConcatV2's is the axis
    return sources;
  }

  void concatenate(const OperationCall& c) {
    const std::vector<Source> sources = tensors_of(c);
    Json axis = c.option({"axis"});
    if (axis.is_null()) axis = c.positional.at(c.positional.size() - 1);
    if (!axis.is_integer() || axis.as_int() == 0) throw Untranslatable{"it joins batches"};
    if (sources.size() == 1) return void(emit("Activation", linear(), sources));
    emit("Concatenate", Json::Object{{"axis", axis}}, sources);
  }

  static Json linear() { return Json::Object{{"activation", "linear"}}; }

  void stack(const OperationCall& c) {
    const std::vector<Source> sources = tensors_of(c);
    const Json given = c.option({"axis"});
    std::vector<Source> parts;
    int axis = 0;
    for (const Source& s : sources) {
      std::vector<int> item = item_of(std::get<int>(s));
      axis = axis_in(given.is_null() ? Json(0) : given, static_cast<int>(item.size()) + 2);
      item.insert(item.begin() + axis - 1, 1);
      parts.emplace_back(emit_shape(item, s, fmt::format("part_{}", parts.size())));
    }
    emit("Concatenate", Json::Object{{"axis", axis}}, parts);
  }

  void flip(const OperationCall& c) {
    const int x = tensor_of(c);
    const std::vector<int> axes = axes_of(c.argument(1, {"axis", "axes"}), x);
    std::vector<AxisIndex> index(static_cast<size_t>(known_shape(x).rank()) - 1);
    if (axes.empty()) throw Untranslatable{"it turns the batch round"};
    for (const int a : axes)
      index.at(static_cast<size_t>(axis_in(a, known_shape(x).rank())) - 1).stride = -1;
    slice(index, {}, x);
  }

  // --- indexing

  void get_item(const OperationCall& c) {
    const int x = tensor_of(c);
    const Json spec = c.argument(1, {"slice_spec", "key"});
    const Json::List entries = spec.is_list() ? spec.as_list() : Json::List{spec};
    const auto is_ellipsis = [](const Json& e) {
      return e.get("class_name", "") == "__ellipsis__";
    };
    const auto given = std::count_if(entries.begin(), entries.end(), [&](const Json& e) {
      return !e.is_null() && !is_ellipsis(e);
    });
    const int rank = known_shape(x).rank();
    std::vector<AxisIndex> index;
    std::vector<int> new_axes;  // places in the result, as the index lists them
    int place = 0;
    for (const Json& e : entries) {
      if (e.is_null()) {
        new_axes.push_back(place++);
      } else if (is_ellipsis(e)) {
        for (int n = rank - static_cast<int>(given); n > 0; --n, ++place) index.emplace_back();
      } else if (e.is_integer()) {
        index.push_back({e, {}, {}, true});
      } else {
        const Json start = e.find("start") ? e.at("start") : Json(),
                   stop = e.find("stop") ? e.at("stop") : Json(),
                   step = e.find("step") ? e.at("step") : Json();
        for (const Json* bound : {&start, &stop, &step})
          if (!bound->is_null() && !bound->is_integer())
            throw Untranslatable{"its index is computed by other operations"};
        index.push_back({start, stop, step, false});
        ++place;
      }
    }
    if (index.empty()) throw Untranslatable{"it takes items out of the batch"};
    const AxisIndex& batch = index.front();
    if (batch.dropped || !batch.begin.is_null() || !batch.end.is_null() || !batch.stride.is_null())
      throw Untranslatable{"it takes items out of the batch"};
    index.erase(index.begin());
    index.resize(static_cast<size_t>(rank) - 1);
    slice(index, new_axes, x);
  }

  // The layer for an index, one entry for each axis behind the batch.
  void slice(const std::vector<AxisIndex>& index, const std::vector<int>& new_axes, int x) {
    Json begin = Json::list(), end = Json::list(), stride = Json::list();
    std::vector<int> squeezed;
    for (size_t i = 0; i < index.size(); ++i) {
      const AxisIndex& a = index[i];
      begin.push_back(a.begin);
      if (a.dropped) {
        squeezed.push_back(static_cast<int>(i) + 1);
        const int at = a.begin.as_int();
        end.push_back(at == -1 ? Json() : Json(at + 1));
      } else {
        end.push_back(a.end);
      }
      stride.push_back(a.stride);
    }
    if (new_axes.empty() && squeezed.empty()) {
      if (crop(index, x)) return;
      const Shape& shape = known_shape(x);
      // That its first channel is named tells the writer how many there are.
      if (shape.rank() == 4 && stride.at(2) == Json(-1) && begin.at(2).is_null())
        begin.as_list()[2] = shape[3] - 1;
    }
    Json parameters = Json::Object{{"begin", begin}, {"end", end}, {"stride", stride}};
    if (!squeezed.empty()) parameters["squeeze"] = Json::list_of(squeezed);
    if (new_axes.empty()) return void(emit("Slice", parameters, {x}));
    if (new_axes.front() == 0) throw Untranslatable{"it changes the batch's axis"};
    fixed_shape(x);
    const std::string sliced = emit("Slice", parameters, {x}, "slice");
    const Shape* shape = shape_of({sliced, 0, 0});
    if (!shape) throw Untranslatable{"its index does not fit its input"};
    const auto extents = shape->extents();
    std::vector<int> item(extents.begin(), extents.end());
    for (const int a : new_axes) item.insert(item.begin() + a, 1);
    item.erase(item.begin());
    emit_shape(item, sliced);
  }

  // A range of rows and columns is Keras' Cropping2D, one of steps Cropping1D. Bounds that are
  // counted from the other end need the extent.
  bool crop(const std::vector<AxisIndex>& index, int x) {
    const Shape& shape = known_shape(x);
    const size_t window = static_cast<size_t>(shape.rank()) - 2;
    if (window != 1 && window != 2) return false;
    Json cropping = Json::list();
    for (size_t i = 0; i <= window; ++i) {
      const AxisIndex& a = index[i];
      const int extent = shape[static_cast<int>(i) + 1];
      int before = a.begin.is_null() ? 0 : a.begin.as_int(),
          after = a.end.is_null() ? 0 : -a.end.as_int();
      const bool from_other_end = before < 0 || after < 0 || (!a.end.is_null() && after == 0);
      if (!(a.stride.is_null() || a.stride == Json(1)) || (from_other_end && open_)) return false;
      if (before < 0) before = std::max(0, before + extent);
      if (from_other_end && !a.end.is_null() && after <= 0) after = std::max(0, after + extent);
      if (before + after >= extent || (i == window && (before || after))) return false;
      if (i < window) cropping.push_back(Json::List{before, after});
    }
    emit(window == 2 ? "Cropping2D" : "Cropping1D",
         Json::Object{{"cropping", window == 2 ? cropping : cropping.at(size_t{0})}}, {x});
    return true;
  }

  // TensorFlow's raw form: begin, end, strides, and masks of the axes where they do not count.
  void strided_slice(const OperationCall& c) {
    const Json begin = c.argument(1, {"begin"}), end = c.argument(2, {"end"}),
               strides = c.argument(3, {"strides"});
    const auto masked = [&](const char* mask, size_t i) {
      const Json bits = c.option({mask});
      return bits.is_integer() && ((bits.as_int64() >> i) & 1) != 0;
    };
    Json spec = Json::list();
    for (size_t i = 0; i < begin.size(); ++i) {
      if (masked("ellipsis_mask", i))
        spec.push_back(Json::Object{{"class_name", "__ellipsis__"}});
      else if (masked("new_axis_mask", i))
        spec.push_back({});
      else if (masked("shrink_axis_mask", i))
        spec.push_back(begin.at(i));
      else
        spec.push_back(Json::Object{
            {"start", masked("begin_mask", i) ? Json() : begin.at(i)},
            {"stop", masked("end_mask", i) ? Json() : end.at(i)},
            {"step", strides.is_list() && strides.at(i) != Json(1) ? strides.at(i) : Json()}});
    }
    OperationCall item = c;
    item.function = "get_item";
    item.positional = Json::List{tensor_argument(tensor_of(c)), spec};
    get_item(item);
  }

  // Keras 3 makes BGR of RGB by stack([x[..., 2], x[..., 1], x[..., 0]], axis=-1): one Slice.
  void join_channel_picks() {
    std::map<std::string, LayerRecord*> named;
    for (LayerRecord& l : graph_.layers) named[l.name] = &l;
    for (LayerRecord& l : graph_.layers) {
      if (l.type != operation_type || l.calls.size() != 1) continue;
      const OperationCall c(l);
      if (c.function != "stack" || c.option({"axis"}) != Json(-1)) continue;
      std::vector<int> picks;
      const TensorRef* source = nullptr;
      for (const TensorRef& t : l.calls.front()) {
        const LayerRecord& from = *named.at(t.layer);
        const auto channel = picked_channel(from);
        if (!channel || (source && *source != from.calls.front().front())) break;
        source = &from.calls.front().front();
        picks.push_back(*channel);
      }
      const int step = picks.size() > 1 ? picks[1] - picks[0] : 0;
      bool even = picks.size() == l.calls.front().size() && (step == 1 || step == -1);
      for (size_t i = 1; even && i < picks.size(); ++i) even = picks[i] - picks[i - 1] == step;
      if (!even) continue;
      const int stop = picks.back() + step;
      l.calls.front() = {*source};
      l.parameters = Json::Object{
          {"function", "GetItem"},
          {"arguments", Json::List{tensor_argument(0),
                                   Json::List{Json::Object{{"class_name", "__ellipsis__"}},
                                              Json::Object{{"start", picks.front()},
                                                           {"stop", stop < 0 ? Json() : Json(stop)},
                                                           {"step", step}}}}},
          {"options", Json::object()}};
    }
    remove_unused_picks();
  }

  // The channel k of x[..., k].
  static std::optional<int> picked_channel(const LayerRecord& l) {
    if (l.type != operation_type || l.calls.size() != 1) return std::nullopt;
    const OperationCall c(l);
    const Json spec = c.argument(1, {"key", "slice_spec"});
    if (c.function != "get_item" || spec.size() != 2 || !spec.at(1).is_integer() ||
        spec.at(1).as_int() < 0 || spec.at(size_t{0}).get("class_name", "") != "__ellipsis__")
      return std::nullopt;
    return spec.at(1).as_int();
  }

  void remove_unused_picks() {
    std::set<std::string> used;
    for (const LayerRecord& l : graph_.layers)
      for (const auto& call : l.calls)
        for (const TensorRef& t : call) used.insert(t.layer);
    for (const TensorRef& t : graph_.outputs) used.insert(t.layer);
    std::erase_if(graph_.layers,
                  [&](const LayerRecord& l) { return picked_channel(l) && !used.count(l.name); });
  }

  // What write_operation() made of a Slice that turns the channels round: rows of channels, cut one
  // by one and put together backwards.
  void restore_reversals() {
    std::map<std::string, LayerRecord*> named;
    for (LayerRecord& l : graph_.layers) named[l.name] = &l;
    const auto source = [&](const LayerRecord& l, size_t i, const char* type) -> LayerRecord* {
      const auto it = named.find(l.calls.front().at(i).layer);
      return it != named.end() && it->second->type == type ? it->second : nullptr;
    };
    const auto moves = [](const LayerRecord& l, const Json& dims) {
      const Json* given = l.parameters.find("dims");
      return l.type == "Permute" && given && *given == dims;
    };
    std::set<std::string> helpers;
    for (LayerRecord& l : graph_.layers) {
      if (!moves(l, Json::List{2, 3, 1})) continue;
      LayerRecord* joined = source(l, 0, "Concatenate");
      if (!joined || !joined->name.ends_with("_joined")) continue;
      const size_t count = joined->calls.front().size();
      LayerRecord* first = nullptr;
      std::vector<LayerRecord*> parts;
      for (size_t i = 0; i < count; ++i) {
        LayerRecord* part = source(*joined, i, "Cropping2D");
        if (!part || !part->name.ends_with(fmt::format("_channel_{}", count - 1 - i))) break;
        LayerRecord* from = source(*part, 0, "Permute");
        if (!from || (first && from != first)) break;
        first = from;
        parts.push_back(part);
      }
      if (parts.size() != count || !moves(*first, Json::List{3, 1, 2})) continue;
      l.type = "Slice";
      l.parameters = reversed(static_cast<int>(count));
      l.foreign = Json::object();
      l.calls = first->calls;
      helpers.insert({joined->name, first->name});
      for (const LayerRecord* p : parts) helpers.insert(p->name);
    }
    std::erase_if(graph_.layers, [&](const LayerRecord& l) { return helpers.count(l.name) != 0; });
  }

  // What write_operation() made of |x|, max(x, c) and min(x, c).
  void restore_helped() {
    std::map<std::string, const LayerRecord*> named;
    for (const LayerRecord& l : graph_.layers) named[l.name] = &l;
    std::set<std::string> helpers;
    for (LayerRecord& l : graph_.layers) {
      if ((l.type != "Maximum" && l.type != "Minimum") || l.calls.empty()) continue;
      if (l.calls.front().size() != 2) continue;
      const auto found = named.find(l.calls.front().back().layer);
      if (found == named.end() || !is_helper_of(l, *found->second)) continue;
      const LayerRecord& helper = *found->second;
      if (helper.name.ends_with("_negative")) {
        l.type = "UnaryOperation";
        l.parameters = Json::Object{{"operation", "abs"}};
      } else {
        l.parameters = Json::Object{{"operation", l.type == "Maximum" ? "maximum" : "minimum"},
                                    {"value", helper.parameters.at("offset")}};
        l.type = "ConstantOperation";
      }
      l.foreign = Json::object();
      for (auto& call : l.calls) call.pop_back();
      helpers.insert(helper.name);
    }
    std::erase_if(graph_.layers, [&](const LayerRecord& l) { return helpers.count(l.name) != 0; });
  }

  // Whether each call of `l` is on x and on `helper` of the same x.
  static bool is_helper_of(const LayerRecord& l, const LayerRecord& helper) {
    const bool negative = helper.name.ends_with("_negative") && l.type == "Maximum";
    const Json* scale = helper.parameters.find("scale");
    if (helper.type != "Rescaling" || !(negative || helper.name.ends_with("_constant")) || !scale ||
        !scale->is_number() || scale->as_double() != (negative ? -1 : 0) ||
        helper.calls.size() != l.calls.size())
      return false;
    for (size_t k = 0; k < l.calls.size(); ++k) {
      const TensorRef expected{helper.name, static_cast<int>(k), 0};
      if (l.calls[k].size() != 2 || l.calls[k].back() != expected ||
          l.calls[k].front() != helper.calls[k].front())
        return false;
    }
    return true;
  }

  // Parameters of a Slice of an image that turns its channels round.
  static Json reversed(int channels) {
    const Json all = Json::List{{}, {}, {}};
    return Json::Object{{"begin", Json::List{{}, {}, channels - 1}},
                        {"end", all},
                        {"stride", Json::List{{}, {}, -1}}};
  }

  // --- images

  void pad(const OperationCall& c) {
    const Json widths = c.argument(1, {"paddings", "pad_width"});
    const Json value = c.option({"constant_values"});
    const Json mode = c.option({"mode"});
    std::string how = mode.is_string() ? mode.as_string() : "constant";
    std::transform(how.begin(), how.end(), how.begin(),
                   [](unsigned char ch) { return static_cast<char>(std::tolower(ch)); });
    const auto none = [&](size_t axis) { return widths.at(axis) == Json(Json::List{0, 0}); };
    if (widths.size() != 4 || !none(0) || !none(3) || how != "constant" ||
        (value.is_number() && value.as_double() != 0))
      throw Untranslatable{"only zeros round the rows and columns of an image are padded"};
    emit("ZeroPadding2D", Json::Object{{"padding", Json::List{widths.at(1), widths.at(2)}}},
         {tensor_of(c)});
  }

  void resize(const OperationCall& c) {
    const int x = tensor_of(c);
    const Json size = c.argument(1, {"size"});
    if (!size.is_list() || size.size() != 2 || !size.at(size_t{0}).is_integer() ||
        !size.at(1).is_integer())
      throw Untranslatable{"its size is computed by other operations"};
    const std::string raw = layer_->parameters.at("function").as_string();
    Json method = c.argument(2, {"method", "interpolation"});
    if (raw.find("Nearest") != std::string::npos) method = "nearest";
    if (!method.is_string()) method = "bilinear";
    const auto is_set = [&](const char* key) {
      const Json v = c.option({key});
      return v.is_bool() && v.as_bool();
    };
    for (const char* key : {"antialias", "preserve_aspect_ratio", "crop_to_aspect_ratio",
                            "pad_to_aspect_ratio", "align_corners"})
      if (is_set(key)) throw Untranslatable{fmt::format("{} is not computed", key)};
    if (raw.starts_with("Resize") && raw != "Resize" && !is_set("half_pixel_centers"))
      throw Untranslatable{"only half_pixel_centers are computed"};
    emit("Resizing",
         Json::Object{
             {"height", size.at(size_t{0})}, {"width", size.at(1)}, {"interpolation", method}},
         {x});
  }

  void local_response_normalization(const OperationCall& c) {
    Json parameters = Json::object();
    for (const char* key : {"depth_radius", "bias", "alpha", "beta"}) {
      const Json v = c.option({key});
      if (!v.is_null()) parameters[key] = v;
    }
    emit("LocalResponseNormalization", parameters, {tensor_of(c)});
  }

  GraphRecord& graph_;
  const Reading& reading_;
  std::map<std::pair<std::string, int>, Shape> shapes_;  ///< (layer, output) -> of the first call
  bool open_ = false;             ///< an input's size is open: extents are not to be relied on
  LayerRecord* layer_ = nullptr;  ///< the operation at hand
};

// Classes of keras.ops that may stand in a file without a module (.h5 files of Keras 3); those that
// are also layers are told apart by their configuration.
bool is_known_function(const std::string& class_name) {
  static const std::set<std::string> names = {
      "add",     "subtract", "multiply",    "divide",      "power",    "maximum",  "minimum",
      "cast",    "clip",     "concatenate", "expand_dims", "flip",     "get_item", "pad",
      "reshape", "resize",   "squeeze",     "stack",       "transpose"};
  const std::string f = canonical(class_name);
  return names.count(f) || is_reduction(f) || is_activation_function(f) || is_unary_function(f);
}

}  // namespace

bool is_operation(const Json& layer) {
  const std::string class_name = layer.at("class_name").as_string();
  if (class_name == "TFOpLambda" || class_name == "SlicingOpLambda" ||
      class_name == "TensorFlowOpLayer")
    return true;
  const Json* nodes = layer.find("inbound_nodes");
  if (!nodes || !nodes->is_list() || nodes->size() == 0 || !nodes->at(size_t{0}).is_object())
    return false;
  const std::string module = layer.get("module", "");
  if (!module.empty())
    return module.starts_with("keras.src.ops") || module.starts_with("keras.ops");
  // A layer's configuration says whether it is trained; an operation's never does.
  const Json& config = layer.at("config");
  return config.is_object() && !config.find("trainable") && is_known_function(class_name);
}

LayerRecord read_operation(const std::string& name, const Json& layer) {
  const Json& config = layer.at("config");
  const std::string class_name = layer.at("class_name").as_string();
  LayerRecord record;
  record.type = operation_type;
  record.name = name;
  Json options = Json::object();
  std::string function = class_name;
  if (const Json* node = config.find("node_def")) {
    // {"op": "AddV2", "attr": {"T": {"type": "DT_FLOAT"}, ...}} and {"constants": {"1": 3.0}}
    if (!node->is_object())
      throw DataError(
          fmt::format("layer '{}' (TensorFlowOpLayer): its node_def is binary, as TensorFlow 2.0 "
                      "wrote it: save the model with 2.1 or newer",
                      name));
    function = node->at("op").as_string();
    if (const Json* attributes = node->find("attr"))
      for (const auto& [key, value] : attributes->as_object()) options[key] = attribute_of(value);
    if (const Json* constants = config.find("constants")) record.foreign["constants"] = *constants;
  } else if (class_name == "TFOpLambda" || class_name == "SlicingOpLambda") {
    function = config.at("function").as_string();
  } else {
    for (const auto& [key, value] : config.as_object())
      if (key != "name") options[key] = value;
    // Of the versions of an approximation, the one that Keras 3 takes where nothing is said.
    if (class_name == "Gelu" && !options.find("approximate")) options["approximate"] = true;
  }
  record.parameters = Json::Object{
      {"function", function}, {"arguments", Json::list()}, {"options", std::move(options)}};
  return record;
}

std::vector<Reference> read_operation_call(LayerRecord& record, const Json& node) {
  std::vector<Reference> inputs;
  Json arguments = Json::list();
  Json& options = *record.parameters.find("options");
  const auto take_options = [&](const Json& kwargs) {
    for (const auto& [key, value] : kwargs.as_object()) options[key] = argument_of(value, inputs);
  };
  if (node.is_object()) {
    for (const Json& a : node.at("args").as_list()) arguments.push_back(argument_of(a, inputs));
    if (const Json* kwargs = node.find("kwargs")) take_options(*kwargs);
  } else if (is_reference(node)) {
    arguments.push_back(argument_of(node, inputs));
    if (node.size() > 3) take_options(node.at(3));
  } else {
    // A list of inputs; each repeats the arguments that come after them.
    Json list = Json::list();
    for (const Json& input : node.as_list()) list.push_back(argument_of(input, inputs));
    if (node.size() > 0 && node.at(size_t{0}).size() > 3) take_options(node.at(size_t{0}).at(3));
    arguments.push_back(std::move(list));
  }
  if (const Json* constants = record.foreign.find("constants"))
    arguments = with_constants(arguments, *constants);
  Json& known = record.parameters["arguments"];
  if (known.size() != 0 && known != arguments)
    throw DataError(fmt::format("operation '{}' is called with different arguments", record.name));
  known = std::move(arguments);
  return inputs;
}

void translate_operations(GraphRecord& graph, const Reading& reading) {
  Translator(graph, reading).run();
}

}  // namespace ocellus::keras
