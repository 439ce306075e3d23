// Operations of a graph as files hold them: names of functions, arguments, tensors among them.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "keras_operations.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/graph_builder.hpp"

namespace ocellus::keras {
namespace {

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

// Classes of keras.ops that may stand in a file without a module (.h5 files of Keras 3); those that
// are also layers are told apart by their configuration.
bool is_known_function(const std::string& class_name) {
  static const std::set<std::string> names = {
      "add",     "subtract", "multiply",    "divide",      "power",    "maximum",  "minimum",
      "cast",    "clip",     "concatenate", "expand_dims", "flip",     "get_item", "pad",
      "reshape", "resize",   "squeeze",     "stack",       "transpose"};
  const std::string f = canonical_function(class_name);
  return names.count(f) || is_reduction(f) || is_activation_function(f) || is_unary_function(f);
}

}  // namespace

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

std::string canonical_function(const std::string& function) {
  std::string name = function.substr(function.rfind('.') + 1);
  if (std::isupper(static_cast<unsigned char>(name.front()))) name = keras_layer_name(name, 0);
  const auto alias = function_aliases().find(name);
  return alias == function_aliases().end() ? name : alias->second;
}

Json tensor_argument(int input) { return Json::Object{{"tensor", input}}; }
bool is_tensor(const Json& j) { return j.is_object() && j.size() == 1 && j.find("tensor"); }

OperationCall::OperationCall(const LayerRecord& layer)
    : function(canonical_function(layer.parameters.at("function").as_string())),
      positional(layer.parameters.at("arguments")),
      named(layer.parameters.at("options")) {}

Json OperationCall::argument(size_t place, std::initializer_list<const char*> names) const {
  if (place < positional.size()) return positional.at(place);
  return option(names);
}

Json OperationCall::option(std::initializer_list<const char*> names) const {
  for (const char* name : names)
    if (const Json* value = named.find(name)) return *value;
  return {};
}

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

}  // namespace ocellus::keras
