// The layout of model.save("x.h5") and save_weights("x.h5"): a group a layer (or nested model),
// whose attribute weight_names lists its datasets, and an attribute layer_names that lists the
// groups.
#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>

#include "keras.hpp"
#include "ocellus/core/error.hpp"

namespace ocellus::keras {

std::vector<Group> groups_of(const H5Reader& file, const std::string& root) {
  std::vector<Group> groups;
  if (!root.empty() && !file.has_group(root)) return groups;
  for (const std::string& name : file.texts(root, "layer_names")) {
    const std::string place = root + "/" + name;
    if (!file.has_texts(place, "weight_names")) continue;
    Group g{name, file.texts(place, "weight_names"), {}};
    if (g.names.empty()) continue;
    for (std::string& weight : g.names) {
      g.paths.push_back(place + "/" + weight);
      weight = upgrade_v1_weight(weight);
    }
    groups.push_back(std::move(g));
  }
  return groups;
}

std::vector<Group> leaf_groups(const H5Reader& file, const std::vector<Group>& groups,
                               const Model& model) {
  std::map<std::string, const Entry*> entries;
  for (const Entry& e : model.entries) entries[e.group] = &e;
  // Keras 1 gives the name of a Sequential to its group alone: what is left over belongs together.
  std::deque<const Entry*> nameless;
  for (const Entry& e : model.entries)
    if (e.model && std::none_of(groups.begin(), groups.end(),
                                [&](const Group& g) { return g.name == e.group; }))
      nameless.push_back(&e);
  std::vector<Group> leaves;
  for (const Group& g : groups) {
    auto entry = entries.find(g.name);
    if (entry == entries.end() && !nameless.empty()) {
      entry = entries.emplace(g.name, nameless.front()).first;
      nameless.pop_front();
    }
    if (entry == entries.end())
      throw DataError(fmt::format("{}: weights of a layer '{}', which the model does not have",
                                  file.name(), g.name));
    for (Share& s : deal_out(*entry->second, g.names, file.name() + ": " + g.name)) {
      Group& leaf = leaves.emplace_back(Group{s.layer, std::move(s.names), {}});
      for (const size_t i : s.places) leaf.paths.push_back(g.paths[i]);
    }
  }
  return leaves;
}

WeightsRecord read_group(const H5Reader& file, const Group& group) {
  WeightsRecord r{group.name, group.names, {}};
  for (const std::string& path : group.paths) r.values.push_back(file.read(path));
  return r;
}

void write_groups(H5Writer& file, const std::string& root,
                  const std::vector<WeightsRecord>& weights, const GraphRecord& graph,
                  const Written& written) {
  std::map<std::string, const WeightsRecord*> of_layer;
  for (const WeightsRecord& w : weights) of_layer[w.layer] = &w;
  std::vector<std::string> layer_names;
  file.group(root);
  for (const size_t i : written.order) {
    // A Sequential does not list its input.
    if (written.sequential && graph.layers[i].type == "Input") continue;
    const std::string& name = written.names[i];
    const std::string place = root + "/" + name;
    layer_names.push_back(name);
    file.group(place);
    std::vector<std::string> names;
    if (const auto w = of_layer.find(graph.layers[i].name); w != of_layer.end()) {
      for (size_t k = 0; k < w->second->values.size(); ++k) {
        names.push_back(name + "/" + w->second->names.at(k) + ":0");
        file.dataset(place + "/" + names.back(), w->second->values[k]);
      }
    }
    file.attribute(place, "weight_names", names);
  }
  file.attribute(root, "layer_names", layer_names);
}

}  // namespace ocellus::keras
