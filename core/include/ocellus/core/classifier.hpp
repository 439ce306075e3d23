#pragma once

#include <memory>
#include <span>

#include "ocellus/core/array.hpp"
#include "ocellus/core/registry.hpp"
#include "ocellus/opencl/device.hpp"

namespace ocellus {

/// A fitted classifier.
class OCELLUS_API ClassifierModel {
 public:
  virtual ~ClassifierModel();
  /// f32 (N, D) -> f32 (N, classes) scores that sum to 1.
  virtual Array scores(const Array& features) = 0;
};

/// A classical classifier on features of a network.
class OCELLUS_API Classifier {
 public:
  using Interface = Classifier;
  static constexpr Kind kind = Kind::classifier;
  virtual ~Classifier();
  /// features f32 (N, D), labels in [0, classes). Throws DataError on NaN or no samples.
  virtual std::unique_ptr<ClassifierModel> fit(std::shared_ptr<opencl::Device> device,
                                               const Array& features, std::span<const int> labels,
                                               int classes) const = 0;
};

}  // namespace ocellus
