#include <fmt/format.h>

#include "convolution_algorithm.hpp"
#include "ocellus_opencl_kernels.hpp"

namespace ocellus::opencl {
namespace {

const char* kernel_name(ConvolutionPass pass) {
  switch (pass) {
    case ConvolutionPass::forward:
      return "convolution_naive_forward";
    case ConvolutionPass::backward_data:
      return "convolution_naive_backward_data";
    case ConvolutionPass::backward_weights:
      return "convolution_naive_backward_weights";
  }
  return "";
}

class ConvolutionNaive : public ConvolutionAlgorithm {
 public:
  ConvolutionNaive(Device& device, const ConvolutionProblem& problem, ConvolutionPass pass)
      : p_(problem),
        pass_(pass),
        kernel_(
            device.kernel(kernels::convolution_naive_cl().with_preamble(generate(problem.epilogue)),
                          kernel_name(pass))) {}

  void run(Queue& queue, const Call& c) const override {
    Arguments args;
    args.add(p_.batch).add(p_.in_channels).add(p_.out_channels).add(p_.groups);
    for (const Axis& a : {p_.h, p_.w})
      args.add(a.in).add(a.out).add(a.kernel).add(a.stride).add(a.dilation).add(a.pad_before);
    args.add(c.x.buffer).add(c.x.offset).add(c.x.stride);
    args.add(c.kernel.buffer).add(c.kernel.offset);
    args.add(c.y.buffer).add(c.y.offset).add(c.y.stride);
    if (pass_ == ConvolutionPass::forward)
      append(args, p_.epilogue, c.epilogue);
    else
      args.add(p_.accumulate ? 1 : 0);
    kernel_.launch(queue, Range::of(elements(), 64), args);
  }

 private:
  /// Of the result: one work-item each.
  size_t elements() const {
    switch (pass_) {
      case ConvolutionPass::forward:
        return size_t(p_.batch) * p_.h.out * p_.w.out * p_.out_channels;
      case ConvolutionPass::backward_data:
        return size_t(p_.batch) * p_.h.in * p_.w.in * p_.in_channels;
      default:
        break;
    }
    return size_t(p_.h.kernel) * p_.w.kernel * (p_.in_channels / p_.groups) * p_.out_channels;
  }

  ConvolutionProblem p_;
  ConvolutionPass pass_;
  Kernel kernel_;
};

}  // namespace

const ConvolutionEntry kConvolutionNaive{
    "naive", [](const Device&, const ConvolutionProblem&, ConvolutionPass) { return 1; },
    [](Device& device, const ConvolutionProblem& problem,
       ConvolutionPass pass) -> std::unique_ptr<ConvolutionAlgorithm> {
      return std::make_unique<ConvolutionNaive>(device, problem, pass);
    }};

}  // namespace ocellus::opencl
