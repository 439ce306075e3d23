// Which weights a layer has, and how a nested model's list of them is dealt out to its layers.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "keras.hpp"
#include "ocellus/core/error.hpp"

namespace ocellus::keras {
namespace {

// "block/conv/kernel:0" -> "kernel".
std::string role_of(const std::string& weight) {
  const std::string last = weight.substr(weight.rfind('/') + 1);
  return last.substr(0, last.find(':'));
}

bool is_moving(const std::string& role) { return role.starts_with("moving_"); }

// depthwise_kernel of Keras 2 is kernel in Keras 3.
bool same_role(const std::string& a, const std::string& b) {
  return a == b || a.ends_with("_" + b) || b.ends_with("_" + a);
}

struct Leaf {
  std::string path;
  const LayerRecord* layer;
  std::optional<Roles> roles;
  Share share;

  void take(const std::string& role, size_t place) {
    share.names.push_back(role);
    share.places.push_back(place);
  }
};

// Keras lists the trainable weights of all layers below, in order, then all others; a frozen
// layer's are all among the others.
std::vector<std::pair<Leaf*, std::string>> keras_sequence(std::vector<Leaf>& leaves) {
  std::vector<std::pair<Leaf*, std::string>> sequence;
  const auto take = [&](Leaf& l, const std::vector<std::string>& roles) {
    for (const std::string& r : roles) sequence.emplace_back(&l, r);
  };
  for (Leaf& l : leaves)
    if (l.layer->trainable) take(l, l.roles->parameters);
  for (Leaf& l : leaves) {
    if (!l.layer->trainable) take(l, l.roles->parameters);
    take(l, l.roles->states);
  }
  return sequence;
}

bool deal_by_order(std::vector<Leaf>& leaves, const std::vector<std::string>& names) {
  if (std::any_of(leaves.begin(), leaves.end(), [](const Leaf& l) { return !l.roles; }))
    return false;
  const auto sequence = keras_sequence(leaves);
  if (sequence.size() != names.size()) return false;
  // Of a lone layer Keras goes by the order alone: old files call its weights otherwise.
  for (size_t i = 0; leaves.size() > 1 && i < names.size(); ++i)
    if (!same_role(role_of(names[i]), sequence[i].second)) return false;
  for (size_t i = 0; i < names.size(); ++i) sequence[i].first->take(sequence[i].second, i);
  return true;
}

// The layer whose path, or last name, stands in the weight's name; the longest wins.
Leaf* leaf_by_name(std::vector<Leaf>& leaves, const std::string& weight) {
  const size_t slash = weight.rfind('/');
  if (slash == std::string::npos) return nullptr;
  const std::string stem = "/" + weight.substr(0, slash) + "/";
  Leaf* best = nullptr;
  size_t length = 0;
  for (Leaf& l : leaves) {
    for (std::string name = l.path; !name.empty();) {
      if (stem.find("/" + name + "/") != std::string::npos && name.size() > length) {
        best = &l;
        length = name.size();
      }
      const size_t at = name.find('/');
      name = at == std::string::npos ? "" : name.substr(at + 1);
    }
  }
  return best;
}

void deal_by_name(std::vector<Leaf>& leaves, const std::vector<std::string>& names,
                  const std::string& where) {
  for (size_t i = 0; i < names.size(); ++i) {
    Leaf* l = leaf_by_name(leaves, names[i]);
    if (!l)
      throw DataError(
          fmt::format("{}: the weight '{}' belongs to no layer of the model", where, names[i]));
    l->take(role_of(names[i]), i);
  }
}

}  // namespace

std::optional<Roles> roles_of(const LayerRecord& layer) {
  static const std::map<std::string, std::vector<std::string>> kernels = {
      {"Conv1D", {"kernel"}},
      {"Conv2D", {"kernel"}},
      {"Conv3D", {"kernel"}},
      {"Conv1DTranspose", {"kernel"}},
      {"Conv2DTranspose", {"kernel"}},
      {"Conv3DTranspose", {"kernel"}},
      {"Dense", {"kernel"}},
      {"DepthwiseConv1D", {"depthwise_kernel"}},
      {"DepthwiseConv2D", {"depthwise_kernel"}},
      {"SeparableConv1D", {"depthwise_kernel", "pointwise_kernel"}},
      {"SeparableConv2D", {"depthwise_kernel", "pointwise_kernel"}}};
  static const std::set<std::string> others = {"LSTM",
                                               "GRU",
                                               "SimpleRNN",
                                               "Bidirectional",
                                               "TimeDistributed",
                                               "Attention",
                                               "AdditiveAttention",
                                               "MultiHeadAttention",
                                               "Lambda"};
  // Layers of ours that stand for operations.
  static const std::set<std::string> weightless = {
      "ConstantOperation", "Divide",    "ReduceMax", "ReduceMean",
      "ReduceMin",         "ReduceSum", "Slice",     "UnaryOperation"};
  const Json& p = layer.parameters;
  Roles roles;
  if (layer.type == operation_type) return roles;
  if (const auto it = kernels.find(layer.type); it != kernels.end()) {
    roles.parameters = it->second;
    if (p.get("use_bias", true)) roles.parameters.push_back("bias");
  } else if (layer.type == "BatchNormalization" || layer.type == "LayerNormalization" ||
             layer.type == "GroupNormalization") {
    if (p.get("scale", true)) roles.parameters.push_back("gamma");
    if (p.get("center", true)) roles.parameters.push_back("beta");
    if (layer.type == "BatchNormalization") roles.states = {"moving_mean", "moving_variance"};
  } else if (layer.type == "Normalization") {
    if (const Json* mean = p.find("mean"); !mean || mean->is_null())
      roles.states = {"mean", "variance", "count"};
  } else if (layer.type == "RMSNormalization") {
    roles.parameters = {"scale"};
  } else if (layer.type == "PReLU") {
    roles.parameters = {"alpha"};
  } else if (layer.type == "Embedding") {
    roles.parameters = {"embeddings"};
  } else if (weightless.count(layer.type)) {
    return roles;
  } else if (others.count(layer.type) || !is_keras_layer(layer.type)) {
    return std::nullopt;
  }
  return roles;
}

bool is_trainable(const GraphRecord& graph, const LayerRecord& layer) {
  return layer.trainable &&
         std::all_of(graph.scopes.begin(), graph.scopes.end(), [&](const ScopeRecord& s) {
           return s.trainable || !layer.name.starts_with(s.path + "/");
         });
}

size_t parameter_count(const LayerRecord& layer, const WeightsRecord& weights) {
  if (const auto roles = roles_of(layer))
    return std::min(roles->parameters.size(), weights.values.size());
  const auto first_state = std::find_if(weights.names.begin(), weights.names.end(), is_moving);
  return static_cast<size_t>(first_state - weights.names.begin());
}

std::vector<Share> deal_out(const Entry& entry, const std::vector<std::string>& names,
                            const std::string& where) {
  std::vector<Leaf> leaves;
  for (const auto& [path, layer] : leaves_of(entry))
    leaves.push_back({path, layer, roles_of(*layer), {path, {}, {}}});
  if (!entry.model) {
    Leaf& l = leaves.front();
    // Random layers of some versions store the state of their generator, which is no weight.
    if (l.roles && l.roles->parameters.empty() && l.roles->states.empty()) return {};
    if (!deal_by_order(leaves, names))
      for (size_t i = 0; i < names.size(); ++i) l.take(role_of(names[i]), i);
  } else if (!deal_by_order(leaves, names)) {
    deal_by_name(leaves, names, where);
  }
  std::vector<Share> shares;
  for (Leaf& l : leaves)
    if (!l.share.names.empty()) shares.push_back(std::move(l.share));
  return shares;
}

}  // namespace ocellus::keras
