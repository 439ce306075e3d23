#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ocellus/core/model_document.hpp"
#include "ocellus/core/receptive_field.hpp"
#include "ocellus/core/registry.hpp"

namespace ocellus {

/// One layer of a model, its activation folded in, all its calls together.
struct LayerRow {
  std::string name, type;
  std::optional<Shape> shape;  ///< of its first output, batch 1; none behind a layer that cannot be
                               ///< planned
  std::vector<int> open_shape;  ///< of an input that the file leaves open, without batch, -1 where
                                ///< it is; else empty
  int64_t parameters = 0;       ///< parameters and states; where no plan tells, those of the file
  std::vector<std::string> weights;     ///< "kernel (3, 3, 16, 32)", in Keras' order
  std::optional<double> multiply_adds;  ///< of one item; none where no plan tells
  std::optional<ReceptiveField> field;  ///< none where unknown, or where paths disagree in jump
  std::string problem;  ///< why this layer cannot run; empty for those that can, and for those that
                        ///< merely stand behind one
};

/// What a document says of a model, whether it can run here or not.
struct Inspection {
  std::string name;
  std::vector<LayerRow> layers;
  std::vector<std::optional<Shape>> inputs, outputs;  ///< with batch 1
  int64_t parameters = 0;
  double multiply_adds = 0;  ///< of what is known
  int depth = 0;             ///< layers with a kernel on the longest path: 16 for VGG16
  /// Why the model cannot run, in one line; empty when it can. `code` is the error's: plugin where
  /// a layer is missing.
  std::string refusal;
  ExitCode code = ExitCode::good;
};

/// Plans a model layer by layer on the host, as far as shapes are known; what no loaded plugin
/// supplies stands there with the weights that the file holds for it. Never throws because of a
/// model.
OCELLUS_API Inspection inspect(const Registry& registry, const ModelDocument& document);

}  // namespace ocellus
