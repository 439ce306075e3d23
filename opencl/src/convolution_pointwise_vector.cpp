#include "convolution_algorithm.hpp"
#include "ocellus_opencl_kernels.hpp"
#include "vector_tile.hpp"

namespace ocellus::opencl {
namespace {

/// Forward passes of 1x1 kernels: the most frequent layer of all.
class ConvolutionPointwiseVector : public ConvolutionAlgorithm {
 public:
  ConvolutionPointwiseVector(Device& device, const ConvolutionProblem& problem)
      : p_(problem),
        pixels_(p_.batch * p_.h.out * p_.w.out),
        tile_(VectorTile::of(device, p_.out_channels)) {
    tile_.avoid_waste(pixels_);
    const auto up = [](int a, int b) { return (a + b - 1) / b; };
    strips_ = up(p_.out_channels, tile_.columns());
    kernel_ = device.kernel(
        kernels::convolution_pointwise_vector_cl().with_preamble(generate(p_.epilogue)),
        "convolution_pointwise_vector", tile_.options());
    pack_ = device.kernel(kernels::convolution_pack_cl(), "convolution_pack");
    const int rows = up(pixels_, tile_.rows), k = p_.in_channels;
    split_ =
        VectorSplit::best(1, rows, strips_, static_cast<int>(device.info().compute_units),
                          tile_.panels(), double(k) * tile_.rows * tile_.vectors, k * 1.0, k * 8.0);
    items_ = {{size_t(up(strips_, split_.width)), size_t(up(rows, split_.height)), 1}, {1, 1, 1}};
  }

  size_t packed_bytes() const override {
    return sizeof(float) * p_.in_channels * strips_ * tile_.columns();
  }
  std::string packed_variant() const override { return std::to_string(tile_.columns()); }
  void pack(Queue& queue, const Operand& kernel, const Buffer& packed) const override {
    pack_(queue, {{size_t(strips_), 1, 1}, {1, 1, 1}}, p_.in_channels, p_.out_channels,
          p_.out_channels, tile_.columns(), kernel.buffer, kernel.offset, packed);
  }

  void run(Queue& queue, const Call& c) const override {
    Arguments args;
    args.add(pixels_);
    for (const Axis& a : {p_.h, p_.w}) args.add(a.in).add(a.out).add(a.stride);
    args.add(p_.in_channels).add(p_.out_channels);
    args.add(c.x.buffer).add(c.x.offset).add(c.x.stride).add(c.packed);
    args.add(c.y.buffer).add(c.y.offset).add(c.y.stride);
    args.add(split_.height * tile_.rows).add(split_.width * tile_.columns());
    append(args, p_.epilogue, c.epilogue);
    kernel_.launch(queue, items_, args);
  }

 private:
  ConvolutionProblem p_;
  int pixels_;
  VectorTile tile_;
  int strips_ = 0;
  VectorSplit split_;  ///< of `pixels_` rows and strips_ columns of tiles
  Range items_;
  Kernel kernel_, pack_;
};

/// Whether each result is a product of one pixel.
bool pointwise(const Axis& a) {
  return a.kernel == 1 && a.pad_before == 0 && (a.out - 1) * a.stride < a.in;
}

int rank(const Device& device, const ConvolutionProblem& p, ConvolutionPass pass) {
  if (pass != ConvolutionPass::forward || p.groups != 1 || !pointwise(p.h) || !pointwise(p.w))
    return 0;
  return device.family() == KernelFamily::vector ? 22 : 10;
}

}  // namespace

const ConvolutionEntry kConvolutionPointwiseVector{
    "pointwise", rank,
    [](Device& device, const ConvolutionProblem& problem,
       ConvolutionPass) -> std::unique_ptr<ConvolutionAlgorithm> {
      return std::make_unique<ConvolutionPointwiseVector>(device, problem);
    }};

}  // namespace ocellus::opencl
