// UpSampling2D, UpSampling1D: an image `size` times as large, (N, H, W, C) -> (N, H * size_h, W *
// size_w, C); a sequence (N, L, C) -> (N, L * size, C).
//
// interpolation "nearest" repeats each pixel; "bilinear" (images only) mixes the four pixels round
// a place, pixel centres lying at halves and borders repeated, as Keras does.

#include "image.hpp"
#include "layers.hpp"
#include "resampling.hpp"

namespace ocellus::layers {
namespace {

template <class Extent>
struct UpSamplingOptions {
  Extent size = each<Extent>(2);
  std::string interpolation = "nearest";
};

template <class Extent>
class UpSampling : public Layer {
 public:
  explicit UpSampling(UpSamplingOptions<Extent> options) : options_(std::move(options)) {}

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1, rank_of<Extent>);
    const Shape x = as_image(request.inputs[0]);
    const Size size = image_size(options_.size);
    LayerPlan p;
    p.request = request;
    p.outputs = {from_image({x[0], checked_extent(int64_t{x[1]} * size.h),
                             checked_extent(int64_t{x[2]} * size.w), x[3]},
                            rank_of<Extent>)};
    p.strided_inputs = p.strided_outputs = true;
    p.window.kind = Window::Kind::local;
    p.window.h = seen(size.h);
    p.window.w = seen(size.w);
    return p;
  }

  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    const Shape x = as_image(plan.request.inputs[0]);
    const Size size = image_size(options_.size);
    const auto axis = linear() ? opencl::ResampleAxis::linear : opencl::ResampleAxis::nearest;
    return std::make_unique<ResamplingOp>(device, plan, axis(x[1], x[1] * size.h),
                                          axis(x[2], x[2] * size.w));
  }

 private:
  bool linear() const { return options_.interpolation == "bilinear"; }

  /// On a grid where input pixel i stands at i * n. Nearest: output o sees the last pixel at or
  /// before it. Linear: those nearer than n to its own place, o + 0.5 - n / 2.
  WindowAxis seen(int n) const {
    if (n == 1) return {};
    if (!linear()) return {n, 1, 1, n - 1, 0, n};
    const int before = n % 2 ? 3 * (n - 1) / 2 : 3 * n / 2 - 1, after = n % 2 ? (n - 1) / 2 : n / 2;
    return {before + 1 + after, 1, 1, before, after, n};
  }

  UpSamplingOptions<Extent> options_;
};

}  // namespace

void register_up_sampling2d(Registrar& r) {
  Parameters<UpSamplingOptions<Size>> p;
  p.add("size", &UpSamplingOptions<Size>::size, "how many times as high and wide").min(1);
  p.add("interpolation", &UpSamplingOptions<Size>::interpolation, "what stands between the pixels")
      .one_of({"nearest", "bilinear"});
  r.add<UpSampling<Size>>("UpSampling2D", "a larger image", std::move(p));
  Parameters<UpSamplingOptions<int>> p1;
  p1.add("size", &UpSamplingOptions<int>::size, "how many times as long").min(1);
  r.add<UpSampling<int>>("UpSampling1D", "a longer sequence", std::move(p1));
}

}  // namespace ocellus::layers
