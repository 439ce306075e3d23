// GroupNormalization: mean 0 and variance 1 over the pixels and the channels of a group (Wu and He,
// ECCV 2018).
//
//   parameters: gamma (C), beta (C)

#include <fmt/format.h>

#include "normalizing.hpp"

namespace ocellus::layers {
namespace {

struct GroupNormalizationOptions {
  int groups = 32, axis = -1;
  double epsilon = 1e-3;
  bool center = true, scale = true;
  std::string beta_initializer = "zeros", gamma_initializer = "ones";
};

class GroupNormalization : public Layer {
 public:
  explicit GroupNormalization(const GroupNormalizationOptions& o) : options_(o) {}

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1);
    const Shape& x = request.inputs[0];
    if (x.rank() < 2 || (options_.axis != -1 && options_.axis != x.rank() - 1))
      throw ShapeError(fmt::format("groups the last axis (the channels) only, not axis {} of {}",
                                   options_.axis, x.str()));
    if (groups(x) < 1 || x.channels() % groups(x) != 0)
      throw ShapeError(
          fmt::format("{} channels cannot be split into {} groups", x.channels(), options_.groups));
    LayerPlan p = normalizing_plan(request, normalizing(x));
    const Shape channels{x.channels()};
    if (options_.scale)
      p.parameters.push_back({"gamma", channels, Role::gamma, options_.gamma_initializer});
    if (options_.center)
      p.parameters.push_back({"beta", channels, Role::beta, options_.beta_initializer});
    return p;
  }
  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    return normalizing_op(device, plan, normalizing(plan.outputs[0]));
  }

 private:
  int groups(const Shape& x) const {
    return options_.groups == -1 ? x.channels() : options_.groups;
  }
  Normalizing normalizing(const Shape& x) const {
    const int g = groups(x), size = x.channels() / g;
    Normalizing n;
    n.x = {x[0], x.pixels() / std::max(1, x[0]), g, size};
    n.statistics = {x[0], 1, g, 1};
    n.weights = {1, 1, g, size};
    n.scale = options_.scale;
    n.center = options_.center;
    n.terms = static_cast<double>(n.x[1]) * size;
    n.scale_of_sum = inverse_root(n.terms, options_.epsilon);
    return n;
  }

  GroupNormalizationOptions options_;
};

}  // namespace

void register_group_normalization(Registrar& r) {
  Parameters<GroupNormalizationOptions> group;
  group
      .add("groups", &GroupNormalizationOptions::groups,
           "number of groups of channels; -1: each channel is one")
      .min(-1);
  group.add("axis", &GroupNormalizationOptions::axis, "axis that is grouped; the last one only");
  add_weights(group);
  r.add<GroupNormalization>("GroupNormalization",
                            "mean 0 and variance 1 in each group of an item's channels",
                            std::move(group));
}

}  // namespace ocellus::layers
