#include "ocellus/core/inspection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>

#include "ocellus/core/error.hpp"

namespace ocellus {
namespace {

// What is known of one call of a layer.
struct Known {
  std::vector<Shape> outputs;  // empty: unknown
  std::optional<ReceptiveField> field;
  int depth = 0;
};

// A call as its network planned it.
struct Measured {
  Known known;
  const LayerPlan* plan = nullptr;  // of the layer; none for an input
  double multiply_adds = 0;
};

bool has_kernel(const std::vector<ParameterSpec>& parameters) {
  return std::any_of(parameters.begin(), parameters.end(),
                     [](const ParameterSpec& p) { return p.role == Role::kernel; });
}

std::optional<ReceptiveField> field_behind(const Window& window, const std::vector<Known>& inputs) {
  std::vector<ReceptiveField> fields;
  for (const Known& in : inputs) {
    if (!in.field) return std::nullopt;
    fields.push_back(*in.field);
  }
  return ocellus::field_behind(window, fields);
}

std::vector<int> open_shape(const LayerRecord& r) {
  const Json* shape =
      r.calls.size() == 1 && r.calls[0].empty() ? r.parameters.find("shape") : nullptr;
  if (!shape || !shape->is_list()) return {};
  std::vector<int> extents;
  for (const Json& e : shape->as_list()) extents.push_back(e.is_integer() ? e.as_int() : -1);
  const bool open = std::any_of(extents.begin(), extents.end(), [](int e) { return e < 0; });
  return open ? extents : std::vector<int>();
}

// The node `name` of a network, and the pre-activation below it where its layer has an activation.
Measured measure(const Network& network, const std::string& name,
                 const std::vector<Known>& inputs) {
  std::vector<int> nodes = {network.tensor(name).node};
  const auto layer_of = [&](int node) -> const NetworkLayer& {
    return network.layers()[network.nodes()[node].layer];
  };
  Measured m;
  m.known.outputs = network.nodes()[nodes[0]].outputs;
  m.known.field.emplace();
  if (network.nodes()[nodes[0]].layer < 0) return m;
  if (layer_of(nodes[0]).record < 0)
    nodes.insert(nodes.begin(), network.nodes()[nodes[0]].inputs[0].node);
  m.plan = &layer_of(nodes[0]).plan;
  std::vector<Known> before = inputs;
  for (const int node : nodes) {
    PlanRequest request;
    for (const NodeOutput in : network.nodes()[node].inputs)
      request.inputs.push_back(network.shape(in));
    const LayerPlan plan = layer_of(node).layer->plan(request);
    m.multiply_adds += plan.multiply_adds;
    m.known.field = field_behind(plan.window, before);
    before = {m.known};
  }
  return m;
}

class Inspector {
 public:
  Inspector(const Registry& registry, const ModelDocument& document)
      : registry_(registry), document_(document), graph_(document.graph) {
    for (const WeightsRecord& w : document.weights) stored_[w.layer] = &w;
  }

  Inspection run() {
    out_.name = graph_.name;
    try {
      whole_ = std::make_unique<Network>(registry_, graph_);
    } catch (const Error& e) {
      refuse(e);
    }
    visit_all();
    for (const LayerRecord& r : graph_.layers) check_weights(r, row_of(r));
    for (const LayerRow& row : out_.layers) {
      out_.parameters += row.parameters;
      out_.multiply_adds += row.multiply_adds.value_or(0);
    }
    for (const TensorRef& r : graph_.inputs) out_.inputs.push_back(shape_of(r));
    for (const TensorRef& r : graph_.outputs) out_.outputs.push_back(shape_of(r));
    return std::move(out_);
  }

 private:
  void refuse(const Error& e) {
    if (!out_.refusal.empty()) return;
    out_.refusal = e.what();
    out_.code = e.exit_code();
  }

  // Calls in the order in which their inputs become known; what waits for a tensor that nobody
  // makes comes last, and knows nothing.
  void visit_all() {
    std::vector<std::pair<const LayerRecord*, int>> waiting;
    for (const LayerRecord& r : graph_.layers) {
      row_of(r);
      for (size_t k = 0; k < r.calls.size(); ++k) waiting.emplace_back(&r, static_cast<int>(k));
    }
    while (!waiting.empty()) {
      const auto ready = [&](const auto& w) {
        const auto& inputs = w.first->calls[w.second];
        return std::all_of(inputs.begin(), inputs.end(), [&](const TensorRef& in) {
          return known_.count({in.layer, in.call}) != 0;
        });
      };
      const size_t before = waiting.size();
      std::erase_if(waiting, [&](const auto& w) {
        if (!ready(w)) return false;
        visit(*w.first, w.second);
        return true;
      });
      if (waiting.size() < before) continue;
      visit(*waiting.front().first, waiting.front().second);
      waiting.erase(waiting.begin());
    }
  }

  LayerRow& row_of(const LayerRecord& r) {
    const auto [at, first] = rows_.try_emplace(r.name, out_.layers.size());
    if (first) {
      LayerRow row;
      row.name = r.name;
      row.type = r.type;
      row.open_shape = open_shape(r);
      out_.layers.push_back(std::move(row));
    }
    return out_.layers[at->second];
  }

  // An input of a call, cut down to the one output that is meant.
  Known input(const TensorRef& in) const {
    const auto it = known_.find({in.layer, in.call});
    if (it == known_.end()) return {};
    Known k = it->second;
    const auto index = static_cast<size_t>(in.output);
    if (index < k.outputs.size())
      k.outputs = {k.outputs[index]};
    else
      k.outputs.clear();
    return k;
  }

  std::optional<Shape> shape_of(const TensorRef& r) const {
    const Known k = input(r);
    if (k.outputs.empty()) return std::nullopt;
    return k.outputs[0];
  }

  void visit(const LayerRecord& r, int call) {
    LayerRow& row = row_of(r);
    std::vector<Known> inputs;
    for (const TensorRef& in : r.calls[call]) inputs.push_back(input(in));
    int depth = 0;
    for (const Known& in : inputs) depth = std::max(depth, in.depth);
    Known& known = known_[{r.name, call}];
    const bool planned = std::all_of(inputs.begin(), inputs.end(),
                                     [](const Known& k) { return !k.outputs.empty(); });
    bool kernel = false;
    // Behind an unknown shape nothing can be planned, but a class that is missing can be named.
    if ((planned || !is_known(r.type)) && row.problem.empty()) {
      try {
        std::unique_ptr<Network> alone;
        if (!whole_) alone = std::make_unique<Network>(registry_, part(r, inputs));
        const std::string name = whole_ && call > 0 ? fmt::format("{}:{}", r.name, call) : r.name;
        const Measured m = measure(whole_ ? *whole_ : *alone, name, inputs);
        known = m.known;
        take(row, m, call == 0);
        kernel = m.plan && has_kernel(m.plan->parameters);
      } catch (const Error& e) {
        row.problem = e.what();
      }
    }
    if (known.outputs.empty()) kernel = take_stored(r, row);
    known.depth = depth + kernel;
    out_.depth = std::max(out_.depth, known.depth);
  }

  bool is_known(const std::string& type) const {
    return registry_.find(Kind::layer, type) || registry_.find(Kind::augmenter, type);
  }

  // The layer alone, its inputs as they are known: a network that cannot be built as a whole is
  // planned piece by piece.
  GraphRecord part(const LayerRecord& r, const std::vector<Known>& inputs) const {
    GraphRecord graph;
    LayerRecord layer = r;
    layer.calls = {{}};
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (inputs[i].outputs.empty()) continue;
      LayerRecord in;
      in.type = "Input";
      in.name = fmt::format("{}/input{}", r.name, i);
      const Shape item = inputs[i].outputs[0].without_batch();
      in.parameters["shape"] =
          Json::list_of(std::vector<int>(item.extents().begin(), item.extents().end()));
      in.calls = {{}};
      layer.calls[0].push_back({in.name});
      graph.layers.push_back(std::move(in));
    }
    graph.layers.push_back(std::move(layer));
    graph.outputs = {{r.name}};
    return graph;
  }

  static void take(LayerRow& row, const Measured& m, bool first_call) {
    row.multiply_adds = row.multiply_adds.value_or(0) + m.multiply_adds;
    if (!first_call) return;
    row.shape = m.known.outputs.at(0);
    row.field = m.known.field;
    if (!m.plan) return;
    for (const auto* list : {&m.plan->parameters, &m.plan->states})
      for (const ParameterSpec& p : *list) {
        row.parameters += p.shape.elements();
        row.weights.push_back(p.name + " " + p.shape.str());
      }
  }

  // Without a plan the file's weights are all that is known; says whether a kernel is among them.
  bool take_stored(const LayerRecord& r, LayerRow& row) const {
    const auto it = stored_.find(r.name);
    if (it == stored_.end()) return false;
    bool kernel = false;
    const bool first = row.weights.empty();
    for (size_t i = 0; i < it->second->values.size(); ++i) {
      const Shape& shape = it->second->values[i].shape();
      kernel = kernel || shape.rank() >= 2;
      if (!first) continue;
      row.parameters += shape.elements();
      row.weights.push_back(it->second->names.at(i) + " " + shape.str());
    }
    return kernel;
  }

  // A network would refuse weights that do not fit; here they become the layer's problem.
  void check_weights(const LayerRecord& r, LayerRow& row) {
    if (document_.weights.empty() || !row.shape || !row.problem.empty()) return;
    std::vector<std::string> stored;
    if (const auto it = stored_.find(r.name); it != stored_.end())
      for (size_t i = 0; i < it->second->values.size(); ++i) {
        // Names differ between versions of Keras; shapes must not.
        const std::string name = i < row.weights.size()
                                     ? row.weights[i].substr(0, row.weights[i].find(' '))
                                     : it->second->names.at(i);
        stored.push_back(name + " " + it->second->values[i].shape().str());
      }
    if (stored == row.weights) return;
    size_t i = 0;
    while (i < std::min(stored.size(), row.weights.size()) && stored[i] == row.weights[i]) ++i;
    const auto at = [&](const std::vector<std::string>& list) {
      return i < list.size() ? list[i] : fmt::format("{} weights", list.size());
    };
    row.problem = fmt::format("layer '{}' ({}) needs {}, the file has {}", row.name, row.type,
                              at(row.weights), at(stored));
    refuse(DataError(row.problem));
  }

  const Registry& registry_;
  const ModelDocument& document_;
  const GraphRecord& graph_;
  std::unique_ptr<Network> whole_;
  std::map<std::string, const WeightsRecord*> stored_;
  std::map<std::string, size_t> rows_;
  std::map<std::pair<std::string, int>, Known> known_;
  Inspection out_;
};

}  // namespace

Inspection inspect(const Registry& registry, const ModelDocument& document) {
  return Inspector(registry, document).run();
}

}  // namespace ocellus
