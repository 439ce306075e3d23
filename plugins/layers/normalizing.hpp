#pragma once

#include "strided_layer.hpp"

/// What layers share that normalize over some axes:
///
///   h = (x - mean) r,  r = 1 / sqrt(mean of (x - mean)^2 + epsilon),  y = gamma h + beta
///
/// Backward, with g = gamma dy and K numbers in each mean:
///   dx = r (g - sum g / K - h sum (g h) / K),  dgamma = sum dy h,  dbeta = sum dy
namespace ocellus::layers {

/// How an item is seen and what is done with it.
struct Normalizing {
  Shape x;                           ///< the input, its channels split where there are groups
  Shape statistics;                  ///< x with 1 along the axes that are normalized
  Shape weights;                     ///< x with 1 along the axes without weights of their own
  bool centered = true;              ///< else the mean counts as 0
  bool scale = true, center = true;  ///< whether there are gamma and beta
  double terms = 1;                  ///< K, or 1 for a length instead of a mean
  std::string scale_of_sum;          ///< r over y, the sum of squares
  /// States 0 and 1, a mean and a variance of the shape `statistics`: none; they stand for those of
  /// the input; or they follow these, keeping the part `momentum` each time.
  enum class Moving { none, used, updated } moving = Moving::none;
  double momentum = 0, epsilon = 0;  ///< with `moving` only
};

/// r for `scale_of_sum`: 1 / sqrt(y / terms + epsilon).
std::string inverse_root(double terms, double epsilon);

/// Without parameters, states and window.
LayerPlan normalizing_plan(const PlanRequest& request, const Normalizing& n);
std::unique_ptr<LayerOp> normalizing_op(opencl::Device& device, const LayerPlan& plan,
                                        const Normalizing& n);

/// A layer that normalizes over axes of its input: it says how, and which parameters there are for
/// weights of the shape of these axes.
class AxisNormalization : public Layer {
 public:
  LayerPlan plan(const PlanRequest& request) const final;
  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const final;

 protected:
  /// Throws UsageError where `axis` is neither an integer nor a list of them.
  explicit AxisNormalization(const Json& axis) : axes_(integers_of(axis, "axis")) {}

 private:
  virtual std::vector<ParameterSpec> weights(const Shape& shape) const = 0;
  /// Completes statistics and weights over the axes, with gamma and beta and the mean of squares.
  virtual void complete(Normalizing& n) const = 0;
  Normalizing normalizing(const Shape& x) const;

  std::vector<int> axes_;
};

/// The parameters of layers with gamma and beta.
template <class O>
void add_weights(Parameters<O>& p) {
  p.add("epsilon", &O::epsilon, "added to the variance").min(0);
  p.add("center", &O::center, "has beta");
  p.add("scale", &O::scale, "has gamma");
  p.add("beta_initializer", &O::beta_initializer, "first values of beta");
  p.add("gamma_initializer", &O::gamma_initializer, "first values of gamma");
}

}  // namespace ocellus::layers
