// channels_first -> channels_last: the whole graph is turned at load.
//
// A tensor of the new graph lies either as the file means it ("plain") or with its channels moved
// from behind the batch to the end ("moved"). Walking from the inputs, each layer says how it wants
// its inputs to lie:
//   channels_first layers     moved (they are channels_last now), and so is their output
//   channels_last layers      plain
//   layers blind to order     as the input lies: activations, dropout, merges
//   layers with a channel axis  moved where that axis is 1, with the axis at the end; else plain
//   all others                plain: Flatten, Reshape, Dense, strangers
// Where a tensor lies otherwise, a Permute is put between.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "keras.hpp"
#include "ocellus/core/error.hpp"

namespace ocellus::keras {
namespace {

/// How a tensor lies. `rank` counts the batch; 0: not known.
struct Lie {
  int rank = 0;
  bool moved = false;
};

enum class Wish { plain, moved, follow, channel_axis };

// Dimensions of the window of a layer whose data_format means an order of axes; else 0.
int window_dimensions(const std::string& type) {
  static const std::set<std::string> kinds = {
      "Conv",           "Conv_Transpose",   "DepthwiseConv",
      "SeparableConv",  "LocallyConnected", "MaxPooling",
      "AveragePooling", "GlobalMaxPooling", "GlobalAveragePooling",
      "UpSampling",     "ZeroPadding",      "Cropping",
      "SpatialDropout"};
  static const std::set<std::string> images = {"Resizing",         "CenterCrop", "RandomCrop",
                                               "RandomFlip",       "RandomZoom", "RandomRotation",
                                               "RandomTranslation"};
  if (images.count(type)) return 2;
  for (int n = 1; n <= 3; ++n) {
    const size_t at = type.find(fmt::format("{}D", n));
    if (at == std::string::npos) continue;
    const std::string rest = type.substr(at + 2);
    return kinds.count(type.substr(0, at) + (rest.empty() ? "" : "_" + rest)) ? n : 0;
  }
  return 0;
}

// Whether a layer's data_format means what it means in Keras' own.
bool is_convertible(const std::string& type) {
  return window_dimensions(type) != 0 || type == "Flatten";
}

// The axis of a layer that has one; 0 where it names several or none.
int axis_of(const LayerRecord& l) {
  const Json* axis = l.parameters.find("axis");
  if (axis && axis->is_list())
    axis = axis->size() == 1 ? &axis->at(size_t{0}) : nullptr;
  else if (!axis)
    return -1;
  return axis && axis->is_integer() ? axis->as_int() : 0;
}

bool is_merge(const std::string& type) {
  static const std::set<std::string> types = {"Add",     "Subtract", "Multiply",
                                              "Average", "Maximum",  "Minimum"};
  return types.count(type) != 0;
}

bool looks_along_last_axis(const std::string& activation) {
  return activation == "softmax" || activation == "log_softmax" || activation == "glu" ||
         activation == "sparsemax";
}

bool is_blind_to_order(const LayerRecord& l) {
  static const std::set<std::string> types = {"ReLU",
                                              "LeakyReLU",
                                              "ELU",
                                              "ThresholdedReLU",
                                              "ActivityRegularization",
                                              "Activation",
                                              "GaussianNoise",
                                              "GaussianDropout",
                                              "AlphaDropout",
                                              "Identity",
                                              "Dropout",
                                              "RandomBrightness",
                                              "Rescaling"};
  if (!types.count(l.type)) return false;
  const auto is_list = [&](const char* key) {
    const Json* v = l.parameters.find(key);
    return v && v->is_list();
  };
  return !looks_along_last_axis(l.parameters.get("activation", "")) && !is_list("noise_shape") &&
         !is_list("scale") && !is_list("offset");
}

bool has_channel_axis(const std::string& type) {
  static const std::set<std::string> types = {"BatchNormalization",
                                              "LayerNormalization",
                                              "GroupNormalization",
                                              "Normalization",
                                              "UnitNormalization",
                                              "Concatenate",
                                              "Softmax"};
  return types.count(type) != 0;
}

std::string data_format_of(const LayerRecord& l) {
  for (const Json* keys : {&l.foreign, &l.parameters})
    if (const Json* v = keys->find("data_format"); v && v->is_string()) return v->as_string();
  return {};
}

class Converter {
 public:
  explicit Converter(ModelDocument& document) : document_(document), graph_(document.graph) {
    for (size_t i = 0; i < graph_.layers.size(); ++i) index_[graph_.layers[i].name] = i;
    wishes_.resize(graph_.layers.size());
  }

  void run() {
    std::vector<std::pair<size_t, size_t>> waiting;  // layer, call
    for (size_t i = 0; i < graph_.layers.size(); ++i)
      for (size_t k = 0; k < graph_.layers[i].calls.size(); ++k) waiting.emplace_back(i, k);
    while (!waiting.empty()) {
      const size_t before = waiting.size();
      std::erase_if(waiting, [&](const auto& w) { return try_call(w.first, w.second); });
      if (waiting.size() == before) return;  // not a graph: the network will say so
    }
    for (LayerRecord& l : graph_.layers) finish(l);
    insert_permutes();
    tell();
  }

 private:
  using Key = std::pair<std::string, std::pair<int, int>>;
  static Key key_of(const TensorRef& t) { return {t.layer, {t.call, t.output}}; }

  // Also for outputs beyond the first: a layer's outputs lie alike.
  const Lie* lie_of(const TensorRef& t) const {
    const auto it = lies_.find({t.layer, {t.call, 0}});
    return it == lies_.end() ? nullptr : &it->second;
  }

  bool try_call(size_t i, size_t k) {
    LayerRecord& l = graph_.layers[i];
    std::vector<Lie> inputs;
    for (const TensorRef& t : l.calls[k]) {
      const Lie* lie = lie_of(t);
      if (!lie) return false;
      inputs.push_back(*lie);
    }
    Lie& out = lies_[{l.name, {static_cast<int>(k), 0}}];
    if (l.type == "Input") {
      out = lie_of_input(l);
      return true;
    }
    // A layer that is called again takes its inputs as it did before.
    if (!wishes_[i]) wishes_[i] = lie_wished(l, inputs);
    const Lie wished = *wishes_[i];
    for (size_t n = 0; n < inputs.size(); ++n)
      if (inputs[n].moved != wished.moved) turn(l.calls[k][n], inputs[n], wished, l);
    out = lie_of_output(
        l, inputs.empty() ? Lie{} : Lie{wished.moved ? wished.rank : inputs[0].rank, wished.moved});
    return true;
  }

  static Wish wish_of(const LayerRecord& l) {
    const std::string format = data_format_of(l);
    // Keras 1 does not write the order of padding, cropping and upsampling, nor Keras 2 that of
    // dropout. (Over one dimension these know the one order only.)
    if (format.empty() && window_dimensions(l.type) > 1) return Wish::follow;
    if (is_convertible(l.type)) return format == "channels_first" ? Wish::moved : Wish::plain;
    if (is_blind_to_order(l) || is_merge(l.type) || l.type == "PReLU") return Wish::follow;
    return has_channel_axis(l.type) ? Wish::channel_axis : Wish::plain;
  }

  // The first input that is moved decides for layers that follow.
  static Lie lie_wished(const LayerRecord& l, const std::vector<Lie>& inputs) {
    const auto moved =
        std::find_if(inputs.begin(), inputs.end(), [](const Lie& i) { return i.moved; });
    const Lie followed = moved == inputs.end() ? Lie{} : *moved;
    switch (wish_of(l)) {
      case Wish::plain:
        return {};
      case Wish::follow:
        return followed;
      case Wish::channel_axis: {
        const int axis = axis_of(l);
        return axis == 1 || axis == 1 - followed.rank ? followed : Lie{};
      }
      case Wish::moved:
        break;
    }
    if (l.type != "Flatten") return {window_dimensions(l.type) + 2, true};
    // Keras flattens a channels_first tensor in the order of channels_last.
    const int rank = inputs.empty() ? 0 : inputs.front().rank;
    if (rank == 0)
      throw DataError(fmt::format(
          "layer '{}' (Flatten) is channels_first, and how many axes its input has is not known "
          "here: save the model channels_last",
          l.name));
    return {rank, rank > 2};
  }

  static Lie lie_of_output(const LayerRecord& l, const Lie& in) {
    if (l.type.starts_with("Global"))
      return l.parameters.get("keepdims", false) ? in : Lie{2, false};
    if (l.type == "Flatten") return {2, false};
    if (const Json* shape = l.parameters.find("target_shape"); shape && l.type == "Reshape")
      return {static_cast<int>(shape->size()) + 1, false};
    if (const int n = window_dimensions(l.type)) {
      if (in.moved && looks_along_last_axis(l.parameters.get("activation", "")))
        throw DataError(fmt::format(
            "layer '{}' ({}) is channels_first with the activation {}, which Keras computes along "
            "the width, not the channels: it cannot be converted",
            l.name, l.type, l.parameters.get("activation", "")));
      return {n + 2, in.moved};
    }
    const bool known = wish_of(l) != Wish::plain || l.type == "Dense" || l.type == "Permute";
    return {known ? in.rank : 0, in.moved};
  }

  // An input is moved where what first cares about its order is channels_first.
  Lie lie_of_input(const LayerRecord& l) const {
    const Json* shape = l.parameters.find("shape");
    const int rank = shape && shape->is_list() ? static_cast<int>(shape->size()) + 1 : 0;
    if (rank < 3) return {rank, false};
    std::set<std::string> seen = {l.name};
    std::vector<std::string> reached = {l.name};
    for (size_t n = 0; n < reached.size(); ++n)
      for (const LayerRecord& user : graph_.layers) {
        if (!uses(user, reached[n]) || !seen.insert(user.name).second) continue;
        const Wish wish = wish_of(user);
        if (wish == Wish::moved && user.type != "Flatten") return {rank, true};
        if (wish == Wish::follow || wish == Wish::channel_axis) reached.push_back(user.name);
      }
    return {rank, false};
  }

  static bool uses(const LayerRecord& user, const std::string& name) {
    return std::any_of(user.calls.begin(), user.calls.end(), [&](const auto& call) {
      return std::any_of(call.begin(), call.end(),
                         [&](const TensorRef& t) { return t.layer == name; });
    });
  }

  // Puts a Permute between a tensor and one of its users; two users of one tensor share it.
  void turn(TensorRef& t, const Lie& from, const Lie& to, const LayerRecord& user) {
    const int rank = from.rank ? from.rank : to.rank;
    if (rank < 3 && from.rank) {
      if (to.moved && window_dimensions(user.type))
        throw DataError(fmt::format("layer '{}' ({}) is channels_first, but its input has {} axes",
                                    user.name, user.type, rank));
      return;  // without a place among others, channels have no order
    }
    const auto [it, fresh] = permutes_.emplace(key_of(t), LayerRecord{});
    LayerRecord& p = it->second;
    if (fresh) {
      p.type = "Permute";
      p.name = t.layer + (to.moved ? "_channels_last" : "_channels_first");
      if (t.call || t.output) p.name += fmt::format("_{}_{}", t.call, t.output);
      while (index_.count(p.name)) p.name += "_";
      index_[p.name] = 0;
      p.calls = {{t}};
      Json dims = Json::list();  // counted from 1, without the batch
      if (!to.moved) dims.push_back(rank - 1);
      for (int i = to.moved ? 2 : 1; i < (to.moved ? rank : rank - 1); ++i) dims.push_back(i);
      if (to.moved) dims.push_back(1);
      p.parameters["dims"] = dims;
    }
    t = {p.name, 0, 0};
  }

  // What the layer's parameters and weights say of axes.
  void finish(LayerRecord& l) {
    if (Json* format = l.parameters.find("data_format"); format && is_convertible(l.type))
      *format = "channels_last";
    const size_t i = index_.at(l.name);
    if (l.type == "Input") {
      if (lie_of({l.name, 0, 0})->moved) {
        Json::List& shape = l.parameters["shape"].as_list();
        std::rotate(shape.begin(), shape.begin() + 1, shape.end());
      }
    } else if (wishes_[i] && wishes_[i]->moved) {
      if (has_channel_axis(l.type)) l.parameters["axis"] = -1;
      if (l.type == "PReLU") turn_slopes(l, wishes_[i]->rank);
    }
  }

  // PReLU's alpha has the extents of its input, those of shared axes being 1.
  void turn_slopes(LayerRecord& l, int rank) {
    if (Json* shared = l.parameters.find("shared_axes"); shared && shared->is_list())
      for (Json& axis : shared->as_list()) axis = axis.as_int() == 1 ? rank - 1 : axis.as_int() - 1;
    for (WeightsRecord& w : document_.weights) {
      if (w.layer != l.name || w.values.size() != 1) continue;
      std::vector<int> axes;
      for (int i = 1; i < rank - 1; ++i) axes.push_back(i);
      axes.push_back(0);
      if (w.values[0].shape().rank() == rank - 1) w.values[0] = permuted(w.values[0], axes);
      if (document_.optimizer) document_.optimizer->slots.clear();
    }
  }

  void insert_permutes() {
    std::vector<LayerRecord> layers;
    for (LayerRecord& l : graph_.layers) {
      const std::string name = l.name;
      layers.push_back(std::move(l));
      for (auto& [key, p] : permutes_)
        if (key.first == name) layers.push_back(std::move(p));
    }
    graph_.layers = std::move(layers);
  }

  void tell() {
    std::string inputs, outputs;
    for (const LayerRecord& l : graph_.layers)
      if (l.type == "Input" && lie_of({l.name, 0, 0}) && lie_of({l.name, 0, 0})->moved)
        inputs += fmt::format("{}'{}' takes {}", inputs.empty() ? "" : ", ", l.name,
                              l.parameters.at("shape").dump());
    for (const TensorRef& t : graph_.outputs)
      if (lie_of(t) && lie_of(t)->moved)
        outputs += fmt::format("{}'{}'", outputs.empty() ? "" : ", ", t.layer);
    document_.warnings.push_back(
        fmt::format("saved channels_first, converted to channels_last{}{}{}{}",
                    inputs.empty() ? "" : ": input ", inputs,
                    outputs.empty() ? "" : "; channels are last in the output ", outputs));
  }

  ModelDocument& document_;
  GraphRecord& graph_;
  std::map<std::string, size_t> index_;
  std::vector<std::optional<Lie>> wishes_;  // of each layer, for its inputs
  std::map<Key, Lie> lies_;
  std::map<Key, LayerRecord> permutes_;
};

}  // namespace

bool is_channels_first(const LayerRecord& layer) {
  return data_format_of(layer) == "channels_first";
}

void to_channels_last(ModelDocument& document) {
  bool any = false;
  for (const LayerRecord& l : document.graph.layers) {
    if (!is_channels_first(l)) continue;
    if (is_convertible(l.type))
      any = true;
    else if (l.foreign.find("data_format"))
      throw DataError(fmt::format(
          "layer '{}' ({}) is channels_first; a plugin's layer is read so only where it has a "
          "parameter data_format",
          l.name, l.type));
  }
  if (any) Converter(document).run();
  for (LayerRecord& l : document.graph.layers) l.foreign.erase("data_format");
}

}  // namespace ocellus::keras
