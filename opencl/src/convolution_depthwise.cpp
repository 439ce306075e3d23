// Convolutions of as many groups as channels, in both kernel families. They move more than they
// compute: a 3x3 window does 9 multiply-adds a number read, so the aim is the speed of memory.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "convolution_algorithm.hpp"
#include "convolution_part.hpp"
#include "matrix.hpp"
#include "ocellus/opencl/reduce.hpp"
#include "ocellus_opencl_kernels.hpp"

namespace ocellus::opencl {
namespace {

size_t ceil_div(size_t a, size_t b) { return (a + b - 1) / b; }

/// How the kernels of one family are built and cut into work-items.
struct Family {
  KernelFamily family;
  int lanes = 1;     ///< vector: channels of a vector
  size_t group = 1;  ///< tiled: work-items of a group

  Family(const Device& device, KernelFamily f, int channels) : family(f) {
    if (f == KernelFamily::tiled) {
      group = group_size(device);
      return;
    }
    // The widest vector that divides the channels; the rest of a vector is done one by one.
    cl_uint native = 0;
    clGetDeviceInfo(device.id(), CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, sizeof native, &native,
                    nullptr);
    const int widest = native < 16 ? 8 : 16;
    lanes = widest;
    while (lanes > 4 && channels % lanes) lanes /= 2;
    if (channels % lanes && channels >= widest) lanes = widest;
  }
  bool vector() const { return family == KernelFamily::vector; }
  const KernelSource& source() const {
    return vector() ? kernels::convolution_depthwise_vector_cl()
                    : kernels::convolution_depthwise_tiled_cl();
  }
  std::string options(int kh, const Axis& w) const {
    return fmt::format(
        "{} -DKH={} -DKW={} -DW_STRIDE={} -DW_DILATION={}",
        vector() ? fmt::format("-DLANES={}", lanes) : fmt::format("-DGROUP={}", group), kh,
        w.kernel, w.stride, w.dilation);
  }
};

void add_axes(Arguments& args, const Axis& h, const Axis& w) {
  for (const Axis& a : {h, w})
    args.add(a.in).add(a.out).add(a.stride).add(a.dilation).add(a.pad_before);
}

/// Forward, and backward by data as forward passes with a turned kernel, one for each phase of the
/// strides.
class DepthwisePass : public ConvolutionAlgorithm {
 public:
  DepthwisePass(Device& device, const ConvolutionProblem& p, ConvolutionPass pass, KernelFamily f)
      : p_(p),
        forward_(pass == ConvolutionPass::forward),
        channels_(forward_ ? p.out_channels : p.in_channels),
        family_(device, f, channels_),
        parts_(forward_ ? std::vector{forward_part(p)} : backward_parts(p)),
        units_(device.info().compute_units) {
    const KernelSource source = family_.source().with_preamble(generate(p.epilogue));
    const int m = p.out_channels / p.in_channels;
    const std::string multiplier =
        family_.vector()
            ? ""
            : fmt::format(" -DSPREAD={} -DJOIN={}", forward_ ? m : 1, forward_ ? 1 : m);
    for (const ConvolutionPart& part : parts_)
      kernels_.push_back(device.kernel(
          source, family_.vector() ? "convolution_depthwise_vector" : "convolution_depthwise_tiled",
          family_.options(part.h.axis.kernel, part.w.axis) + multiplier));
  }

  void run(Queue& queue, const Call& c) const override {
    for (size_t i = 0; i < parts_.size(); ++i) {
      const ConvolutionPart& part = parts_[i];
      const bool accumulate = p_.accumulate && !forward_;
      if ((part.taps() == 0 && accumulate) || part.h.axis.out < 1 || part.w.axis.out < 1) continue;
      Arguments args;
      if (!family_.vector()) args.add(p_.batch);
      add_axes(args, part.h.axis, part.w.axis);
      for (const PartAxis& a : {part.h, part.w}) args.add(a.origin).add(a.step).add(a.size);
      args.add(channels_);
      const Operand &from = forward_ ? c.x : c.y, &to = forward_ ? c.y : c.x;
      args.add(from.buffer).add(from.offset).add(from.stride);
      add_kernel(args, c.kernel, part);
      args.add(to.buffer).add(to.offset).add(to.stride).add(accumulate ? 1 : 0);
      Range range;
      if (family_.vector()) {
        const auto [height, slab] = split(part);
        args.add(height).add(slab);
        range = {{ceil_div(channels_, slab), p_.batch * ceil_div(part.h.axis.out, height), 1},
                 {1, 1, 1}};
      } else {
        range = Range::of(
            size_t(p_.batch) * part.h.axis.out * ceil_div(part.w.axis.out, 4) * size_t(channels_),
            family_.group);
      }
      append(args, p_.epilogue, c.epilogue);
      kernels_[i].launch(queue, range, args);
    }
  }

 private:
  /// Where tap 0 lies, and how far it is to the next one below and to the right: backwards in a
  /// turned kernel.
  void add_kernel(Arguments& args, const Operand& kernel, const ConvolutionPart& part) const {
    const int tap = p_.out_channels, row = p_.w.kernel * tap;
    if (forward_) {
      args.add(kernel.buffer).add(static_cast<int>(kernel.offset)).add(row).add(tap);
      return;
    }
    // A phase without taps has no last one.
    const int last = part.taps() == 0 ? 0 : part.h.last * row + part.w.last * tap;
    args.add(kernel.buffer)
        .add(static_cast<int>(kernel.offset) + last)
        .add(-part.h.tap_step * row)
        .add(-part.w.tap_step * tap);
  }

  /// Rows and channels of a work-item: whole rows while there are enough of them to go round.
  std::pair<int, int> split(const ConvolutionPart& part) const {
    const int rows = part.h.axis.out, wanted = 4 * static_cast<int>(units_);
    const int chunks = std::clamp(static_cast<int>(ceil_div(wanted, p_.batch)), 1, rows);
    const int slabs = std::clamp(wanted / (chunks * p_.batch), 1,
                                 static_cast<int>(ceil_div(channels_, family_.lanes)));
    const auto vectors = ceil_div(ceil_div(channels_, family_.lanes), slabs);
    return {static_cast<int>(ceil_div(rows, chunks)), static_cast<int>(vectors) * family_.lanes};
  }

  ConvolutionProblem p_;
  bool forward_;
  int channels_;
  Family family_;
  std::vector<ConvolutionPart> parts_;
  uint32_t units_;
  std::vector<Kernel> kernels_;
};

class DepthwiseWeights : public ConvolutionAlgorithm {
 public:
  DepthwiseWeights(Device& device, const ConvolutionProblem& p, KernelFamily f)
      : p_(p), family_(device, f, p.out_channels) {
    kernel_ =
        device.kernel(family_.source(),
                      family_.vector() ? "convolution_depthwise_weights_vector"
                                       : "convolution_depthwise_weights_tiled",
                      fmt::format("{} -DWEIGHTS -DSPREAD={}", family_.options(p.h.kernel, p.w),
                                  p.out_channels / p.in_channels));
    // As many partial sums as it takes to occupy the device, of equal length.
    const size_t units = device.info().compute_units, rows = size_t(p.batch) * p.h.out;
    const size_t items = family_.vector() ? ceil_div(p.out_channels, family_.lanes)
                                          : ceil_div(weights(), family_.group);
    const size_t wanted = std::clamp<size_t>((family_.vector() ? 4 : 16) * units / items, 1,
                                             std::min<size_t>(rows, 64));
    rows_each_ = static_cast<int>(ceil_div(rows, wanted));
    runs_ = ceil_div(rows, rows_each_);
    if (runs_ > 1)
      sum_.emplace(device, Reduce::Op::sum_rows, static_cast<int>(runs_),
                   static_cast<int>(weights()), 0, p.accumulate);
  }

  size_t workspace_bytes() const override { return runs_ > 1 ? runs_ * weights() * 4 : 0; }

  void run(Queue& queue, const Call& c) const override {
    const Operand partial{c.workspace, 0, static_cast<uint32_t>(weights())};
    const Operand& to = runs_ > 1 ? partial : c.kernel;
    Arguments args;
    args.add(p_.batch);
    add_axes(args, p_.h, p_.w);
    args.add(p_.out_channels);
    args.add(c.x.buffer).add(c.x.offset).add(c.x.stride);
    args.add(c.y.buffer).add(c.y.offset).add(c.y.stride);
    args.add(to.buffer).add(to.offset).add(static_cast<uint32_t>(weights()));
    args.add(p_.accumulate && runs_ == 1 ? 1 : 0).add(rows_each_);
    kernel_.launch(queue,
                   family_.vector()
                       ? Range{{ceil_div(p_.out_channels, family_.lanes), runs_, 1}, {1, 1, 1}}
                       : Range::of(weights(), runs_, family_.group, 1),
                   args);
    if (sum_) sum_->run(queue, partial, c.kernel);
  }

 private:
  size_t weights() const { return size_t(p_.h.kernel) * p_.w.kernel * p_.out_channels; }

  ConvolutionProblem p_;
  Family family_;
  int rows_each_ = 1;
  size_t runs_ = 1;
  Kernel kernel_;
  std::optional<Reduce> sum_;  ///< of the runs
};

/// The vector family's lanes are channels of x and y alike, so it takes one output an input channel
/// and, in the weights' gradient, keeps a row of taps in registers.
template <KernelFamily family>
int rank(const Device& device, const ConvolutionProblem& p, ConvolutionPass) {
  if (p.groups == 1 || p.groups != p.in_channels) return 0;
  if (family == KernelFamily::vector && (p.out_channels != p.in_channels || p.w.kernel > 15))
    return 0;
  return device.family() == family ? 25 : 15;
}

template <KernelFamily family>
std::unique_ptr<ConvolutionAlgorithm> make(Device& device, const ConvolutionProblem& p,
                                           ConvolutionPass pass) {
  if (pass == ConvolutionPass::backward_weights)
    return std::make_unique<DepthwiseWeights>(device, p, family);
  return std::make_unique<DepthwisePass>(device, p, pass, family);
}

}  // namespace

const ConvolutionEntry kConvolutionDepthwiseVector{"depthwise", rank<KernelFamily::vector>,
                                                   make<KernelFamily::vector>};
const ConvolutionEntry kConvolutionDepthwiseTiled{"depthwise_tiled", rank<KernelFamily::tiled>,
                                                  make<KernelFamily::tiled>};

}  // namespace ocellus::opencl
