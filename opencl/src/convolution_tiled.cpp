#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "convolution_algorithm.hpp"
#include "convolution_part.hpp"
#include "local_tile.hpp"
#include "ocellus/opencl/reduce.hpp"
#include "ocellus_opencl_kernels.hpp"

namespace ocellus::opencl {
namespace {

/// The matrix product that a pass is: m x n results of k terms, for each group. Backward by data:
/// of its largest part.
struct Product {
  size_t m, n, k;
};

Product product_of(const ConvolutionProblem& p, ConvolutionPass pass) {
  const size_t taps = size_t(p.h.kernel) * p.w.kernel, in = p.in_channels / p.groups,
               out = p.out_channels / p.groups, out_pixels = size_t(p.batch) * p.h.out * p.w.out;
  if (pass == ConvolutionPass::forward) return {out_pixels, out, taps * in};
  if (pass == ConvolutionPass::backward_weights) return {taps * in, out, out_pixels};
  const ConvolutionPart part = backward_parts(p).front();
  return {size_t(p.batch) * part.h.axis.out * part.w.axis.out, in, part.taps() * out};
}

const char* name_of(ConvolutionPass pass) {
  switch (pass) {
    case ConvolutionPass::forward:
      return "forward";
    case ConvolutionPass::backward_data:
      return "backward_data";
    case ConvolutionPass::backward_weights:
      break;
  }
  return "backward_weights";
}

/// Implicit GEMM through local memory; any stride, dilation, padding and number of groups.
class ConvolutionTiled : public ConvolutionAlgorithm {
 public:
  ConvolutionTiled(Device& device, const ConvolutionProblem& problem, ConvolutionPass pass,
                   std::optional<Tile> tile = {})
      : p_(problem),
        pass_(pass),
        product_(product_of(problem, pass)),
        tile_(tile ? *tile : choose_tile(device, product_.m, product_.n, p_.groups)),
        launches_(launches_for(device, problem.multiply_adds())) {
    if (pass == ConvolutionPass::backward_weights) split_pixels(device);
    std::string options = tile_.options() + " -D";
    for (const unsigned char c : std::string(name_of(pass))) options += std::toupper(c);
    const Axis &h = p_.h, &w = p_.w;
    if (pass == ConvolutionPass::backward_data)
      parts_of_data_ = backward_parts(p_);  // one program for all of them
    else
      options += fmt::format(" -DKH={} -DKW={} -DSH={} -DSW={} -DDH={} -DDW={} -DPH={} -DPW={}",
                             h.kernel, w.kernel, h.stride, w.stride, h.dilation, w.dilation,
                             h.pad_before, w.pad_before);
    kernel_ = device.kernel(kernels::convolution_tiled_cl().with_preamble(generate(p_.epilogue)),
                            fmt::format("convolution_tiled_{}", name_of(pass)), options);
  }

  size_t workspace_bytes() const override {
    return parts_ > 1 ? parts_ * weights() * sizeof(float) : 0;
  }

  void run(Queue& queue, const Call& c) const override {
    if (pass_ == ConvolutionPass::backward_data) {
      for (const ConvolutionPart& part : parts_of_data_) run_part(queue, c, part);
      return;
    }
    const Operand partial{c.workspace, 0, static_cast<uint32_t>(weights())};
    const Operand& kernel = parts_ > 1 ? partial : c.kernel;
    Arguments args = geometry();
    add_operands(args, c, kernel);
    if (pass_ == ConvolutionPass::forward)
      append(args, p_.epilogue, c.epilogue);
    else
      args.add(p_.accumulate && parts_ == 1 ? 1 : 0).add(part_);
    launch_tiles(kernel_, queue, tile_.range(product_.m, product_.n, p_.groups * parts_), args,
                 launches_);
    if (sum_) sum_->run(queue, partial, c.kernel);
  }

 private:
  Arguments geometry() const {
    Arguments args;
    args.add(p_.batch).add(p_.h.in).add(p_.w.in).add(p_.h.out).add(p_.w.out);
    args.add(p_.groups).add(p_.in_channels / p_.groups).add(p_.out_channels / p_.groups);
    return args;
  }

  static void add_operands(Arguments& args, const Call& c, const Operand& kernel) {
    args.add(c.x.buffer).add(c.x.offset).add(c.x.stride).add(kernel.buffer).add(kernel.offset);
    args.add(c.y.buffer).add(c.y.offset).add(c.y.stride);
  }

  /// A phase of the strides; one without taps is zero.
  void run_part(Queue& queue, const Call& c, const ConvolutionPart& part) const {
    if (part.taps() == 0 && p_.accumulate) return;
    Arguments args = geometry();
    for (const PartAxis& a : {part.h, part.w}) {
      args.add(a.axis.out).add(a.axis.kernel).add(a.axis.dilation).add(a.axis.pad_before);
      args.add(a.origin).add(a.step).add(a.last).add(a.tap_step);
    }
    args.add(p_.w.kernel);
    add_operands(args, c, c.kernel);
    args.add(p_.accumulate ? 1 : 0);
    const size_t pixels = size_t(p_.batch) * part.h.axis.out * part.w.axis.out;
    const size_t launches = (launches_ + parts_of_data_.size() - 1) / parts_of_data_.size();
    launch_tiles(kernel_, queue, tile_.range(pixels, product_.n, p_.groups), args, launches);
  }

  size_t weights() const {
    return size_t(p_.h.kernel) * p_.w.kernel * (p_.in_channels / p_.groups) * p_.out_channels;
  }

  /// The gradient of a small kernel has few tiles, each a sum over all pixels: cut into parts, a
  /// few tiles for each compute unit, at least 256 pixels a part. The parts are added in their
  /// order.
  void split_pixels(Device& device) {
    const Range one = tile_.range(product_.m, product_.n, p_.groups);
    const size_t tiles = one.global[0] / one.local[0] * one.global[1] * one.global[2];
    const size_t wanted =
        std::min<size_t>({4 * device.info().compute_units / tiles, product_.k / 256, 64});
    part_ = static_cast<uint32_t>((product_.k + std::max<size_t>(1, wanted) - 1) /
                                  std::max<size_t>(1, wanted));
    parts_ = (product_.k + part_ - 1) / part_;
    if (parts_ > 1)
      sum_.emplace(device, Reduce::Op::sum_rows, static_cast<int>(parts_),
                   static_cast<int>(weights()), 0, p_.accumulate);
  }

  ConvolutionProblem p_;
  ConvolutionPass pass_;
  Product product_;
  Tile tile_;
  size_t launches_;
  Kernel kernel_;
  uint32_t part_ = 0;  ///< pixels in a part of the weights' gradient
  size_t parts_ = 1;
  std::vector<ConvolutionPart> parts_of_data_;
  std::optional<Reduce> sum_;  ///< of the parts
};

}  // namespace

const ConvolutionEntry kConvolutionTiled{
    "tiled",
    [](const Device& device, const ConvolutionProblem&, ConvolutionPass) {
      if (!fits_some_tile(device)) return 0;
      return device.family() == KernelFamily::tiled ? 20 : 10;
    },
    [](Device& device, const ConvolutionProblem& problem,
       ConvolutionPass pass) -> std::unique_ptr<ConvolutionAlgorithm> {
      return std::make_unique<ConvolutionTiled>(device, problem, pass);
    },
    [](Device& device, const ConvolutionProblem& problem, ConvolutionPass pass,
       const Tile& tile) -> std::unique_ptr<ConvolutionAlgorithm> {
      return std::make_unique<ConvolutionTiled>(device, problem, pass, tile);
    }};

}  // namespace ocellus::opencl
