#include <optional>

#include "convolution_algorithm.hpp"
#include "convolution_part.hpp"
#include "ocellus_opencl_kernels.hpp"
#include "vector_tile.hpp"

namespace ocellus::opencl {
namespace {

/// Forward, and backward by data as forward passes with turned weights.
class ConvolutionGemmVector : public ConvolutionAlgorithm {
 public:
  ConvolutionGemmVector(Device& device, const ConvolutionProblem& problem, ConvolutionPass pass)
      : p_(problem), forward_(pass == ConvolutionPass::forward) {
    group_in_ = (forward_ ? p_.in_channels : p_.out_channels) / p_.groups;
    group_out_ = (forward_ ? p_.out_channels : p_.in_channels) / p_.groups;
    tile_ = VectorTile::of(device, group_out_);
    std::string options;
    if (forward_) {
      parts_ = {forward_part(p_)};
      tile_.avoid_waste(pixels(parts_[0]));
      options = " -DPACKED_B";
      pack_ = device.kernel(kernels::convolution_pack_cl(), "convolution_pack");
    } else {
      parts_ = backward_parts(p_);
      turned_.emplace(device, p_, parts_);
    }
    kernel_ =
        device.kernel(kernels::convolution_gemm_vector_cl().with_preamble(generate(p_.epilogue)),
                      "convolution_gemm_vector", tile_.options() + options);
    const int units = static_cast<int>(device.info().compute_units);
    const int columns = strips();
    for (const ConvolutionPart& part : parts_) {
      const double k = double(part.taps()) * group_in_;
      splits_.push_back(VectorSplit::best(p_.groups, (pixels(part) + tile_.rows - 1) / tile_.rows,
                                          columns, units, tile_.panels(),
                                          k * tile_.rows * tile_.vectors, k * 4.0, k * 8.0));
    }
  }

  size_t packed_bytes() const override {
    return turned_ ? turned_->bytes()
                   : sizeof(float) * p_.groups * depth() * strips() * tile_.columns();
  }
  std::string packed_variant() const override { return std::to_string(tile_.columns()); }
  void pack(Queue& queue, const Operand& kernel, const Buffer& packed) const override {
    if (turned_) return turned_->pack(queue, kernel, packed);
    pack_(queue, {{size_t(strips()), size_t(p_.groups), 1}, {1, 1, 1}}, depth(), group_out_,
          group_out_ * p_.groups, tile_.columns(), kernel.buffer, kernel.offset, packed);
  }

  void run(Queue& queue, const Call& c) const override {
    for (size_t i = 0; i < parts_.size(); ++i) {
      const ConvolutionPart& part = parts_[i];
      if (part.taps() == 0 && p_.accumulate && !forward_) continue;
      const Operand& from = forward_ ? c.x : c.y;
      const Operand& to = forward_ ? c.y : c.x;
      const int height = splits_[i].height * tile_.rows, width = splits_[i].width * tile_.columns();
      Arguments args;
      args.add(pixels(part));
      for (const PartAxis& a : {part.h, part.w}) {
        args.add(a.axis.in)
            .add(a.axis.out)
            .add(a.axis.kernel)
            .add(a.axis.stride)
            .add(a.axis.dilation);
        args.add(a.axis.pad_before).add(a.origin).add(a.step).add(a.size);
      }
      args.add(group_in_).add(group_out_).add(group_out_ * p_.groups);
      args.add(from.buffer).add(from.offset).add(from.stride);
      args.add(c.packed).add(static_cast<uint32_t>(part.weights_offset));
      args.add(to.buffer).add(to.offset).add(to.stride);
      args.add(p_.accumulate && !forward_ ? 1 : 0).add(height).add(width);
      append(args, p_.epilogue, c.epilogue);
      const auto items = [](int n, int each) { return static_cast<size_t>((n + each - 1) / each); };
      kernel_.launch(
          queue,
          {{items(group_out_, width), items(pixels(part), height), size_t(p_.groups)}, {1, 1, 1}},
          args);
    }
  }

 private:
  int pixels(const ConvolutionPart& part) const {
    return p_.batch * part.h.axis.out * part.w.axis.out;
  }

  int strips() const { return (group_out_ + tile_.columns() - 1) / tile_.columns(); }
  int depth() const { return parts_[0].taps() * group_in_; }  ///< of the forward product

  ConvolutionProblem p_;
  bool forward_;
  int group_in_, group_out_;
  VectorTile tile_;
  Kernel kernel_, pack_;
  std::vector<ConvolutionPart> parts_;
  std::vector<VectorSplit> splits_;  ///< one a part
  std::optional<TurnedWeights> turned_;
};

int rank(const Device& device, const ConvolutionProblem&, ConvolutionPass pass) {
  if (pass == ConvolutionPass::backward_weights) return 0;
  return device.family() == KernelFamily::vector ? 20 : 10;
}

}  // namespace

const ConvolutionEntry kConvolutionGemmVector{
    "gemm", rank,
    [](Device& device, const ConvolutionProblem& problem,
       ConvolutionPass pass) -> std::unique_ptr<ConvolutionAlgorithm> {
      return std::make_unique<ConvolutionGemmVector>(device, problem, pass);
    }};

}  // namespace ocellus::opencl
