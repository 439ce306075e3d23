// One layer's configuration, between Keras' dialects and ours. Ours has Keras' words; what differs
// by version stands in the tables here.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "keras.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/graph_builder.hpp"
#include "ocellus/core/regularizers.hpp"

namespace ocellus::keras {
namespace {

// Layer classes of Keras 2 and 3.
const std::set<std::string>& keras_classes() {
  static const std::set<std::string> names = {"Activation",
                                              "ActivityRegularization",
                                              "Add",
                                              "AdditiveAttention",
                                              "AlphaDropout",
                                              "Attention",
                                              "Average",
                                              "AveragePooling1D",
                                              "AveragePooling2D",
                                              "AveragePooling3D",
                                              "BatchNormalization",
                                              "Bidirectional",
                                              "CategoryEncoding",
                                              "CenterCrop",
                                              "Concatenate",
                                              "Conv1D",
                                              "Conv1DTranspose",
                                              "Conv2D",
                                              "Conv2DTranspose",
                                              "Conv3D",
                                              "Conv3DTranspose",
                                              "Cropping1D",
                                              "Cropping2D",
                                              "Cropping3D",
                                              "Dense",
                                              "DepthwiseConv1D",
                                              "DepthwiseConv2D",
                                              "Dot",
                                              "Dropout",
                                              "ELU",
                                              "Embedding",
                                              "Flatten",
                                              "GRU",
                                              "GaussianDropout",
                                              "GaussianNoise",
                                              "GlobalAveragePooling1D",
                                              "GlobalAveragePooling2D",
                                              "GlobalAveragePooling3D",
                                              "GlobalMaxPooling1D",
                                              "GlobalMaxPooling2D",
                                              "GlobalMaxPooling3D",
                                              "GroupNormalization",
                                              "Input",
                                              "LSTM",
                                              "Lambda",
                                              "LayerNormalization",
                                              "LeakyReLU",
                                              "Masking",
                                              "MaxPooling1D",
                                              "MaxPooling2D",
                                              "MaxPooling3D",
                                              "Maximum",
                                              "Minimum",
                                              "MultiHeadAttention",
                                              "Multiply",
                                              "Normalization",
                                              "PReLU",
                                              "Permute",
                                              "RMSNormalization",
                                              "RandomBrightness",
                                              "RandomColorDegeneration",
                                              "RandomColorJitter",
                                              "RandomContrast",
                                              "RandomCrop",
                                              "RandomElasticTransform",
                                              "RandomErasing",
                                              "RandomFlip",
                                              "RandomGaussianBlur",
                                              "RandomGrayscale",
                                              "RandomHeight",
                                              "RandomHue",
                                              "RandomInvert",
                                              "RandomPerspective",
                                              "RandomPosterization",
                                              "RandomRotation",
                                              "RandomSaturation",
                                              "RandomSharpness",
                                              "RandomShear",
                                              "RandomTranslation",
                                              "RandomWidth",
                                              "RandomZoom",
                                              "ReLU",
                                              "RepeatVector",
                                              "Rescaling",
                                              "Reshape",
                                              "Resizing",
                                              "SeparableConv1D",
                                              "SeparableConv2D",
                                              "SimpleRNN",
                                              "Softmax",
                                              "SpatialDropout1D",
                                              "SpatialDropout2D",
                                              "SpatialDropout3D",
                                              "Subtract",
                                              "ThresholdedReLU",
                                              "TimeDistributed",
                                              "UnitNormalization",
                                              "UpSampling1D",
                                              "UpSampling2D",
                                              "UpSampling3D",
                                              "ZeroPadding1D",
                                              "ZeroPadding2D",
                                              "ZeroPadding3D"};
  return names;
}

// Other names that files have for a class.
const std::map<std::string, std::string>& class_aliases() {
  static const std::map<std::string, std::string> names = {
      {"InputLayer", "Input"},
      {"BatchNormalizationV1", "BatchNormalization"},
      {"BatchNormalizationV2", "BatchNormalization"}};
  return names;
}

// (layer, key of a file) -> our key.
const std::map<std::pair<std::string, std::string>, std::string>& key_aliases() {
  static const std::map<std::pair<std::string, std::string>, std::string> keys = {
      {{"LeakyReLU", "alpha"}, "negative_slope"}};
  return keys;
}

// Not parameters of the layer's function: handled apart, or of no meaning to it.
bool is_bookkeeping(const std::string& key) {
  static const std::set<std::string> keys = {
      "name", "trainable", "dtype", "batch_input_shape", "batch_shape", "input_dtype"};
  return keys.count(key) != 0;
}

// Says nothing about what the layer computes in inference, whatever its value (the renorm_ ones
// only refine `renorm`).
bool is_harmless(const std::string& key) {
  static const std::set<std::string> keys = {"seed",     "sparse",          "ragged",
                                             "optional", "renorm_momentum", "renorm_clipping"};
  return keys.count(key) != 0;
}

// A value that commonly means "nothing special".
bool is_neutral(const Json& v) {
  switch (v.type()) {
    case Json::Type::null:
      return true;
    case Json::Type::boolean:
      return !v.as_bool();
    case Json::Type::integer:
    case Json::Type::number:
      return v.as_double() == 0 || v.as_double() == 1;
    case Json::Type::string:
      return v.as_string().empty() || v.as_string() == "linear";
    default:
      return v.size() == 0;
  }
}

// Written back these make Keras 3, or an older tf.keras, refuse the file; what they would say is
// the default.
bool is_unwritable(const std::string& type, const std::string& key) {
  static const std::set<std::string> anywhere = {
      "renorm",       "renorm_momentum",    "renorm_clipping",
      "synchronized", "virtual_batch_size", "quantization_config",
      "lora_rank",    "optional",           "fused"};
  static const std::set<std::string> depthwise = {"groups", "filters", "kernel_initializer",
                                                  "kernel_regularizer", "kernel_constraint"};
  return anywhere.count(key) || (type == "DepthwiseConv2D" && depthwise.count(key)) ||
         (type != "Input" && key == "ragged");
}

// Keys younger than tf.keras 2.4, left out at their default.
bool is_young(const std::string& key) {
  static const std::set<std::string> keys = {
      "keepdims",  "invert",     "groups",   "pad_to_aspect_ratio",
      "fill_mode", "fill_value", "antialias"};
  return keys.count(key) != 0;
}

std::string snake_case(const std::string& name) { return keras_layer_name(name, 0); }

// "float32" of "float32" or {"class_name": "DTypePolicy", "config": {"name": "float32"}}.
std::string dtype_name(const Json& v) {
  if (v.is_string()) return v.as_string();
  const Json* config = v.find("config");
  return config ? config->get("name", "float32") : "float32";
}

// A layer in the place of a function, by the function that says the same; else by its class and
// configuration, a name that no function has.
std::string name_of_layer_activation(const std::string& class_name, const Json& config) {
  const double slope = config.get("negative_slope", config.get("alpha", 0.3));
  const double limit = config.get("max_value", 0.0);
  const bool plain = config.get("negative_slope", 0.0) == 0 && config.get("threshold", 0.0) == 0;
  if (class_name == "ReLU" && plain && limit == 0) return "relu";
  if (class_name == "ReLU" && plain && limit == 6) return "relu6";
  if (class_name == "LeakyReLU" && slope == 0.2) return "leaky_relu";
  if (class_name == "ELU" && config.get("alpha", 1.0) == 1) return "elu";
  if (class_name == "Softmax" && config.get("axis", -1) == -1) return "softmax";
  return fmt::format("{} {}", class_name, config.dump());
}

// "relu" of "relu", or of the objects that stand for a function.
std::string activation_name(const Json& v, const Reading& reading) {
  std::string name = "linear";
  if (v.is_string()) {
    name = without_package(v.as_string());
  } else if (v.is_object()) {
    const std::string class_name = without_package(v.get("class_name", ""));
    const Json* config = v.find("config");
    if (class_name == "__lambda__")
      name = "a lambda, which is code and never run";
    else if (config && config->is_string())  // {"class_name": "function", "config": "relu"}
      name = config->as_string();
    else if (class_name == "Activation" && config && config->find("activation"))
      return activation_name(config->at("activation"), reading);
    else
      name = name_of_layer_activation(class_name, config ? *config : Json::object());
  }
  return name == "hard_sigmoid" && reading.hard_sigmoid < 3 ? "hard_sigmoid_v2" : name;
}

// Name in core's table of an initializer's object; empty where none says the same.
std::string initializer_name(const Json& v) {
  if (v.is_string()) return snake_case(without_package(v.as_string()));
  const std::string class_name = without_package(v.get("class_name", ""));
  const Json empty;
  const Json& config = v.find("config") ? v.at("config") : empty;
  if (class_name == "VarianceScaling") {
    const double scale = config.get("scale", 1.0);
    const std::string mode = config.get("mode", "fan_in"),
                      distribution = config.get("distribution", "truncated_normal");
    const std::string family = mode == "fan_avg" && scale == 1  ? "glorot"
                               : mode == "fan_in" && scale == 2 ? "he"
                               : mode == "fan_in" && scale == 1 ? "lecun"
                                                                : "";
    return family.empty() ? "" : family + (distribution == "uniform" ? "_uniform" : "_normal");
  }
  static const std::map<std::string, double> spreads = {
      {"RandomNormal", 0.05}, {"TruncatedNormal", 0.05}, {"RandomUniform", 0.05}};
  if (const auto spread = spreads.find(class_name); spread != spreads.end()) {
    const bool same = config.get("stddev", config.get("maxval", 0.05)) == spread->second &&
                      config.get("mean", 0.0) == 0;
    return same ? snake_case(class_name) : "";
  }
  static const std::set<std::string> plain = {"Zeros",        "Ones",       "GlorotUniform",
                                              "GlorotNormal", "HeUniform",  "HeNormal",
                                              "LecunUniform", "LecunNormal"};
  return plain.count(class_name) ? snake_case(class_name) : "";
}

// Translates the values of one known layer.
class LayerReader {
 public:
  LayerReader(LayerRecord& layer, const TypeInfo& info, const Reading& reading)
      : layer_(layer), info_(info), reading_(reading) {}

  void read(const Json& config) {
    for (const auto& [key, value] : config.as_object()) {
      if (is_bookkeeping(key)) continue;
      const auto alias = key_aliases().find({info_.name, key});
      take(alias == key_aliases().end() ? key : alias->second, value);
    }
    if (const Json* dtype = config.find("dtype"); dtype && !dtype->is_null()) read_dtype(*dtype);
  }

 private:
  void take(const std::string& key, const Json& value) {
    if (key == "data_format" && !info_.schema.find(key)) {
      if (value.is_string()) layer_.foreign[key] = value;  // until to_channels_last()
      return;
    }
    if (key == "activation" && info_.takes_activation) {
      const std::string name = activation_name(value, reading_);
      layer_.parameters[key] = name;
      // Written back as it came, where no name stands for it.
      if (!value.is_string() && !reading_.registry.find(Kind::activation, name))
        layer_.foreign[key] = value;
      return;
    }
    const ParameterInfo* p = info_.schema.find(key);
    if (!p) return keep(key, value);
    if (key.ends_with("_initializer") && !value.is_null()) {
      const std::string name = initializer_name(value);
      if (name.empty()) return keep(key, value);
      layer_.parameters[key] = name;
      return;
    }
    if (value.is_null() && !p->nullable) return;
    // "axis": [3], and all that 1-D layers have: "kernel_size": [3]
    const bool list_of_one =
        (key == "axis" || (p->type == ParameterInfo::Type::integer && !p->list)) &&
        value.is_list() && value.size() == 1;
    layer_.parameters[key] = list_of_one ? value.at(size_t{0}) : value;
  }

  void keep(const std::string& key, const Json& value) {
    if (value.is_null()) return;
    layer_.foreign[key] = value;
    // Random layers do nothing in inference, whatever their factors; training says what it lacks.
    if (layer_.type.starts_with("Random")) return;
    if (is_neutral(value) || is_harmless(key) || key.ends_with("_initializer")) return;
    if (is_regularizer_key(key) && parse_regularizer(value)) return;  // the Trainer reads it there
    reading_.warnings.push_back(
        fmt::format("layer '{}' ({}): {} = {} is not known here: kept in the file, without effect",
                    layer_.name, layer_.type, key, value.dump()));
  }

  void read_dtype(const Json& dtype) {
    const std::string name = dtype_name(dtype);
    if (name == "float32") return;
    layer_.foreign["dtype"] = name;
    if (info_.name != "Input")
      reading_.warnings.push_back(
          fmt::format("layer '{}' ({}) was saved for {}; it is computed in float32", layer_.name,
                      layer_.type, name));
  }

  LayerRecord& layer_;
  const TypeInfo& info_;
  const Reading& reading_;
};

}  // namespace

namespace {
void read_input_shape(LayerRecord& layer, const Json& config) {
  for (const char* key : {"batch_input_shape", "batch_shape"}) {
    const Json* shape = config.find(key);
    if (!shape || !shape->is_list() || shape->size() == 0) continue;
    Json item = Json::list();
    for (size_t i = 1; i < shape->size(); ++i)
      item.push_back(shape->at(i).is_null() ? Json(-1) : shape->at(i));
    layer.parameters["shape"] = item;
    return;
  }
}
}  // namespace

bool is_keras_layer(const std::string& type) { return keras_classes().count(type) != 0; }

std::string without_package(const std::string& name) { return name.substr(name.rfind('>') + 1); }

LayerRecord read_layer(const std::string& saved_class, const std::string& name,
                       const Json& saved_config, const Reading& reading) {
  const auto [class_name, config] = reading.version < 2
                                        ? upgrade_v1_layer(saved_class, saved_config)
                                        : std::pair(saved_class, saved_config);
  LayerRecord layer;
  layer.name = name;
  layer.trainable = config.get("trainable", true);
  const auto alias = class_aliases().find(without_package(class_name));
  const TypeInfo* info = reading.registry.find_keras_layer(class_name);
  if (!info && alias != class_aliases().end())
    info = reading.registry.find(Kind::layer, alias->second);
  // Keras' own classes may be written with their package; a stranger's package is part of the name.
  if (!info && (class_name.starts_with("ocellus>") || class_name.starts_with("keras>") ||
                class_name.starts_with("Keras>")))
    info = reading.registry.find_keras_layer(without_package(class_name));
  layer.type = info ? info->name : alias != class_aliases().end() ? alias->second : class_name;
  // Keras' random layers that augmenters supply stand in files like any layer.
  if (!info) info = reading.registry.find(Kind::augmenter, layer.type);
  if (layer.type == "Input") read_input_shape(layer, config);
  if (info) {
    LayerReader(layer, *info, reading).read(config);
    return layer;
  }
  if (layer.type == "Input") return layer;
  for (const auto& [key, value] : config.as_object())
    if (key != "name" && key != "trainable") layer.parameters[key] = value;
  return layer;
}

namespace {

Json write_input(const LayerRecord& layer, const std::string& name) {
  Json shape = Json::list();
  shape.push_back({});
  for (const Json& extent : layer.parameters.at("shape").as_list())
    shape.push_back(extent == Json(-1) ? Json() : extent);
  Json config = Json::object();
  config["batch_input_shape"] = shape;
  config["dtype"] = layer.foreign.get("dtype", "float32");
  config["sparse"] = false;
  config["ragged"] = false;
  config["name"] = name;
  return Json::Object{{"class_name", "InputLayer"}, {"config", config}};
}

std::string class_name_of(const LayerRecord& layer, const TypeInfo* info) {
  if (!info || is_keras_layer(layer.type)) return layer.type;
  return info->keras_names.empty() ? "ocellus>" + layer.type : info->keras_names.front();
}

std::string written_activation(const std::string& name) {
  return name == "hard_sigmoid_v2" ? "hard_sigmoid" : name;
}

}  // namespace

std::string class_name_of(const LayerRecord& layer, const Registry& registry) {
  return layer.type == "Input" ? "InputLayer"
                               : class_name_of(layer, registry.find(Kind::layer, layer.type));
}

Json write_layer(const LayerRecord& layer, const std::string& name, const Registry& registry) {
  const TypeInfo* info = registry.find(Kind::layer, layer.type);
  if (!info) info = registry.find(Kind::augmenter, layer.type);
  if (layer.type == "Input") return write_input(layer, name);
  Json config = Json::object();
  config["name"] = name;
  config["trainable"] = layer.trainable;
  if (info) config["dtype"] = layer.foreign.get("dtype", "float32");
  const Json parameters =
      info ? info->schema.check(layer.parameters,
                                fmt::format("layer '{}' ({})", layer.name, layer.type))
           : layer.parameters;
  for (const auto& [key, value] : parameters.as_object()) {
    const ParameterInfo* p = info ? info->schema.find(key) : nullptr;
    if (p && ((is_young(key) && value == p->default_value) || is_unwritable(layer.type, key)))
      continue;
    const bool alpha = layer.type == "LeakyReLU" &&
                       key == "negative_slope";  // Keras 3 takes Keras 2's name, not the reverse
    config[alpha ? "alpha" : key] =
        info && key == "activation" ? Json(written_activation(value.as_string())) : value;
  }
  for (const auto& [key, value] : layer.foreign.as_object())
    if (key != "dtype" && !is_unwritable(layer.type, key)) config[key] = value;
  return Json::Object{{"class_name", class_name_of(layer, info)}, {"config", config}};
}

}  // namespace ocellus::keras
