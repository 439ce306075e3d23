#pragma once

#include <memory>

#include "ocellus/core/layer.hpp"

namespace ocellus {

/// A function by name ("relu", "softmax") as layers take it in their `activation` parameter. Core
/// makes a node of it.
class OCELLUS_API Activation {
 public:
  using Interface = Activation;
  static constexpr Kind kind = Kind::activation;
  virtual ~Activation();
  /// The layer that computes it.
  virtual std::shared_ptr<const Layer> layer() const = 0;
};

/// An activation that maps each element by itself: most are one line with this.
class OCELLUS_API PointwiseActivation : public Activation {
 public:
  /// `saves`: what the derivative mentions.
  enum class Saves { nothing, input, output };
  PointwiseActivation(std::string expression, std::string derivative, Saves saves,
                      Probability probability = Probability::none);
  ~PointwiseActivation() override;
  std::shared_ptr<const Layer> layer() const override;

 private:
  std::shared_ptr<const Layer> layer_;
};

}  // namespace ocellus
