#include "row_kernel.hpp"

#include "augmenters_kernels.hpp"
#include "ocellus/core/error.hpp"

namespace ocellus::augmenters {
namespace {

class RowKernelOp : public AugmenterOp {
 public:
  RowKernelOp(opencl::Device& device, const Shape& images, RowKernel kernel)
      : images_(images), spec_(std::move(kernel)) {
    group_ = device.family() == opencl::KernelFamily::vector ? 1 : 16;
    kernel_ = device.kernel(kernels::augmenters_cl(), spec_.name,
                            spec_.options + " -DGROUP=" + std::to_string(group_));
  }

  void run(opencl::Queue& queue, const AugmentArgs& args) override {
    opencl::Arguments a;
    a.add(args.images.buffer)
        .add(args.images.offset)
        .add(args.output.buffer)
        .add(args.output.offset);
    a.add(args.run.samples).add(images_[1]).add(images_[2]).add(images_[3]);
    a.add(static_cast<uint32_t>(args.run.seed)).add(static_cast<uint32_t>(args.run.seed >> 32));
    a.add(args.run.node).add(args.run.step);
    for (const int i : spec_.integers) a.add(i);
    for (const double v : spec_.numbers) a.add(static_cast<float>(v));
    kernel_.launch(queue, opencl::Range::of(images_[1], images_[0], group_, 1), a);
  }

 private:
  Shape images_;
  RowKernel spec_;
  opencl::Kernel kernel_;
  size_t group_ = 1;
};

}  // namespace

std::unique_ptr<AugmenterOp> make_row_kernel(opencl::Device& device, const Shape& images,
                                             RowKernel kernel) {
  if (images.rank() != 4) throw ShapeError("takes images (N, H, W, C), not " + images.str());
  return std::make_unique<RowKernelOp>(device, images, std::move(kernel));
}

}  // namespace ocellus::augmenters
