#pragma once

#include <map>
#include <string>
#include <vector>

#include "ocellus/core/model_document.hpp"

namespace ocellus {

/// Builds a graph layer by layer. Architectures, typed and short models use it:
///     GraphBuilder b("tiny");
///     b.input({28, 28, 1});
///     b.add("Conv2D", {{"filters", 8}, {"kernel_size", 3}, {"activation", "relu"}});
///     TensorRef skip = b.last();
///     ...
///     b.add("Add", {}, {skip, b.last()});
///     GraphRecord graph = b.finish();
/// A layer without a name is named as Keras names it: "conv2d", then "conv2d_1".
class OCELLUS_API GraphBuilder {
 public:
  explicit GraphBuilder(std::string name = "model");

  /// An input of the network; `shape` is without batch. Throws UsageError where a name stands
  /// twice, as do the others.
  TensorRef input(const std::vector<int>& shape, std::string name = {});
  /// A layer on the output of the one before.
  TensorRef add(const std::string& type, Json::Object parameters = {}, std::string name = {});
  /// A layer on the given tensors.
  TensorRef add(const std::string& type, Json::Object parameters, std::vector<TensorRef> inputs,
                std::string name = {});
  /// Output of the layer that was added last. Throws UsageError when there is none.
  const TensorRef& last() const;
  /// Output of a layer by its name. Throws UsageError with the nearest known name.
  TensorRef output_of(const std::string& name) const;
  /// The layer added last, to be completed.
  LayerRecord& record() { return graph_.layers.back(); }

  /// The graph, with the given outputs, or that of the last layer. It is sequential when each layer
  /// stands on the one before.
  GraphRecord finish(std::vector<TensorRef> outputs = {});

 private:
  TensorRef append(LayerRecord layer);
  GraphRecord graph_;
  TensorRef last_;
  std::map<std::string, int> counts_;  ///< how many layers took a generated name
};

/// Keras' name for the n-th layer of a class: snake case and a number from the second on
/// ("conv2d_1").
OCELLUS_API std::string keras_layer_name(const std::string& type, int n);

}  // namespace ocellus
