// model_config -> GraphRecord. Three steps: parse the JSON of either dialect into a tree of models,
// flatten the tree into layers named by path, and bring inputs before their users.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "keras.hpp"
#include "ocellus/core/error.hpp"

namespace ocellus::keras {
namespace {

bool is_model(const std::string& class_name) {
  return class_name == "Sequential" || class_name == "Functional" || class_name == "Model";
}

bool is_input(const Entry& e) { return !e.model && e.layer.type == "Input"; }

// --- parsing
// -----------------------------------------------------------------------------------------------------------

// A list that begins with a layer's name: [layer, node, tensor] or [layer, node, tensor, {kwargs}].
bool is_triple(const Json& j) {
  return j.is_list() && j.size() >= 3 && j.at(size_t{0}).is_string() && j.at(1).is_integer();
}

Reference triple_of(const Json& j) {
  return {j.at(size_t{0}).as_string(), j.at(1).as_int(), j.at(2).as_int()};
}

// All tensors in a structure of lists, objects and Keras 3's "__keras_tensor__".
void collect_tensors(const Json& j, std::vector<Reference>& out) {
  if (is_triple(j)) {
    out.push_back(triple_of(j));
  } else if (j.is_list()) {
    for (const Json& item : j.as_list()) collect_tensors(item, out);
  } else if (j.is_object() && j.get("class_name", "") == "__keras_tensor__") {
    out.push_back(triple_of(j.at("config").at("keras_history")));
  } else if (j.is_object()) {
    for (const auto& [key, value] : j.as_object()) collect_tensors(value, out);
  }
}

// input_layers and output_layers: one triple, or any structure of them.
std::vector<Reference> ends_of(const Json& j) {
  std::vector<Reference> refs;
  collect_tensors(j, refs);
  return refs;
}

void parse_calls(const Json& nodes, Entry& entry, Model& model, const std::string& where) {
  for (const Json& node : nodes.as_list()) {
    std::vector<Reference>& inputs = entry.calls.emplace_back();
    if (entry.layer.type == operation_type) {
      model.triples |= node.is_list();
      inputs = read_operation_call(entry.layer, node);
    } else if (node.is_object()) {
      collect_tensors(node.at("args"), inputs);
      if (const Json* kwargs = node.find("kwargs")) collect_tensors(*kwargs, inputs);
    } else if (is_triple(node)) {
      model.triples = true;
      inputs.push_back(triple_of(node));
    } else {
      model.triples = true;
      for (const Json& input : node.as_list()) {
        if (!is_triple(input))
          throw DataError(
              fmt::format("{}: its inbound_nodes are not understood: {}", where, input.dump()));
        if (input.at(size_t{0}).as_string() == "_CONSTANT_VALUE")
          throw DataError(
              fmt::format("{} takes a constant as its input, which is not supported", where));
        inputs.push_back(triple_of(input));
      }
    }
  }
}

Json input_shape_of(const Json& config) {
  for (const char* key : {"batch_input_shape", "batch_shape"})
    if (const Json* shape = config.find(key); shape && shape->is_list()) return *shape;
  return {};
}

Entry input_entry(const std::string& name, const Json& batch_shape, const Reading& reading) {
  Json config = Json::object();
  config["batch_shape"] = batch_shape;
  Entry e;
  e.name = name;
  e.layer = read_layer("InputLayer", name, config, reading);
  return e;
}

// Archives tell a stranger's class bare, and beside it the name that it is registered under:
// "package>MyLayer".
std::string class_name_in(const Json& layer) {
  const std::string registered = layer.get("registered_name", "");
  return registered.find('>') == std::string::npos ? layer.at("class_name").as_string()
                                                   : registered;
}

Entry parse_entry(const Json& j, const Reading& reading) {
  const std::string class_name = class_name_in(j);
  const Json& config = j.at("config");
  Entry e;
  const char* no_name = "";
  e.name = j.get("name", config.is_object() ? config.get("name", no_name) : std::string(no_name));
  if (is_model(class_name)) {
    e.model = std::make_shared<Model>(parse_model(j, reading));
    if (e.name.empty()) e.name = e.model->name;
    e.model->name = e.name;
  } else {
    // Unusual, but a file of an old Keras may have it: a layer without a name is named by its
    // class.
    if (e.name.empty()) e.name = class_name;
    e.layer = is_operation(j) ? read_operation(e.name, j)
                              : read_layer(class_name, e.name, config, reading);
  }
  e.group = e.name;
  return e;
}

// Where a Sequential does not list its input, the first layer below it, or the model itself, knows
// the shape.
Json sequential_input_shape(const Json& config, const Json& layers) {
  if (layers.size() != 0) {
    const Json& first = layers.at(size_t{0}).at("config");
    if (const Json shape = input_shape_of(first); !shape.is_null()) return shape;
    if (is_model(layers.at(size_t{0}).at("class_name").as_string())) {
      const Json& inner = first.is_list() ? first : first.at("layers");
      if (const Json shape = sequential_input_shape(first, inner); !shape.is_null()) return shape;
    }
  }
  const Json* built = config.find("build_input_shape");
  return built ? *built : Json();
}

bool holds(const Model& model, const std::string& name) {
  return std::any_of(model.entries.begin(), model.entries.end(),
                     [&](const Entry& e) { return e.name == name; });
}

Model parse_sequential(const Json& j, const Reading& reading) {
  Model m;
  m.sequential = true;
  const Json& config = j.at("config");
  const Json& layers = config.is_list() ? config : config.at("layers");
  m.name = config.is_object() ? config.get("name", "sequential") : std::string("sequential");
  if (config.is_object()) m.trainable = config.get("trainable", true);
  for (const Json& layer : layers.as_list()) {
    Entry e = parse_entry(layer, reading);
    // Models of Keras 1 come without a name.
    const std::string name = e.name;
    for (int n = 1; e.model && holds(m, e.name); ++n)
      e.name = e.group = e.model->name = fmt::format("{}_{}", name, n);
    m.entries.push_back(std::move(e));
  }
  if (m.entries.empty()) throw DataError(fmt::format("the Sequential '{}' has no layers", m.name));
  if (!is_input(m.entries.front())) {
    const Json shape = sequential_input_shape(config, layers);
    if (shape.is_null())
      throw DataError(
          fmt::format("the Sequential '{}' does not say what its input's shape is: build it in "
                      "Keras before saving",
                      m.name));
    m.entries.insert(m.entries.begin(),
                     input_entry(m.entries.front().name + "_input", shape, reading));
  }
  return m;
}

Model parse_functional(const Json& j, const Reading& reading) {
  Model m;
  const Json& config = j.at("config");
  m.name = config.get("name", "model");
  m.trainable = config.get("trainable", true);
  for (const Json& layer : config.at("layers").as_list()) {
    Entry e = parse_entry(layer, reading);
    if (const Json* nodes = layer.find("inbound_nodes"))
      parse_calls(*nodes, e, m, fmt::format("layer '{}'", e.name));
    m.entries.push_back(std::move(e));
  }
  m.inputs = ends_of(config.at("input_layers"));
  m.outputs = ends_of(config.at("output_layers"));
  return m;
}

// --- flattening
// --------------------------------------------------------------------------------------------------------

class Flattener {
 public:
  GraphRecord run(const Model& model) {
    graph_.name = model.name;
    graph_.sequential = model.sequential;
    declare(model, "");
    graph_.outputs = call(model, "", {});
    sort();
    return std::move(graph_);
  }

 private:
  using Values = std::vector<TensorRef>;  // outputs of one call; a layer's has one entry and stands
                                          // for all its outputs
  struct Done {
    bool layer;
    Values values;
  };

  void declare(const Model& model, const std::string& path) {
    std::set<std::string> names;
    for (const Entry& e : model.entries) {
      if (!names.insert(e.name).second)
        throw DataError(fmt::format("two layers of '{}' are named '{}'", model.name, e.name));
      const std::string full = path + e.name;
      if (e.model) {
        graph_.scopes.push_back({full, e.model->sequential, e.model->trainable});
        declare(*e.model, full + "/");
      } else if (!is_input(e) || path.empty()) {
        index_[full] = graph_.layers.size();
        LayerRecord layer = e.layer;
        layer.name = full;
        graph_.layers.push_back(std::move(layer));
      }
    }
  }

  // One call of a model; `inputs` is empty at the top, where its inputs are the network's.
  Values call(const Model& model, const std::string& path, const Values& inputs) {
    return model.sequential ? call_sequential(model, path, inputs)
                            : call_functional(model, path, inputs);
  }

  Done call_entry(const Entry& e, const std::string& path, const Values& inputs) {
    if (e.model) return {false, call(*e.model, path + e.name + "/", inputs)};
    LayerRecord& layer = graph_.layers[index_.at(path + e.name)];
    layer.calls.push_back(inputs);
    return {true, {{layer.name, static_cast<int>(layer.calls.size()) - 1, 0}}};
  }

  Values call_sequential(const Model& model, const std::string& path, Values x) {
    for (const Entry& e : model.entries) {
      if (is_input(e) && !path.empty()) continue;
      x = call_entry(e, path, x).values;
      if (is_input(e)) graph_.inputs.push_back(x.front());
    }
    return x;
  }

  Values call_functional(const Model& model, const std::string& path, const Values& inputs) {
    std::map<std::pair<std::string, int>, Done> done;
    if (!path.empty() && inputs.size() != model.inputs.size())
      throw DataError(fmt::format("the model '{}' has {} inputs, but is called with {}", path,
                                  model.inputs.size(), inputs.size()));
    for (size_t i = 0; i < model.inputs.size(); ++i) {
      const Entry& e = entry_of(model, model.inputs[i].layer);
      if (!is_input(e))
        throw DataError(
            fmt::format("'{}' is listed as an input of '{}' and is none", e.name, model.name));
      done[{e.name, 0}] = path.empty() ? call_entry(e, path, {}) : Done{true, {inputs[i]}};
      if (path.empty()) graph_.inputs.push_back(done[{e.name, 0}].values.front());
    }
    std::vector<std::pair<const Entry*, int>> waiting;
    for (const Entry& e : model.entries) {
      const bool bound = std::any_of(model.inputs.begin(), model.inputs.end(),
                                     [&](const Reference& r) { return r.layer == e.name; });
      for (int k = 0; !bound && k < static_cast<int>(e.calls.size()); ++k)
        waiting.emplace_back(&e, k);
    }
    const auto ready = [&](const std::pair<const Entry*, int>& w) {
      const auto& [e, k] = w;
      // Calls of one layer keep their order: their number is their name.
      if (k > 0 && !done.count({e->name, k - 1})) return false;
      const auto inputs_of = resolve_all(model, e->calls[k], done);
      if (!inputs_of) return false;
      done[{e->name, k}] = call_entry(*e, path, *inputs_of);
      return true;
    };
    while (!waiting.empty()) {
      const size_t before = waiting.size();
      std::erase_if(waiting, ready);
      if (waiting.size() == before) stuck(model, *waiting.front().first, waiting.front().second);
    }
    const auto outputs = resolve_all(model, model.outputs, done);
    if (!outputs)
      throw DataError(fmt::format("an output of the model '{}' does not exist", model.name));
    return *outputs;
  }

  [[noreturn]] static void stuck(const Model& model, const Entry& e, int k) {
    const std::string from = e.calls[k].empty() ? "nothing" : "'" + e.calls[k].front().layer + "'";
    throw DataError(fmt::format(
        "layer '{}' of '{}' takes its input from {}, which does not exist or depends on it", e.name,
        model.name, from));
  }

  static const Entry& entry_of(const Model& model, const std::string& name) {
    for (const Entry& e : model.entries)
      if (e.name == name) return e;
    throw DataError(fmt::format("the model '{}' refers to a layer '{}', which it does not hold",
                                model.name, name));
  }

  // What a file writes for the first call of `e`: 0 for layers; for nested models the dialect says
  // 1, where a model built from its inputs counts as their first call, but not every writer does
  // so. The numbers in use decide.
  int first_index(const Model& model, const Entry& e) {
    if (!e.model) return 0;
    const auto [known, fresh] = first_index_.emplace(&e, 0);
    if (!fresh) return known->second;
    int low = 1 << 30, high = -1;
    const auto look = [&](const std::vector<Reference>& refs) {
      for (const Reference& r : refs)
        if (r.layer == e.name) low = std::min(low, r.node), high = std::max(high, r.node);
    };
    for (const Entry& user : model.entries)
      for (const auto& refs : user.calls) look(refs);
    look(model.outputs);
    const int calls = static_cast<int>(e.calls.size());
    return known->second = low == 0 ? 0 : high >= calls ? 1 : model.triples ? 1 : 0;
  }

  std::optional<Values> resolve_all(const Model& model, const std::vector<Reference>& refs,
                                    const std::map<std::pair<std::string, int>, Done>& done) {
    Values values;
    for (const Reference& r : refs) {
      const auto it = done.find({r.layer, r.node - first_index(model, entry_of(model, r.layer))});
      if (it == done.end()) return std::nullopt;
      const Done& d = it->second;
      if (r.tensor < 0 || (!d.layer && r.tensor >= static_cast<int>(d.values.size())))
        throw DataError(fmt::format("'{}' has no output {}", r.layer, r.tensor));
      values.push_back(d.layer ? d.values.front() : d.values[static_cast<size_t>(r.tensor)]);
      if (d.layer && r.tensor > 0) values.back().output = r.tensor;
    }
    return values;
  }

  // Inputs before their users, otherwise in the order of the file.
  void sort() {
    std::vector<LayerRecord> sorted;
    std::set<std::string> placed;
    std::vector<LayerRecord>& rest = graph_.layers;
    const auto is_ready = [&](const LayerRecord& l) {
      return l.calls.empty() ||
             std::all_of(l.calls.front().begin(), l.calls.front().end(),
                         [&](const TensorRef& t) { return placed.count(t.layer) != 0; });
    };
    while (!rest.empty()) {
      const size_t before = rest.size();
      std::erase_if(rest, [&](LayerRecord& l) {
        if (!is_ready(l)) return false;
        placed.insert(l.name);
        sorted.push_back(std::move(l));
        return true;
      });
      if (rest.size() == before) break;  // cannot happen: calls were made in this order
    }
    graph_.layers = std::move(sorted);
  }

  GraphRecord graph_;
  std::map<std::string, size_t> index_;
  std::map<const Entry*, int> first_index_;
};

void add_leaves(const Entry& e, const std::string& path,
                std::vector<std::pair<std::string, const LayerRecord*>>& out) {
  if (!e.model) return void(out.emplace_back(path + e.name, &e.layer));
  for (const Entry& below : e.model->entries) add_leaves(below, path + e.name + "/", out);
}

}  // namespace

Model parse_model(const Json& j, const Reading& reading) {
  const std::string class_name = j.at("class_name").as_string();
  if (class_name == "Sequential") return parse_sequential(j, reading);
  if (!j.at("config").is_object() || !j.at("config").find("layers"))
    throw DataError(
        fmt::format("a model of the class '{}' is code, not a graph of layers: it cannot be opened",
                    class_name));
  return parse_functional(j, reading);
}

void rename(Model& model, const std::vector<std::pair<std::string, std::string>>& from_to) {
  const std::map<std::string, std::string> names(from_to.begin(), from_to.end());
  const auto change = [&](std::string& name) {
    if (const auto it = names.find(name); it != names.end()) name = it->second;
  };
  for (Entry& e : model.entries) {
    change(e.name);
    for (auto& call : e.calls)
      for (Reference& r : call) change(r.layer);
  }
  for (auto* refs : {&model.inputs, &model.outputs})
    for (Reference& r : *refs) change(r.layer);
}

GraphRecord flatten(const Model& model, const Reading& reading) {
  GraphRecord graph = Flattener().run(model);
  translate_operations(graph, reading);
  return graph;
}

std::vector<std::pair<std::string, const LayerRecord*>> leaves_of(const Entry& entry) {
  std::vector<std::pair<std::string, const LayerRecord*>> leaves;
  add_leaves(entry, "", leaves);
  return leaves;
}

}  // namespace ocellus::keras
