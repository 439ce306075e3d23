#pragma once

#include <vector>

#include "layers.hpp"

namespace ocellus::layers {

/// y = x * scale[c] + shift[c] with numbers that the model's description holds: Rescaling, and
/// Normalization with given statistics.
class ChannelAffine {
 public:
  /// Both of size 1 (the same for all channels) or of one common size.
  ChannelAffine(std::vector<double> scale, std::vector<double> shift);
  /// Numbers from a parameter: 0.5 or [0.1, 0.2, 0.3]. Throws UsageError naming the parameter.
  static std::vector<double> numbers(const Json& value, const std::string& parameter);

  /// The same for all channels.
  bool is_number() const { return scale_.size() == 1; }

  LayerPlan plan(const PlanRequest& request) const;
  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const;

 private:
  std::vector<double> scale_, shift_;
};

}  // namespace ocellus::layers
