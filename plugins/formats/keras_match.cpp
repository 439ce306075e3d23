// The weights of one file for the layers of another model, as Keras' load_weights() gives them: by
// position among the layers that have weights, or by name.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "keras.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/network.hpp"

namespace ocellus::keras {
namespace {

std::string flat(std::string path) {
  std::ranges::replace(path, '/', '_');
  return path;
}

std::string last_part(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// What a layer of the model needs. Shapes are empty where nothing tells them.
struct Need {
  std::vector<std::string> names;
  std::vector<Shape> shapes;
};
using Needs = std::map<std::string, Need>;

Needs needs_of(const ModelDocument& document, const Registry& registry) {
  Needs needs;
  try {
    const Network network(registry, document.graph);
    for (const NetworkLayer& l : network.layers())
      for (const auto* specs : {&l.plan.parameters, &l.plan.states})
        for (const ParameterSpec& p : *specs) {
          needs[l.name].names.push_back(p.name);
          needs[l.name].shapes.push_back(p.shape);
        }
    return needs;
  } catch (const Error&) {
    // No network comes of this graph so far, for want of a layer or of an input's extents: then its
    // classes tell the names, and the weights that it has the shapes.
  }
  for (const LayerRecord& l : document.graph.layers)
    if (const auto roles = roles_of(l))
      for (const auto* names : {&roles->parameters, &roles->states})
        for (const std::string& name : *names) needs[l.name].names.push_back(name);
  for (const WeightsRecord& r : document.weights) {
    if (r.values.empty()) continue;
    Need& need = needs[r.layer] = {r.names, {}};
    for (const Array& a : r.values) need.shapes.push_back(a.shape());
  }
  return needs;
}

class Matcher {
 public:
  Matcher(const H5Reader& file, const std::vector<Group>& groups, const Origin& origin,
          const GraphRecord& graph, Needs needs, bool skip_mismatch,
          std::vector<std::string>& warnings)
      : file_(file),
        groups_(groups),
        origin_(origin),
        graph_(graph),
        model_(tree_of(graph)),
        needs_(std::move(needs)),
        skip_mismatch_(skip_mismatch),
        warnings_(warnings) {}

  // Keras' rule: layers without weights are left out on both sides, then the k-th gets the k-th.
  // Where the file holds single layers and the model nested ones (or we flattened them), layers
  // count.
  std::vector<WeightsRecord> by_position() {
    std::vector<Entry> wanting, leaves;
    for (const Entry& e : model_.entries) {
      bool any = false;
      for (const auto& [path, layer] : leaves_of(e)) {
        if (!needs_.count(path)) continue;
        any = true;
        Entry& leaf = leaves.emplace_back();
        leaf.name = path;
        leaf.layer = *layer;
      }
      if (any) wanting.push_back(e);
    }
    if (wanting.size() != groups_.size()) wanting = std::move(leaves);
    if (wanting.size() != groups_.size())
      throw DataError(
          fmt::format("{}: holds weights of {} layers, the model '{}' has {} with weights: take a "
                      "file of the same model, or match the layers by name",
                      file_.name(), groups_.size(), model_.name, wanting.size()));
    for (size_t i = 0; i < groups_.size(); ++i) give(groups_[i], wanting[i], wanting[i].name);
    return std::move(given_);
  }

  std::vector<WeightsRecord> by_name() {
    for (const Entry& e : model_.entries) look_up(e, e.name);
    if (given_.empty())
      throw DataError(
          fmt::format("{}: no layer of it is named like one of the model '{}'; it has {}",
                      file_.name(), model_.name, list_of(names_of(groups_))));
    std::vector<std::string> unused;
    for (const Group& g : groups_)
      if (!used_.count(&g)) unused.push_back(g.name);
    if (!unused.empty())
      warnings_.push_back(fmt::format("{}: not used, the model has no such layers: {}",
                                      file_.name(), list_of(unused)));
    return std::move(given_);
  }

  const Needs& needs() const { return needs_; }

  static std::string list_of(const std::vector<std::string>& names) {
    std::string text;
    for (size_t i = 0; i < names.size() && i < 5; ++i) text += (i ? ", " : "") + names[i];
    return names.size() > 5 ? fmt::format("{} and {} more", text, names.size() - 5) : text;
  }

 private:
  static std::vector<std::string> names_of(const std::vector<Group>& groups) {
    std::vector<std::string> names;
    for (const Group& g : groups) names.push_back(g.name);
    return names;
  }

  // By its path; else by its path with '_' for '/': older Kerases called DenseNet's layers
  // "conv1/conv", and nested models are flattened so; else by its own name, if only one layer of
  // the file has it.
  const Group* find(const std::string& path) const {
    for (const Group& g : groups_)
      if (g.name == path) return &g;
    for (const Group& g : groups_)
      if (flat(g.name) == flat(path)) return &g;
    const Group* found = nullptr;
    for (const Group& g : groups_) {
      if (last_part(g.name) != last_part(path)) continue;
      if (found) return nullptr;
      found = &g;
    }
    return found;
  }

  void look_up(const Entry& e, const std::string& path) {
    if (const Group* g = find(path)) {
      used_.insert(g);
      give(*g, e, path);
    } else if (e.model) {
      for (const Entry& below : e.model->entries) look_up(below, path + "/" + below.name);
    }
  }

  void give(const Group& g, const Entry& e, const std::string& path) {
    if (!e.model) {
      const auto need = needs_.find(path);
      if (need != needs_.end()) give_layer(path, need->second, g.names.size(), g, g.paths);
      return;
    }
    const std::string parent = path.substr(0, path.size() - e.name.size());
    for (const Share& s : deal_out(e, g.names, file_.name() + ": " + g.name)) {
      std::vector<std::string> paths;
      for (const size_t i : s.places) paths.push_back(g.paths[i]);
      const auto need = needs_.find(parent + s.layer);
      if (need != needs_.end()) give_layer(need->first, need->second, s.names.size(), g, paths);
    }
  }

  void give_layer(const std::string& layer, const Need& need, size_t count, const Group& g,
                  const std::vector<std::string>& paths) {
    std::string wrong;
    if (count != need.names.size())
      wrong = fmt::format("it has {} weights, the layer needs {}", count, need.names.size());
    std::vector<WeightsRecord> record;
    if (wrong.empty()) {
      record.push_back(read_group(file_, {layer, need.names, paths}));
      orient_kernels(graph_, origin_.version, origin_.theano, record);
    }
    for (size_t i = 0; wrong.empty() && i < need.shapes.size(); ++i)
      if (const Shape& shape = record[0].values[i].shape(); !(shape == need.shapes[i]))
        wrong = fmt::format("its {} has shape {}, the layer needs {}", need.names[i], shape.str(),
                            need.shapes[i].str());
    if (wrong.empty()) return given_.push_back(std::move(record[0]));
    const std::string text =
        fmt::format("{}: '{}' does not fit layer '{}': {}", file_.name(), g.name, layer, wrong);
    if (!skip_mismatch_) throw DataError(text);
    warnings_.push_back(text + ": left out");
  }

  const H5Reader& file_;
  const std::vector<Group>& groups_;
  const Origin origin_;
  const GraphRecord& graph_;
  const Model model_;
  Needs needs_;
  bool skip_mismatch_;
  std::vector<std::string>& warnings_;
  std::vector<WeightsRecord> given_;
  std::set<const Group*> used_;
};

// Puts the records in the place of the model's own. What belonged to the old weights goes.
void replace_weights(std::vector<WeightsRecord> records, const Needs& needs,
                     ModelDocument& document) {
  std::map<std::string, WeightsRecord> all;
  for (WeightsRecord& r : document.weights) all[r.layer] = std::move(r);
  for (WeightsRecord& r : records) all[r.layer] = std::move(r);
  document.weights.clear();
  std::vector<std::string> fresh;
  for (const LayerRecord& l : document.graph.layers) {
    if (const auto it = all.find(l.name); it != all.end()) {
      document.weights.push_back(std::move(it->second));
    } else if (needs.count(l.name)) {
      document.weights.push_back({l.name, {}, {}});  // left to the network's initializers
      fresh.push_back(l.name);
    }
  }
  if (!fresh.empty())
    document.warnings.push_back(
        fmt::format("the file holds no weights for {}: they start from their initializers",
                    Matcher::list_of(fresh)));
  document.sample.reset();
  document.best_weights.clear();
  document.training_state = {};
  if (document.optimizer) {
    document.optimizer->slots.clear();
    document.optimizer->iteration = 0;
  }
}

}  // namespace

Model tree_of(const GraphRecord& graph) {
  Model root;
  root.name = graph.name;
  root.sequential = graph.sequential;
  std::map<std::string, const ScopeRecord*> scopes;
  for (const ScopeRecord& s : graph.scopes) scopes[s.path] = &s;
  std::map<std::string, Model*> models = {{"", &root}};
  // The model that holds a path, made when first seen; `name` becomes the path within it.
  const std::function<Model&(std::string&)> holder = [&](std::string& name) -> Model& {
    for (size_t slash = name.rfind('/'); slash != std::string::npos && slash > 0;
         slash = name.rfind('/', slash - 1)) {
      const auto scope = scopes.find(name.substr(0, slash));
      if (scope == scopes.end()) continue;
      name = name.substr(slash + 1);
      Model*& model = models[scope->first];
      if (model) return *model;
      std::string below = scope->first;
      Model& parent = holder(below);
      Entry& e = parent.entries.emplace_back();
      e.name = e.group = below;
      e.model = std::make_shared<Model>();
      e.model->name = below;
      e.model->sequential = scope->second->sequential;
      e.model->trainable = scope->second->trainable;
      return *(model = e.model.get());
    }
    return root;
  };
  // A graph with nested models came from a file, which had Keras' order.
  std::vector<size_t> order(graph.layers.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  if (graph.scopes.empty()) order = keras_order(graph);
  for (const size_t i : order) {
    std::string name = graph.layers[i].name;
    Model& model = holder(name);
    Entry& e = model.entries.emplace_back();
    e.name = e.group = name;
    e.layer = graph.layers[i];
  }
  return root;
}

void load_groups(const H5Reader& file, const std::vector<Group>& groups, const Origin& origin,
                 const WeightsMatching& matching, ModelDocument& document,
                 const Registry& registry) {
  std::vector<std::string> warnings;
  Matcher matcher(file, groups, origin, document.graph, needs_of(document, registry),
                  matching.skip_mismatch, warnings);
  std::vector<WeightsRecord> records = matching.by_name ? matcher.by_name() : matcher.by_position();
  document.warnings.insert(document.warnings.end(), warnings.begin(), warnings.end());
  replace_weights(std::move(records), matcher.needs(), document);
}

}  // namespace ocellus::keras
