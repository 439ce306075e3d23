#include "ocellus/core/network.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <unordered_map>

#include "network_state.hpp"
#include "ocellus/core/activation.hpp"
#include "ocellus/core/augmenter.hpp"
#include "ocellus/core/text.hpp"
#include "unknown_layer.hpp"

namespace ocellus {
namespace {

/// Builds layers and nodes from records. One object a construction; its methods are the steps.
class Builder {
 public:
  Builder(const Registry& registry, const GraphRecord& graph, Network::State& out)
      : registry_(registry), graph_(known_layers(registry, graph)), out_(out) {}

  void run() {
    make_layers();
    make_nodes();
    for (const TensorRef& r : graph_.inputs)
      out_.inputs.push_back(resolve(r, "the graph's inputs"));
    for (const TensorRef& r : graph_.outputs)
      out_.outputs.push_back(resolve(r, "the graph's outputs"));
    if (out_.outputs.empty()) throw UsageError("the model has no output");
  }

 private:
  std::string title(const LayerRecord& r) const {
    return fmt::format("layer '{}' ({})", r.name, r.type);
  }

  void make_layers() {
    std::set<std::string> names;
    for (size_t i = 0; i < graph_.layers.size(); ++i) {
      const LayerRecord& r = graph_.layers[i];
      if (!names.insert(r.name).second)
        throw UsageError(fmt::format("two layers are named '{}'; names must differ", r.name));
      const TypeInfo* info = registry_.find(Kind::layer, r.type);
      if (!info) info = registry_.find(Kind::augmenter, r.type);
      const Json checked = info->schema.check(r.parameters, title(r));
      NetworkLayer layer;
      layer.name = r.name;
      layer.type = r.type;
      layer.record = static_cast<int>(i);
      layer.layer = make_layer(*info, checked, title(r));
      layer.trainable = r.trainable && scopes_trainable(r.name);
      layer_of_[r.name] = static_cast<int>(out_.layers.size());
      out_.layers.push_back(std::move(layer));
      if (info->takes_activation) make_activation(r, checked.get("activation", "linear"));
    }
  }

  static std::shared_ptr<const Layer> make_layer(const TypeInfo& info, const Json& checked,
                                                 const std::string& where) {
    try {
      if (info.kind == Kind::layer)
        return std::static_pointer_cast<const Layer>(info.create(checked));
      return as_layer(std::static_pointer_cast<const Augmenter>(info.create(checked)));
    } catch (const UsageError& e) {
      throw UsageError(where + ": " + e.what());
    }
  }

  bool scopes_trainable(const std::string& name) const {
    return std::all_of(graph_.scopes.begin(), graph_.scopes.end(), [&](const ScopeRecord& s) {
      return s.trainable || !name.starts_with(s.path + "/");
    });
  }

  void make_activation(const LayerRecord& r, const std::string& name) {
    if (name == "linear" || name.empty()) return;
    if (!registry_.find(Kind::activation, name)) refuse_activation(registry_, title(r), name);
    const auto activation =
        registry_.create<Activation>(name, Json::object(), title(r) + ": activation");
    NetworkLayer layer;
    layer.name = r.name + "/activation";
    layer.type = name;
    layer.layer = activation->layer();
    activation_of_[r.name] = static_cast<int>(out_.layers.size());
    out_.layers.push_back(std::move(layer));
  }

  /// Calls become nodes once their inputs exist; a shared layer's second call may wait for a layer
  /// listed later.
  void make_nodes() {
    std::vector<std::pair<const LayerRecord*, int>> waiting;
    for (const LayerRecord& r : graph_.layers) {
      if (r.calls.empty()) throw UsageError(title(r) + " is never called");
      for (size_t k = 0; k < r.calls.size(); ++k) waiting.emplace_back(&r, static_cast<int>(k));
    }
    while (!waiting.empty()) {
      const size_t before = waiting.size();
      std::erase_if(waiting, [&](const auto& w) { return try_call(*w.first, w.second); });
      if (waiting.size() == before) stuck(*waiting.front().first, waiting.front().second);
    }
  }

  [[noreturn]] void stuck(const LayerRecord& r, int call) const {
    for (const TensorRef& in : r.calls[call])
      if (!find(in))
        throw UsageError(fmt::format(
            "{} takes its input from '{}', {}", title(r), in.layer,
            layer_of_.count(in.layer) ? "which depends on it (a cycle)" : "which does not exist"));
    throw UsageError(title(r) + " cannot be placed in the graph");
  }

  bool try_call(const LayerRecord& r, int call) {
    std::vector<NodeOutput> inputs;
    for (const TensorRef& in : r.calls[call]) {
      const auto t = find(in);
      if (!t) return false;
      inputs.push_back(*t);
    }
    const std::string name = call == 0 ? r.name : fmt::format("{}:{}", r.name, call);
    const auto activation = activation_of_.find(r.name);
    const bool activated = activation != activation_of_.end();
    int node =
        add_node(activated ? name + "/linear" : name, layer_of_.at(r.name), inputs, title(r));
    if (activated)
      node = add_node(name, activation->second, {{node, 0}}, title(r) + ": activation");
    call_[{r.name, call}] = node;
    return true;
  }

  int add_node(const std::string& name, int layer, std::vector<NodeOutput> inputs,
               const std::string& where) {
    NetworkLayer& l = out_.layers[layer];
    PlanRequest request;
    request.trainable = l.trainable;
    for (NodeOutput i : inputs) request.inputs.push_back(out_.nodes[i.node].outputs.at(i.output));
    LayerPlan plan = plan_layer(*l.layer, request, where);
    NetworkNode node;
    node.name = name;
    node.layer = inputs.empty() ? -1 : layer;
    node.inputs = std::move(inputs);
    node.outputs = plan.outputs;
    out_.multiply_adds += plan.multiply_adds;
    adopt_plan(l, std::move(plan), where);
    out_.node_by_name[name] = static_cast<int>(out_.nodes.size());
    out_.nodes.push_back(std::move(node));
    return static_cast<int>(out_.nodes.size()) - 1;
  }

  /// The first call fixes the parameters; later calls of a shared layer must want the same.
  void adopt_plan(NetworkLayer& l, LayerPlan plan, const std::string& where) const {
    if (l.plan.outputs.empty()) {
      l.plan = std::move(plan);
      return;
    }
    for (size_t i = 0; i < plan.parameters.size(); ++i) {
      const Shape& first = l.plan.parameters[i].shape;
      if (!(plan.parameters[i].shape == first))
        throw ShapeError(
            fmt::format("{} is shared, but its {} would be {} in one call and {} in another", where,
                        plan.parameters[i].name, first.str(), plan.parameters[i].shape.str()));
    }
  }

  std::optional<NodeOutput> find(const TensorRef& r) const {
    const auto it = call_.find({r.layer, r.call});
    if (it == call_.end()) return std::nullopt;
    if (r.output < 0 || r.output >= static_cast<int>(out_.nodes[it->second].outputs.size()))
      throw UsageError(fmt::format("'{}' has no output {}", r.layer, r.output));
    return NodeOutput{it->second, r.output};
  }

  NodeOutput resolve(const TensorRef& r, const char* what) const {
    if (const auto t = find(r)) return *t;
    std::vector<std::string> known;
    for (const LayerRecord& l : graph_.layers) known.push_back(l.name);
    throw UsageError(fmt::format("{} name call {} of '{}', which does not exist{}", what, r.call,
                                 r.layer, suggestion(r.layer, known)));
  }

  const Registry& registry_;
  const GraphRecord& graph_;
  Network::State& out_;
  std::unordered_map<std::string, int> layer_of_, activation_of_;
  std::map<std::pair<std::string, int>, int> call_;
};

}  // namespace

LayerPlan plan_layer(const Layer& layer, const PlanRequest& request, const std::string& where) {
  try {
    LayerPlan plan = layer.plan(request);
    plan.request = request;
    return plan;
  } catch (const ShapeError& e) {
    throw ShapeError(where + ": " + e.what());
  }
}

Network::Network(const Registry& registry, const GraphRecord& graph) : state_(new State) {
  state_->graph = graph;
  Builder(registry, state_->graph, *state_).run();
  state_->make_parameters();
}

Network::Network(const Registry& registry, const ModelDocument& document)
    : Network(registry, known_layers(registry, document.graph, document.weights)) {
  classes = document.classes;
  preprocessing = document.preprocessing;
  warnings = document.warnings;
  if (!document.weights.empty()) write_weights(document.weights);
}

Network::~Network() = default;

const GraphRecord& Network::graph() const { return state_->graph; }
const std::vector<NetworkLayer>& Network::layers() const { return state_->layers; }
const std::vector<NetworkNode>& Network::nodes() const { return state_->nodes; }
const std::vector<NodeOutput>& Network::inputs() const { return state_->inputs; }
const std::vector<NodeOutput>& Network::outputs() const { return state_->outputs; }
double Network::multiply_adds() const { return state_->multiply_adds; }

NodeOutput Network::tensor(std::string_view name) const {
  std::string node(name);
  int output = 0;
  if (const size_t hash = node.rfind('#'); hash != std::string::npos) {
    output = std::atoi(node.c_str() + hash + 1);
    node.resize(hash);
  }
  const auto it = state_->node_by_name.find(node);
  if (it == state_->node_by_name.end()) {
    std::vector<std::string> known;
    for (const NetworkNode& n : state_->nodes) known.push_back(n.name);
    throw UsageError(fmt::format("the network has no layer '{}'{}", name, suggestion(name, known)));
  }
  if (output < 0 || output >= static_cast<int>(state_->nodes[it->second].outputs.size()))
    throw UsageError(fmt::format("layer '{}' has no output {}", node, output));
  return {it->second, output};
}

std::string Network::tensor_name(NodeOutput t) const {
  const std::string& name = state_->nodes.at(t.node).name;
  return t.output == 0 ? name : fmt::format("{}#{}", name, t.output);
}

const Shape& Network::shape(NodeOutput t) const {
  return state_->nodes.at(t.node).outputs.at(t.output);
}

NodeOutput Network::logits(Probability* which) const {
  const NodeOutput out = state_->outputs.front();
  const NetworkNode& node = state_->nodes[out.node];
  const Probability p =
      node.layer < 0 ? Probability::none : state_->layers[node.layer].plan.probability;
  if (which) *which = p;
  return p == Probability::none ? out : node.inputs.front();
}

int64_t Network::parameter_count() const {
  int64_t n = 0;
  for (const NetworkLayer& l : state_->layers) {
    for (const ParameterSpec& p : l.plan.parameters) n += p.shape.elements();
    for (const ParameterSpec& p : l.plan.states) n += p.shape.elements();
  }
  return n;
}

void Network::set_trainable(std::string_view name, bool trainable) {
  bool found = false;
  for (NetworkLayer& l : state_->layers) {
    if (l.name != name && !l.name.starts_with(std::string(name) + "/")) continue;
    found = true;
    l.trainable = trainable;
    if (l.record >= 0) state_->graph.layers[l.record].trainable = trainable;
    for (int s : l.segments) state_->layout.segments[s].frozen = !trainable;
  }
  if (found) return;
  std::vector<std::string> known;
  for (const NetworkLayer& l : state_->layers) known.push_back(l.name);
  throw UsageError(fmt::format("the network has no layer '{}'{}", name, suggestion(name, known)));
}

ModelDocument Network::document() const {
  ModelDocument d;
  d.graph = state_->graph;
  d.weights = read_weights();
  d.classes = classes;
  d.preprocessing = preprocessing;
  d.warnings = warnings;
  return d;
}

}  // namespace ocellus
