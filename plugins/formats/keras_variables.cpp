// The layout of `.weights.h5`, which also lies inside `.keras`: Keras 3, and tf.keras since 2.12.
//
//   /layers/<class>[_<n>]/vars/0, 1, ...   a layer's variables in Keras' order; the group is named
//   by
//                                          the layer's class and a counter, its attribute `name` is
//                                          the layer's (Keras 3 only)
//   /layers/<class>/layers/...             a nested model
//   /optimizer/vars/0, 1, ...              iteration, learning rate (Keras 3 only), slots
//
// tf.keras 2.12 and 2.13 say _layer_checkpoint_dependencies instead of layers.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "keras.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/graph_builder.hpp"

namespace ocellus::keras {
namespace {

constexpr const char* old_container = "_layer_checkpoint_dependencies";

// Counts the classes of one model's layers: "conv2d", "conv2d_1", ...
class GroupNames {
 public:
  std::string next(const std::string& class_name) {
    return keras_layer_name(class_name, counts_[class_name]++);
  }

 private:
  std::map<std::string, int> counts_;
};

// A layer's group in the file: "/layers/conv2d/vars".
struct Place {
  std::string layer;
  const LayerRecord* record;
  std::string path;
};

class Places {
 public:
  Places(const H5Reader& file, std::string container, const Registry& registry)
      : file_(file), container_(std::move(container)), registry_(registry) {}

  std::vector<Place> of(const Model& model) {
    add(model, "", "/" + container_);
    return std::move(places_);
  }

 private:
  std::string class_of(const Entry& e) const {
    return e.model ? e.model->sequential ? "Sequential" : "Functional"
                   : without_package(class_name_of(e.layer, registry_));
  }

  void add(const Model& model, const std::string& layers, const std::string& at) {
    GroupNames names;
    std::vector<std::string> groups;
    for (const Entry& e : model.entries) groups.push_back(at + "/" + names.next(class_of(e)));
    follow_names(model, at, groups);
    for (size_t i = 0; i < groups.size(); ++i) {
      const Entry& e = model.entries[i];
      if (e.model)
        add(*e.model, layers + e.name + "/", groups[i] + "/" + container_);
      else
        places_.push_back({layers + e.name, &e.layer, groups[i] + "/vars"});
    }
  }

  // Counters go by the order of layers. Where the file also tells names, and they are the model's,
  // names decide.
  void follow_names(const Model& model, const std::string& at, std::vector<std::string>& groups) {
    if (!file_.has_group(at)) return;
    std::map<std::string, std::string> by_name;
    for (const std::string& group : file_.members(at)) {
      const std::string vars = at + "/" + group + "/vars";
      if (!file_.has_group(vars)) continue;
      if (const std::string name = file_.text(vars, "name", ""); !name.empty())
        by_name[name] = at + "/" + group;
    }
    const bool all = std::all_of(model.entries.begin(), model.entries.end(), [&](const Entry& e) {
      return e.layer.type == "Input" || by_name.count(e.group);
    });
    for (size_t i = 0; all && i < groups.size(); ++i)
      if (const auto it = by_name.find(model.entries[i].group); it != by_name.end())
        groups[i] = it->second;
  }

  const H5Reader& file_;
  std::string container_;
  const Registry& registry_;
  std::vector<Place> places_;
};

// Groups with variables anywhere below `at`, by the names that the file tells.
void add_named(const H5Reader& file, const std::string& container, const std::string& at,
               const std::string& layers, std::vector<Group>& out) {
  for (const std::string& member : file.members(at)) {
    const std::string group = at + "/" + member;
    const std::string vars = group + "/vars";
    const std::string name = file.has_group(vars) ? file.text(vars, "name", member) : member;
    if (file.has_group(group + "/" + container))
      add_named(file, container, group + "/" + container, layers + name + "/", out);
    Group g{layers + name, {}, numbered(file, vars)};
    for (size_t i = 0; i < g.paths.size(); ++i) g.names.push_back(std::to_string(i));
    if (!g.paths.empty()) out.push_back(std::move(g));
  }
}

std::vector<Group> named_groups(const H5Reader& file, const std::string& container) {
  std::vector<Group> groups;
  add_named(file, container, "/" + container, "", groups);
  return groups;
}

std::string container_of(const H5Reader& file) {
  for (const char* name : {"layers", old_container})
    if (file.has_group(std::string("/") + name)) return name;
  throw DataError(fmt::format("{}: holds no weights (no group 'layers')", file.name()));
}

}  // namespace

std::vector<std::string> numbered(const H5Reader& file, const std::string& group) {
  std::vector<std::string> paths;
  if (!file.has_group(group)) return paths;
  for (size_t i = 0; file.has_dataset(fmt::format("{}/{}", group, i)); ++i)
    paths.push_back(fmt::format("{}/{}", group, i));
  return paths;
}

bool has_variables(const H5Reader& file) {
  return file.has_group("/layers") || file.has_group(std::string("/") + old_container);
}

std::vector<Group> variable_groups(const H5Reader& file, const Model& model,
                                   const Registry& registry) {
  std::vector<Group> groups;
  for (const Place& p : Places(file, container_of(file), registry).of(model)) {
    Group g{p.layer, {}, numbered(file, p.path)};
    if (g.paths.empty()) continue;
    const auto roles = roles_of(*p.record);
    if (roles) {
      g.names = roles->parameters;
      g.names.insert(g.names.end(), roles->states.begin(), roles->states.end());
      // The state of a random layer's generator is no weight.
      if (g.names.empty()) continue;
    }
    for (size_t i = g.names.size(); i < g.paths.size(); ++i) g.names.push_back(std::to_string(i));
    g.names.resize(g.paths.size());
    groups.push_back(std::move(g));
  }
  return groups;
}

void write_variables(H5Writer& file, const ModelDocument& document, const Written& written,
                     const Registry& registry) {
  std::map<std::string, const WeightsRecord*> of_layer;
  for (const WeightsRecord& w : document.weights) of_layer[w.layer] = &w;
  file.group("/layers");
  GroupNames names;
  for (const size_t i : written.order) {
    const LayerRecord& layer = document.graph.layers[i];
    const std::string vars =
        "/layers/" + names.next(without_package(class_name_of(layer, registry))) + "/vars";
    file.group(vars);
    file.attribute(vars, "name", written.names[i]);
    const auto w = of_layer.find(layer.name);
    if (w == of_layer.end()) continue;
    for (size_t k = 0; k < w->second->values.size(); ++k)
      file.dataset(fmt::format("{}/{}", vars, k), w->second->values[k]);
  }
  file.group("/vars");
  file.attribute("/vars", "name", document.graph.name);
}

namespace {

namespace fs = std::filesystem;

// By position the file tells no layer's place but through the model's own: its tree is followed, or
// the flat one that we write.
std::vector<Group> groups_for(const H5Reader& file, const WeightsMatching& matching,
                              const GraphRecord& graph, const Registry& registry) {
  const std::vector<Group> named = named_groups(file, container_of(file));
  if (matching.by_name) return named;
  GraphRecord flat = graph;
  flat.scopes.clear();
  for (const GraphRecord& g : {graph, flat})
    if (auto groups = variable_groups(file, tree_of(g), registry); groups.size() == named.size())
      return groups;
  return named;  // their number tells what is wrong
}

class KerasWeights : public ModelFormat {
 public:
  bool recognizes(const fs::path& path) const override {
    return has_hdf5_signature(path) && has_variables(H5Reader(path));
  }

  ModelDocument read(const fs::path& path, const Registry&) const override {
    throw DataError(fmt::format(
        "{}: holds weights without their model: name the model, with --weights and this file",
        path.string()));
  }

  void read_weights(const fs::path& path, const WeightsMatching& matching, ModelDocument& document,
                    const Registry& registry) const override {
    const H5Reader file(path);
    naming(file.name(), [&] {
      load_groups(file, groups_for(file, matching, document.graph, registry), {}, matching,
                  document, registry);
    });
  }

  void write(const ModelDocument& document, const fs::path& path, const Registry& registry,
             Log& log) const override {
    const Written written = write_graph(document.graph, registry);
    H5Writer::write(path, [&](H5Writer& file) {
      write_variables(file, document, written, registry);
      if (document.optimizer)
        write_state(file, document, written, registry, /*numbered=*/true, log);
    });
  }
};

}  // namespace

void register_keras_weights(Registrar& r) {
  r.add<KerasWeights>("keras_weights",
                      "weights without their model, as Keras 3 saves them in .weights.h5");
}

}  // namespace ocellus::keras
