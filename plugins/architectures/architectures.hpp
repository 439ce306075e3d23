#pragma once

// What the small architectures share. Each file holds one family.
#include <vector>

#include "ocellus/core/graph_builder.hpp"
#include "ocellus/core/model_format.hpp"
#include "ocellus/core/registry.hpp"

namespace ocellus::architectures {

void register_cifar_small(Registrar& r);
void register_lenet5(Registrar& r);
void register_mnist_cnn(Registrar& r);

/// Parameters that every family has.
struct ImageClassifier {
  std::vector<int> input_shape;  ///< height, width, channels
  int classes = 10;
};

template <class P>
void add_common(Parameters<P>& p) {
  // Pointers to members of the base, as members of P.
  p.add("input_shape", static_cast<std::vector<int> P::*>(&P::input_shape),
        "height, width, channels")
      .min(1);
  p.add("classes", static_cast<int P::*>(&P::classes), "number of classes").min(2);
}

/// Begins a graph with its input. Throws UsageError unless the shape has three extents of at least
/// `smallest` pixels.
GraphBuilder begin(const char* name, const std::vector<int>& input_shape, int smallest);

}  // namespace ocellus::architectures
