// GraphRecord -> model_config, in the dialect of tf.keras 2.4, which Keras 3 reads too. Nested
// models are written flat: Keras 3 refuses Keras 2's way of calling a nested Functional. Our own
// group keeps their names.
#include <algorithm>
#include <map>
#include <set>

#include "keras.hpp"

namespace ocellus::keras {
namespace {

// Keras sorts the layers of a Functional by depth when it makes one, and its loader deals out
// weights in that order. This is map_graph_network of keras/src/ops/function.py: depth is the
// longest way to an output, a layer's that of its deepest call; layers of one depth stand in the
// order of a depth-first walk from the outputs.
class KerasOrder {
 public:
  explicit KerasOrder(const GraphRecord& graph) : graph_(graph) {
    for (size_t i = 0; i < graph.layers.size(); ++i) index_[graph.layers[i].name] = i;
  }

  std::vector<size_t> order() {
    for (const TensorRef& t : graph_.outputs) visit({index_.at(t.layer), t.call});
    find_depths();
    std::vector<size_t> layers(graph_.layers.size());
    for (size_t i = 0; i < layers.size(); ++i) layers[i] = i;
    const auto key = [&](size_t l) {
      // A layer that leads to no output is not part of Keras' model; it stands at the end and takes
      // no part in loading.
      const auto depth = layer_depth_.find(l);
      return depth == layer_depth_.end() ? std::pair(1, walked_.size())
                                         : std::pair(-depth->second, walked_.at(l));
    };
    std::stable_sort(layers.begin(), layers.end(),
                     [&](size_t a, size_t b) { return key(a) < key(b); });
    return layers;
  }

 private:
  using Call = std::pair<size_t, int>;  // layer, number of the call

  void visit(Call start) {
    // Without recursion: networks are deep.
    std::vector<std::pair<Call, size_t>> path;  // a call and how many of its inputs were walked
    const auto enter = [&](Call c) {
      if (!seen_.insert(c).second) return;
      walked_.emplace(c.first, walked_.size());
      path.emplace_back(c, 0);
    };
    enter(start);
    while (!path.empty()) {
      auto& [call, next] = path.back();
      const auto& inputs = inputs_of(call);
      if (next == inputs.size()) {
        finished_.push_back(call);
        path.pop_back();
      } else {
        const TensorRef& t = inputs[next++];
        enter({index_.at(t.layer), t.call});
      }
    }
  }

  void find_depths() {
    std::map<Call, int> depth;
    for (auto it = finished_.rbegin(); it != finished_.rend(); ++it) {
      int& layer = layer_depth_[it->first];
      const int d = layer = std::max(depth[*it], layer);
      depth[*it] = d;
      for (const TensorRef& t : inputs_of(*it)) {
        int& below = depth[{index_.at(t.layer), t.call}];
        below = std::max(below, d + 1 + extra_depth(graph_.layers[it->first]));
      }
    }
  }

  const std::vector<TensorRef>& inputs_of(const Call& c) const {
    return graph_.layers[c.first].calls[static_cast<size_t>(c.second)];
  }

  const GraphRecord& graph_;
  std::map<std::string, size_t> index_;
  std::set<Call> seen_;
  std::vector<Call> finished_;
  std::map<size_t, size_t> walked_;
  std::map<size_t, int> layer_depth_;
};

// Names without '/', still unlike each other.
std::vector<std::string> keras_names(const GraphRecord& graph) {
  std::set<std::string> taken;
  for (const LayerRecord& l : graph.layers)
    if (l.name.find('/') == std::string::npos) taken.insert(l.name);
  std::vector<std::string> names;
  for (const LayerRecord& l : graph.layers) {
    std::string name = l.name;
    if (name.find('/') != std::string::npos) {
      std::replace(name.begin(), name.end(), '/', '_');
      while (!taken.insert(name).second) name += '_';
    }
    names.push_back(name);
  }
  return names;
}

bool is_chain(const GraphRecord& graph) {
  for (size_t i = 0; i < graph.layers.size(); ++i) {
    const LayerRecord& l = graph.layers[i];
    if (l.calls.size() != 1) return false;
    if (i == 0 ? l.type != "Input"
               : l.calls[0] != std::vector<TensorRef>{{graph.layers[i - 1].name, 0, 0}})
      return false;
  }
  return graph.outputs == std::vector<TensorRef>{{graph.layers.back().name, 0, 0}};
}

}  // namespace

std::vector<size_t> keras_order(const GraphRecord& graph) { return KerasOrder(graph).order(); }

Written write_graph(const GraphRecord& graph, const Registry& registry, Dialect dialect) {
  Written w;
  w.names = keras_names(graph);
  // Operations do not stand in a Sequential.
  const bool operations =
      std::any_of(graph.layers.begin(), graph.layers.end(), [](const LayerRecord& l) {
        return !is_keras_layer(l.type) && openable(l) != Openable::nowhere;
      });
  w.sequential = graph.sequential && !operations && is_chain(graph);
  w.order = keras_order(graph);
  std::map<std::string, std::string> name_of;
  for (size_t i = 0; i < graph.layers.size(); ++i) name_of[graph.layers[i].name] = w.names[i];
  const auto triple = [&](const TensorRef& t) {
    return Json(Json::List{name_of.at(t.layer), t.call, t.output});
  };
  const auto triples = [&](const std::vector<TensorRef>& refs) {
    Json list = Json::list();
    for (const TensorRef& t : refs) list.push_back(triple(t));
    return list;
  };
  Json layers = Json::list();
  for (const size_t i : w.order) {
    LayerRecord record = in_keras_words(graph.layers[i]);
    record.trainable = is_trainable(graph, record);
    std::vector<std::vector<Json>> calls;
    for (const auto& call : record.calls) {
      calls.emplace_back();
      for (const TensorRef& t : call) calls.back().push_back(triple(t));
    }
    if (auto special = write_operation(record, w.names[i], calls, dialect); !special.empty()) {
      for (Json& l : special) layers.push_back(std::move(l));
      continue;
    }
    Json layer = write_layer(record, w.names[i], registry);
    if (!w.sequential) {
      layer["name"] = w.names[i];
      Json nodes = Json::list();
      for (auto& call : calls) {
        for (Json& input : call) input.push_back(Json::object());  // keyword arguments: none
        if (!call.empty()) nodes.push_back(Json(std::move(call)));
      }
      layer["inbound_nodes"] = std::move(nodes);
    }
    layers.push_back(std::move(layer));
  }
  Json config = Json::object();
  std::string name = graph.name;
  std::replace(name.begin(), name.end(), '/', '_');
  config["name"] = name;
  config["layers"] = std::move(layers);
  if (!w.sequential) {
    config["input_layers"] = triples(graph.inputs);
    config["output_layers"] = triples(graph.outputs);
  }
  w.model_config = Json::Object{{"class_name", w.sequential ? "Sequential" : "Functional"},
                                {"config", std::move(config)}};
  return w;
}

}  // namespace ocellus::keras
