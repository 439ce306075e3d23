// The optimizer's state: /optimizer_weights of HDF5 models, which names its variables, and
// /optimizer/vars of `.weights.h5` and `.keras`, which numbers them.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "keras.hpp"
#include "ocellus/core/graph_builder.hpp"
#include "ocellus/core/optimizer.hpp"

namespace ocellus::keras {
namespace {

constexpr const char* state_group = "/optimizer_weights";

// Words by which versions of Keras call a slot: Keras 3, tf.keras since 2.11, tf.keras before.
const std::vector<std::pair<std::string, std::vector<std::string>>>& slot_words() {
  static const std::vector<std::pair<std::string, std::vector<std::string>>> words = {
      {"average_gradient", {"average_gradient", "mg"}},
      {"velocity_hat", {"velocity_hat", "vhat"}},
      {"velocity", {"velocity", "v", "rms"}},
      {"momentum", {"momentum", "m"}}};
  return words;
}

// "adam/dense_kernel_velocity", "Adam/v/dense/kernel:0", "training/Adam/dense/kernel/v:0":
// velocity.
std::string slot_of(const std::string& variable) {
  const std::string name = variable.substr(0, variable.find(':'));
  std::vector<std::string> parts;
  for (size_t at = 0; at <= name.size();) {
    const size_t end = std::min(name.find('/', at), name.size());
    parts.push_back(name.substr(at, end - at));
    at = end + 1;
  }
  for (const auto& [slot, words] : slot_words())
    for (const std::string& word : words)
      if (parts.back() == word || (parts.size() > 2 && parts[1] == word)) return slot;
  for (const auto& [slot, words] : slot_words())
    if (parts.back().ends_with("_" + slot)) return slot;
  return {};
}

bool is_iteration(const std::string& variable) {
  const std::string last = variable.substr(variable.rfind('/') + 1);
  return last.starts_with("iter");
}

// The trained weights of the network, in Keras' order: (layer, index of the parameter among all of
// the network's).
struct Trained {
  size_t count = 0;                // all parameters, frozen ones included
  std::vector<Shape> shapes;       // of all
  std::vector<size_t> in_order;    // trained ones in Keras' order
  std::vector<std::string> names;  // of all: "conv2d/kernel"
};

Trained trained_of(const GraphRecord& graph, const std::vector<WeightsRecord>& weights,
                   const std::vector<std::string>& order,
                   const std::map<std::string, std::string>& keras_name) {
  Trained t;
  std::map<std::string, std::pair<size_t, size_t>> range;  // layer -> first, count
  for (const LayerRecord& l : graph.layers) {
    const auto w = std::find_if(weights.begin(), weights.end(),
                                [&](const WeightsRecord& r) { return r.layer == l.name; });
    if (w == weights.end()) continue;
    const size_t n = parameter_count(l, *w);
    if (is_trainable(graph, l)) range[l.name] = {t.count, n};
    for (size_t i = 0; i < n; ++i) {
      t.shapes.push_back(w->values[i].shape());
      const auto k = keras_name.find(l.name);
      t.names.push_back((k == keras_name.end() ? l.name : k->second) + "/" + w->names[i]);
    }
    t.count += n;
  }
  for (const std::string& name : order)
    if (const auto it = range.find(name); it != range.end())
      for (size_t i = 0; i < it->second.second; ++i) t.in_order.push_back(it->second.first + i);
  return t;
}

std::vector<std::string> keras_leaf_order(const Model& model) {
  std::vector<std::string> order;
  for (const Entry& e : model.entries)
    for (const auto& [path, layer] : leaves_of(e)) order.push_back(path);
  return order;
}

Trained trained_of(const ModelDocument& document, const Written& written) {
  std::vector<std::string> order;
  std::map<std::string, std::string> names;
  for (const size_t i : written.order) order.push_back(document.graph.layers[i].name);
  for (size_t i = 0; i < written.names.size(); ++i)
    names[document.graph.layers[i].name] = written.names[i];
  return trained_of(document.graph, document.weights, order, names);
}

std::vector<std::string> slots_of(const OptimizerRecord& o, const Registry& registry) {
  return registry.create<Optimizer>(o.type, o.parameters, "optimizer " + o.type)->slots();
}

// Whether Keras 3, and tf.keras since 2.11, list all slots of a weight before the next weight's.
bool by_weight(const OptimizerRecord& o) { return o.type.starts_with("Adam"); }

int64_t integer_of(const Array& a) {
  return a.type() == DType::i64 ? a.i64()[0] : static_cast<int64_t>(a.to_f32().f32()[0]);
}

// Takes the tensors of each slot, in Keras' order of the trained weights, or says why not.
void take_slots(const Trained& trained, const std::vector<std::string>& slots,
                std::map<std::string, std::vector<Array>>& found, const Reading& reading,
                OptimizerRecord& o) {
  const size_t n = trained.in_order.size();
  for (const std::string& slot : slots) {
    std::vector<Array>& values = found[slot];
    bool fits = values.size() == n;
    for (size_t i = 0; fits && i < n; ++i)
      fits = values[i].shape() == trained.shapes[trained.in_order[i]];
    if (!fits) {
      reading.warnings.push_back(
          fmt::format("the state of the optimizer {} does not fit the network ({} of {} tensors of "
                      "'{}'): it starts afresh",
                      o.type, values.size(), n, slot));
      o.slots.clear();
      o.iteration = 0;
      return;
    }
    std::vector<Array> all(trained.shapes.size());
    for (size_t i = 0; i < n; ++i) all[trained.in_order[i]] = std::move(values[i]);
    for (size_t p = 0; p < all.size(); ++p)
      if (all[p].empty()) all[p] = Array(trained.shapes[p], DType::f32);
    o.slots.push_back(std::move(all));
  }
}

// Laid out so that tf.keras 2.4 to 2.15 goes on from it: the iteration, then one slot after the
// other, as its older optimizers list their weights, which it makes of a configuration that does
// not say otherwise; only AdamW, which is younger, lists the slots of each weight together. Keras 3
// does not go on even from its own .h5 files: its loader builds the optimizer without weights, and
// says so in a warning (3.15).
void write_named_state(H5Writer& file, const OptimizerRecord& o, const Trained& trained,
                       const Registry& registry) {
  std::vector<std::string> names;
  file.group(state_group);
  const auto put = [&](const std::string& name, const Array& values) {
    names.push_back(name);
    file.dataset(std::string(state_group) + "/" + name, values);
  };
  Array iteration(Shape(), DType::i64);
  iteration.i64()[0] = o.iteration;
  put("iteration:0", iteration);
  const auto slots = slots_of(o, registry);
  const auto put_slot = [&](size_t s, size_t p) {
    // All but RMSprop abbreviate.
    const std::string slot = o.type == "RMSprop"         ? slots.at(s)
                             : slots.at(s) == "velocity" ? "v"
                                                         : "m";
    put(fmt::format("{}/{}/{}:0", o.type, slot, trained.names[p]), o.slots[s].at(p));
  };
  if (o.type == "AdamW") {
    for (const size_t p : trained.in_order)
      for (size_t s = 0; s < o.slots.size(); ++s) put_slot(s, p);
  } else {
    for (size_t s = 0; s < o.slots.size(); ++s)
      for (const size_t p : trained.in_order) put_slot(s, p);
  }
  file.attribute(state_group, "weight_names", names);
}

// As Keras 3 numbers them: iteration, learning rate, slots.
void write_numbered_state(H5Writer& file, const OptimizerRecord& o, const Trained& trained) {
  int next = 0;
  file.group("/optimizer/vars");
  file.attribute("/optimizer/vars", "name", keras_layer_name(o.type, 0));
  const auto put = [&](const Array& values) {
    file.dataset(fmt::format("/optimizer/vars/{}", next++), values);
  };
  Array iteration(Shape(), DType::i64), rate(Shape(), DType::f32);
  iteration.i64()[0] = o.iteration;
  rate.f32()[0] = static_cast<float>(o.parameters.get("learning_rate", 0.001));
  put(iteration);
  put(rate);
  if (by_weight(o)) {
    for (const size_t p : trained.in_order)
      for (const auto& slot : o.slots) put(slot.at(p));
  } else {
    for (const auto& slot : o.slots)
      for (const size_t p : trained.in_order) put(slot.at(p));
  }
}

}  // namespace

// Slots by name; where a version's names say nothing, as one slot after the other.
void read_named_state(const H5Reader& file, const Model& model, const Reading& reading,
                      ModelDocument& document) {
  if (!document.optimizer || document.weights.empty() || !file.has_group(state_group)) return;
  OptimizerRecord& o = *document.optimizer;
  const Trained trained = trained_of(document.graph, document.weights, keras_leaf_order(model), {});
  const std::vector<std::string> slots = slots_of(o, reading.registry);
  std::map<std::string, std::vector<Array>> found;
  std::vector<Array> nameless;
  for (const std::string& name : file.texts(state_group, "weight_names")) {
    Array values = file.read(std::string(state_group) + "/" + name);
    if (is_iteration(name)) {
      if (values.elements() == 1) o.iteration = integer_of(values);
    } else if (values.shape().rank() > 0) {
      const std::string slot = slot_of(name);
      (slot.empty() ? nameless : found[slot]).push_back(values.to_f32());
    }
  }
  const size_t n = trained.in_order.size();
  if (found.empty() && nameless.size() >= n * slots.size())
    for (size_t s = 0; s < slots.size(); ++s)
      found[slots[s]].assign(nameless.begin() + static_cast<ptrdiff_t>(s * n),
                             nameless.begin() + static_cast<ptrdiff_t>((s + 1) * n));
  take_slots(trained, slots, found, reading, o);
}

void read_numbered_state(const H5Reader& file, const Model& model, const Reading& reading,
                         ModelDocument& document) {
  if (!document.optimizer || document.weights.empty()) return;
  std::vector<Array> tensors;
  OptimizerRecord& o = *document.optimizer;
  const std::vector<std::string> variables = numbered(file, "/optimizer/vars");
  for (size_t i = 0; i < variables.size(); ++i) {
    Array values = file.read(variables[i]);
    if (i == 0 && values.elements() == 1) o.iteration = integer_of(values);
    if (values.shape().rank() > 0) tensors.push_back(values.to_f32());
  }
  if (tensors.empty()) return;  // not trained yet, or without slots
  const Trained trained = trained_of(document.graph, document.weights, keras_leaf_order(model), {});
  const std::vector<std::string> slots = slots_of(o, reading.registry);
  const size_t n = trained.in_order.size();
  std::map<std::string, std::vector<Array>> found;
  for (size_t i = 0; i < tensors.size() && !slots.empty() && n > 0; ++i)
    found[slots[by_weight(o) ? i % slots.size() : std::min(i / n, slots.size() - 1)]].push_back(
        std::move(tensors[i]));
  take_slots(trained, slots, found, reading, o);
}

void write_state(H5Writer& file, const ModelDocument& document, const Written& written,
                 const Registry& registry, bool numbered, Log& log) {
  const OptimizerRecord& o = *document.optimizer;
  if (o.slots.empty() && o.iteration == 0) return;
  const Trained trained = trained_of(document, written);
  for (const auto& slot : o.slots)
    if (slot.size() != trained.count) {
      log.warning(fmt::format(
          "the optimizer's state has {} tensors a slot, the network {} parameters: it is not saved",
          slot.size(), trained.count));
      return;
    }
  if (numbered)
    write_numbered_state(file, o, trained);
  else
    write_named_state(file, o, trained, registry);
}

}  // namespace ocellus::keras
