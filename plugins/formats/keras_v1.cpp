// Keras 1 -> Keras 2: class names, keys, values and names of weights; and the kernels of files
// whose convolution was another one than ours. Keras 1.2's classes are the source of the words.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "keras.hpp"
#include "ocellus/core/error.hpp"

namespace ocellus::keras {
namespace {

using Words = std::map<std::string, std::string>;

std::string translated(const Words& words, const std::string& word) {
  const auto it = words.find(word);
  return it == words.end() ? word : it->second;
}

const Words& class_words() {
  static const Words words = {{"Convolution1D", "Conv1D"},
                              {"Convolution2D", "Conv2D"},
                              {"Convolution3D", "Conv3D"},
                              {"AtrousConvolution1D", "Conv1D"},
                              {"AtrousConvolution2D", "Conv2D"},
                              {"AtrousConv1D", "Conv1D"},
                              {"AtrousConv2D", "Conv2D"},
                              {"Deconvolution2D", "Conv2DTranspose"},
                              {"SeparableConvolution2D", "SeparableConv2D"}};
  return words;
}

// Keys that mean the same in every layer that has them.
const Words& key_words() {
  static const Words words = {{"nb_filter", "filters"},
                              {"filter_length", "kernel_size"},
                              {"subsample", "strides"},
                              {"subsample_length", "strides"},
                              {"atrous_rate", "dilation_rate"},
                              {"border_mode", "padding"},
                              {"dim_ordering", "data_format"},
                              {"bias", "use_bias"},
                              {"init", "kernel_initializer"},
                              {"beta_init", "beta_initializer"},
                              {"gamma_init", "gamma_initializer"},
                              {"W_regularizer", "kernel_regularizer"},
                              {"b_regularizer", "bias_regularizer"},
                              {"W_constraint", "kernel_constraint"},
                              {"b_constraint", "bias_constraint"},
                              {"output_dim", "units"},
                              {"pool_length", "pool_size"},
                              {"stride", "strides"},
                              {"length", "size"},
                              {"concat_axis", "axis"},
                              {"p", "rate"},
                              {"sigma", "stddev"}};
  return words;
}

// The same key under another meaning in single layers, before the table above.
const std::map<std::pair<std::string, std::string>, std::string>& special_key_words() {
  static const std::map<std::pair<std::string, std::string>, std::string> words = {
      {{"PReLU", "init"}, "alpha_initializer"},
      {{"Embedding", "init"}, "embeddings_initializer"},
      {{"Embedding", "output_dim"}, "output_dim"},
      {{"Cropping1D", "length"}, "cropping"}};
  return words;
}

const Words& initializer_words() {
  static const Words words = {{"uniform", "random_uniform"},
                              {"normal", "random_normal"},
                              {"zero", "zeros"},
                              {"one", "ones"}};
  return words;
}

// What an input's shape says already, and Merge's ways to say what its mode says.
bool is_dropped(const std::string& key) {
  static const std::set<std::string> keys = {
      "input_dim",     "input_length",     "nb_row",    "nb_col",
      "input_dtype",   "mode_type",        "dot_axes",  "output_shape_type",
      "output_mask",   "output_mask_type", "arguments", "node_indices",
      "tensor_indices"};
  return keys.count(key) != 0;
}

[[noreturn]] void refuse(const std::string& class_name, const Json& config,
                         const std::string& what) {
  throw DataError(
      fmt::format("layer '{}' ({} of Keras 1): {}", config.get("name", ""), class_name, what));
}

// {"name": "MaxNorm", "m": 2} -> {"class_name": "MaxNorm", "config": {"max_value": 2}}.
Json named_object(const Json& value) {
  std::string name = value.at("name").as_string();
  if (name.ends_with("Regularizer")) name = "L1L2";
  Json config = Json::object();
  for (const auto& [key, v] : value.as_object())
    if (key != "name") config[key == "m" ? "max_value" : key] = v;
  return Json::Object{{"class_name", name}, {"config", config}};
}

Json value_of(const std::string& class_name, const std::string& key, const Json& value,
              const Json& config) {
  const bool text = value.is_string();
  if (key == "data_format" && text)
    return value.as_string() == "th" ? "channels_first" : "channels_last";
  if (key.ends_with("_initializer") && text)
    return translated(initializer_words(), value.as_string());
  if ((key.ends_with("_regularizer") || key.ends_with("_constraint")) && value.find("name"))
    return named_object(value);
  if (key == "padding" && text && value.as_string() != "valid" && value.as_string() != "same" &&
      value.as_string() != "causal")
    refuse(class_name, config,
           fmt::format("border_mode '{}' exists in Theano only", value.as_string()));
  if (key == "padding" && value.is_list() && value.size() == 4)  // top, bottom, left, right
    return Json::List{Json::List{value.at(size_t{0}), value.at(1)},
                      Json::List{value.at(2), value.at(3)}};
  if (key == "padding" && value.is_object()) {
    const auto side = [&](const char* name) { return Json(value.get(name, 0)); };
    if (class_name == "ZeroPadding1D") return Json::List{side("left_pad"), side("right_pad")};
    return Json::List{Json::List{side("top_pad"), side("bottom_pad")},
                      Json::List{side("left_pad"), side("right_pad")}};
  }
  return value;
}

// Merge became one class a mode.
std::string merged_class(const Json& config) {
  static const Words classes = {{"sum", "Add"},     {"mul", "Multiply"}, {"concat", "Concatenate"},
                                {"ave", "Average"}, {"max", "Maximum"},  {"dot", "Dot"}};
  const std::string mode = config.get("mode", "sum");
  if (const Json* branches = config.find("layers"); branches && branches->size() != 0)
    refuse("Merge", config,
           "it holds the models that it joins, which is not read; write them as one Model");
  const auto it = classes.find(mode);
  if (config.get("mode_type", "raw") != "raw" || it == classes.end())
    refuse("Merge", config,
           fmt::format("its mode '{}' has no layer of its own (a function of Python, or 'cos'), so "
                       "it is not read; use sum, mul, concat, ave or max",
                       mode));
  return it->second;
}

void check_normalization(const Json& config) {
  if (const int mode = config.get("mode", 0); mode != 0)
    refuse("BatchNormalization", config,
           fmt::format("mode {} ({}) is gone since Keras 2; mode 0 is read", mode,
                       mode == 1 ? "each sample by itself" : "statistics of the batch, always"));
}

}  // namespace

std::pair<std::string, Json> upgrade_v1_layer(const std::string& class_name, const Json& config) {
  const std::string type =
      class_name == "Merge" ? merged_class(config) : translated(class_words(), class_name);
  if (type == "BatchNormalization") check_normalization(config);
  Json upgraded = Json::object();
  for (const auto& [key, value] : config.as_object()) {
    if (is_dropped(key) || key == "mode") continue;
    if (key == "concat_axis" && type != "Concatenate") continue;
    const auto special = special_key_words().find({type, key});
    const std::string now =
        special != special_key_words().end() ? special->second : translated(key_words(), key);
    upgraded[now] = value_of(class_name, now, value, config);
  }
  if (config.find("nb_row") && config.find("nb_col"))
    upgraded["kernel_size"] = Json::List{config.at("nb_row"), config.at("nb_col")};
  // Here alone Keras 1 says how large the output is, and Keras 2 computes it.
  if (type == "Conv2DTranspose") upgraded.erase("output_shape");
  return {type, upgraded};
}

std::string upgrade_v1_weight(const std::string& name) {
  static const std::vector<std::pair<std::string, std::string>> roles = {
      {"_depthwise_kernel", "depthwise_kernel"},
      {"_pointwise_kernel", "pointwise_kernel"},
      {"_running_mean", "moving_mean"},
      {"_running_std", "moving_variance"},  // a variance in spite of its name
      {"_gamma", "gamma"},
      {"_beta", "beta"},
      {"_alphas", "alpha"},
      {"_W", "kernel"},
      {"_b", "bias"}};
  if (name.find('/') != std::string::npos) return name;
  const std::string stem = name.substr(0, name.find(':'));
  for (const auto& [ending, role] : roles)
    if (stem.ends_with(ending))
      return stem.substr(0, stem.size() - ending.size()) + "/" + role + ":0";
  return name;
}

namespace {

/// A layer's kernels: spatial axes first, then channels in and out.
struct KernelKind {
  int spatial;   ///< axes that the window spans
  bool flipped;  ///< Theano turns it by 180 degrees as it convolves
};

std::optional<KernelKind> kernel_kind(const std::string& type) {
  static const std::map<std::string, KernelKind> kinds = {{"Conv1D", {1, true}},
                                                          {"Conv2D", {2, true}},
                                                          {"Conv3D", {3, true}},
                                                          {"Conv2DTranspose", {2, true}},
                                                          {"SeparableConv2D", {2, false}}};
  const auto it = kinds.find(type);
  return it == kinds.end() ? std::nullopt : std::optional(it->second);
}

// Keras 1 kept kernels as Theano does, (out, in, window...), in models that are channels first.
Array spatial_axes_first(Array kernel, const LayerRecord& layer, int spatial) {
  // A window of one dimension was stored as one of two, the second being 1.
  const bool one_d = spatial == 1, transposed = layer.type == "Conv2DTranspose";
  if (kernel.shape().rank() != (one_d ? 4 : spatial + 2)) return kernel;
  if (one_d ? kernel.shape()[1] != 1 : is_channels_first(layer)) {
    std::vector<int> axes;
    for (int i = 2; i < kernel.shape().rank(); ++i) axes.push_back(i);
    // The channels end as (in, out); those of a transposed convolution as (out, in).
    axes.insert(axes.end(), {transposed ? 0 : 1, transposed ? 1 : 0});
    kernel = permuted(kernel, axes);
  } else if (transposed) {
    kernel = permuted(kernel, {0, 1, 3, 2});
  }
  const Shape& s = kernel.shape();
  return one_d ? kernel.reshaped({s[0], s[2], s[3]}) : kernel;
}

// By 180 degrees: the taps of the window in reverse.
Array turned(const Array& kernel, int spatial) {
  size_t taps = 1;
  for (int i = 0; i < spatial; ++i) taps *= static_cast<size_t>(kernel.shape()[i]);
  const auto from = kernel.f32();
  const size_t n = taps ? from.size() / taps : 0;
  std::vector<float> values;
  values.reserve(from.size());
  for (size_t t = taps; t-- > 0;)
    values.insert(values.end(), from.begin() + static_cast<ptrdiff_t>(t * n),
                  from.begin() + static_cast<ptrdiff_t>((t + 1) * n));
  return Array(kernel.shape(), std::move(values));
}

}  // namespace

Array permuted(const Array& a, const std::vector<int>& axes) {
  const size_t rank = axes.size();
  std::vector<int> extents;
  std::vector<int64_t> strides(rank, 1);  // of `a`
  for (size_t i = rank; i-- > 1;) strides[i - 1] = strides[i] * a.shape()[static_cast<int>(i)];
  for (const int axis : axes) extents.push_back(a.shape()[axis]);
  const auto from = a.f32();
  std::vector<float> values;
  values.reserve(from.size());
  std::vector<int> at(rank, 0);  // place in the result
  while (values.size() < from.size()) {
    int64_t offset = 0;
    for (size_t i = 0; i < rank; ++i) offset += at[i] * strides[static_cast<size_t>(axes[i])];
    values.push_back(from[static_cast<size_t>(offset)]);
    for (size_t i = rank; i-- > 0 && ++at[i] == extents[i];) at[i] = 0;
  }
  return Array(Shape(extents), std::move(values));
}

bool is_written_by_theano(const H5Reader& file, const std::string& group, int version) {
  std::string backend = file.text("/", "backend", "");
  if (!file.has_group(group)) return false;
  if (backend.empty()) backend = file.text(group, "backend", "");
  if (!backend.empty() || version >= 2 || !file.has_texts(group, "layer_names"))
    return backend == "theano";
  // Keras 1 names no backend, but the names of TensorFlow's variables end with ":0".
  for (const std::string& layer : file.texts(group, "layer_names")) {
    const auto weights = file.texts(group + "/" + layer, "weight_names");
    if (!weights.empty()) return !weights.front().ends_with(":0");
  }
  return false;
}

void orient_kernels(const GraphRecord& graph, int version, bool theano,
                    std::vector<WeightsRecord>& weights) {
  if (version >= 2 && !theano) return;
  std::map<std::string, const LayerRecord*> layers;
  for (const LayerRecord& l : graph.layers) layers[l.name] = &l;
  for (WeightsRecord& w : weights) {
    const auto layer = layers.find(w.layer);
    if (layer == layers.end()) continue;
    const auto kind = kernel_kind(layer->second->type);
    for (size_t i = 0; kind && i < w.values.size(); ++i) {
      Array& k = w.values[i];
      if (!w.names[i].ends_with("kernel")) continue;
      if (version < 2) k = spatial_axes_first(std::move(k), *layer->second, kind->spatial);
      if (theano && kind->flipped && k.shape().rank() == kind->spatial + 2)
        k = turned(k, kind->spatial);
    }
  }
}

void infer_shared_axes(GraphRecord& graph, const std::vector<WeightsRecord>& weights) {
  for (const WeightsRecord& w : weights)
    for (LayerRecord& l : graph.layers) {
      if (l.name != w.layer || l.type != "PReLU" || w.values.size() != 1) continue;
      Json axes = Json::list();  // counted from 1, behind the batch
      for (int i = 0; i < w.values[0].shape().rank(); ++i)
        if (w.values[0].shape()[i] == 1) axes.push_back(i + 1);
      if (axes.size() != 0) l.parameters["shared_axes"] = axes;
    }
}

std::vector<std::string> differences_to_theano(const GraphRecord& graph) {
  std::vector<std::string> warnings;
  for (const LayerRecord& l : graph.layers) {
    const bool pools = l.type.starts_with("MaxPooling") || l.type.starts_with("AveragePooling");
    if (!(pools || kernel_kind(l.type)) || l.parameters.get("padding", "valid") != "same") continue;
    // Theano pads half the window on either side, TensorFlow what the size needs.
    const auto any = [&](const char* key, auto&& is) {
      const Json* v = l.parameters.find(key);
      if (!v) return false;
      if (!v->is_list()) return v->is_integer() && is(v->as_int());
      return std::any_of(v->as_list().begin(), v->as_list().end(),
                         [&](const Json& i) { return i.is_integer() && is(i.as_int()); });
    };
    if (any(pools ? "pool_size" : "kernel_size", [](int k) { return k % 2 == 0; }) ||
        any("strides", [](int s) { return s > 1; }))
      warnings.push_back(fmt::format(
          "layer '{}' ({}): saved by Keras with Theano, which pads 'same' on other sides where the "
          "window is even or the stride over 1: its outputs will differ",
          l.name, l.type));
  }
  return warnings;
}

}  // namespace ocellus::keras
