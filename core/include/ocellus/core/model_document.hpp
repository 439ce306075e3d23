#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ocellus/core/array.hpp"
#include "ocellus/core/json.hpp"
#include "ocellus/core/preprocessing.hpp"

namespace ocellus {

/// A tensor of a graph: output `output` of call `call` of layer `layer`.
struct TensorRef {
  std::string layer;
  int call = 0;
  int output = 0;
  bool operator==(const TensorRef&) const = default;
};

/// A layer as a file or a person describes it. Names of layers of nested models are paths:
/// "backbone/conv1".
struct LayerRecord {
  std::string type;  ///< registry name, or the foreign class name where nothing here matches
  std::string name;
  Json parameters = Json::object();  ///< in our dialect, strict; `activation` included
  bool trainable = true;
  std::vector<std::vector<TensorRef>>
      calls;                      ///< inputs of each call; an Input has one call without inputs
  Json foreign = Json::object();  ///< keys of the file that we do not know, written back on saving
};

/// A nested model of the file: its layers stand in GraphRecord::layers under the path. Kept so that
/// saving nests them again.
struct ScopeRecord {
  std::string path;  ///< "backbone"
  bool sequential = false;
  bool trainable = true;
};

struct GraphRecord {
  std::string name = "model";
  bool sequential = false;
  std::vector<LayerRecord> layers;  ///< inputs come before their users
  std::vector<TensorRef> inputs, outputs;
  std::vector<ScopeRecord> scopes;
};

/// Weights of one layer in Keras' order: parameters, then states.
struct WeightsRecord {
  std::string layer;
  std::vector<std::string> names;  ///< "kernel", "bias", ...
  std::vector<Array> values;
};

struct OptimizerRecord {
  std::string type;                  ///< registry name, "Adam"
  Json parameters = Json::object();  ///< strict
  int64_t iteration = 0;
  /// slots[s][p]: slot s of the p-th trainable parameter, in the order of the network.
  std::vector<std::vector<Array>> slots;
};

/// An input and the logits it must give: checked when the model is opened.
struct SampleRecord {
  Array input, logits;
};

/// A model between a file and a Network: neutral, complete, on the host. ModelFormats read and
/// write it.
struct ModelDocument {
  GraphRecord graph;
  std::vector<WeightsRecord> weights;  ///< may be empty: architecture only
  std::optional<OptimizerRecord> optimizer;
  std::string loss;  ///< registry name; empty: not compiled
  std::vector<std::string> metrics;
  Json training_state;                      ///< the Trainer's: epoch, step, history, ...
  std::vector<WeightsRecord> best_weights;  ///< the Trainer's, while it stops early: those of the
                                            ///< best epoch so far; may be empty
  std::vector<std::string> classes;
  std::optional<Preprocessing> preprocessing;
  std::optional<SampleRecord> sample;
  std::vector<std::string> warnings;  ///< what reading had to say: unknown keys, skipped parts
};

}  // namespace ocellus
