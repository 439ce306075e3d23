// Rescaling: y = x * scale + offset; each is a number, or a list with a number for every channel.

#include "channel_affine.hpp"

namespace ocellus::layers {
namespace {

struct RescalingOptions {
  Json scale = 1.0, offset = 0.0;
};

class Rescaling : public Layer {
 public:
  explicit Rescaling(const RescalingOptions& o)
      : affine_(ChannelAffine::numbers(o.scale, "scale"),
                ChannelAffine::numbers(o.offset, "offset")) {}

  LayerPlan plan(const PlanRequest& request) const override { return affine_.plan(request); }
  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    return affine_.prepare(device, plan);
  }

 private:
  ChannelAffine affine_;
};

}  // namespace

void register_rescaling(Registrar& r) {
  Parameters<RescalingOptions> p;
  p.add("scale", &RescalingOptions::scale, "factor: a number, or one a channel").required();
  p.add("offset", &RescalingOptions::offset, "added after: a number, or one a channel");
  r.add<Rescaling>("Rescaling", "x * scale + offset", std::move(p));
}

}  // namespace ocellus::layers
