#pragma once

#include <string>
#include <vector>

#include "ocellus/core/dataset.hpp"
#include "ocellus/core/execution.hpp"
#include "ocellus/core/progress.hpp"

namespace ocellus {

/// Activations of one tensor of a network for a whole data set: what classical classifiers and maps
/// work on.
struct Features {
  Array values;             ///< f32 (N, D)
  std::vector<int> labels;  ///< a sample, or empty
  std::vector<std::string> names;
  std::string layer, pooling;
};

struct FeatureOptions {
  std::string layer;             ///< tensor; empty: default_feature_layer()
  std::string pooling = "auto";  ///< of (N, H, W, C) over H and W: "average", "max", "none"
                                 ///< (flattened); auto: average
  int batch = 128;
  int64_t limit = 0;  ///< first so many samples; 0: all
};

/// The tensor that goes into the layer of the logits: what the network has made of an image just
/// before it decides.
OCELLUS_API std::string default_feature_layer(const Network& network);
/// Throws UsageError for an unknown layer, Interrupted when asked to stop.
OCELLUS_API Features extract_features(Network& network, std::shared_ptr<const Dataset> data,
                                      const FeatureOptions& options, Progress& progress);

}  // namespace ocellus
