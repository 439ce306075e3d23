#include "kernel_loss.hpp"

#include "losses_kernels.hpp"

namespace ocellus::losses {
namespace {

constexpr int group = 16;

class KernelLossOp : public LossOp {
 public:
  KernelLossOp(opencl::Device& device, const LossRequest& request, const KernelLoss& loss)
      : samples_(request.prediction[0]),
        columns_(request.prediction.channels()),
        pixels_(request.prediction.pixels() / std::max(samples_, 1)),
        option_(loss.option),
        kernel_(device.kernel(kernels::losses_cl(), loss.kernel,
                              "-DSPARSE=" + std::to_string(request.sparse_targets) +
                                  " -DFROM_LOGITS=" + std::to_string(loss.from_logits) +
                                  " -DGROUP=" + std::to_string(group))) {}

  void run(opencl::Queue& queue, const LossArgs& a) override {
    kernel_(queue, opencl::Range::of(samples_, group), a.prediction.buffer, a.prediction.offset,
            a.prediction.pixel_stride, a.target.buffer, a.target.offset, a.weights.buffer,
            a.weights.offset, a.per_sample.buffer, a.per_sample.offset, a.gradient.buffer,
            a.gradient.offset, a.gradient.pixel_stride, samples_, pixels_, columns_,
            a.gradient_scale, option_);
  }

 private:
  int samples_, columns_, pixels_;
  float option_;
  opencl::Kernel kernel_;
};

void check_targets(const LossRequest& r, const std::string& name) {
  if (r.prediction.rank() < 2)
    throw ShapeError(name + ": the prediction must be (N, ...), it is " + r.prediction.str());
  const int n = r.prediction[0];
  if (r.sparse_targets) {
    if (r.target != Shape{n} || r.prediction.rank() != 2)
      throw ShapeError(name + ": one class an item needs a prediction (N, classes); prediction " +
                       r.prediction.str() + ", targets " + r.target.str());
  } else if (r.target.rank() == 0 || r.target[0] != n ||
             r.target.elements() != r.prediction.elements()) {
    throw ShapeError(name + ": the network gives " + r.prediction.str() + ", the targets are " +
                     r.target.str());
  }
}

}  // namespace

std::unique_ptr<LossOp> make_loss(opencl::Device& device, const LossRequest& request,
                                  const KernelLoss& loss, const std::string& name) {
  check_targets(request, name);
  return std::make_unique<KernelLossOp>(device, request, loss);
}

}  // namespace ocellus::losses
