#include "ocellus/opencl/convolution.hpp"

#include <fmt/format.h>

#include <array>

#include "choice.hpp"
#include "convolution_algorithm.hpp"
#include "ocellus/opencl/tuning.hpp"

namespace ocellus::opencl {
namespace {

/// Of equal ranks the first entry is taken.
const auto& entries() {
  static const std::array kEntries{
      &kConvolutionDepthwiseVector, &kConvolutionDepthwiseTiled, &kConvolutionWinograd4,
      &kConvolutionWinograd2,       &kConvolutionWinograd6,      &kConvolutionWinograd4Fused,
      &kConvolutionWinograd6Fused,  &kConvolutionDirectVector,   &kConvolutionPointwiseVector,
      &kConvolutionGemmVector,      &kConvolutionWeightsVector,  &kConvolutionWinogradWeights,
      &kConvolutionWinograd2Tiled,  &kConvolutionWinograd4Tiled, &kConvolutionWinogradWeightsTiled,
      &kConvolutionTiled,           &kConvolutionNaive};
  return kEntries;
}

TuningProblem tuning_problem(const ConvolutionProblem& problem, ConvolutionPass pass) {
  using Pass = TuningProblem::Pass;
  return {pass == ConvolutionPass::forward         ? Pass::forward
          : pass == ConvolutionPass::backward_data ? Pass::backward_data
                                                   : Pass::backward_weights,
          problem};
}

std::string tuned(const Device& device, const ConvolutionProblem& problem, ConvolutionPass pass) {
  return TuningTable::of(device.info()).choice(tuning_problem(problem, pass));
}

auto able(const Device& device, const ConvolutionProblem& problem, ConvolutionPass pass) {
  auto list =
      ranked(entries(), [&](const ConvolutionEntry& e) { return e.rank(device, problem, pass); });
  prefer(list, tuned(device, problem, pass));
  prefer_wanted(list);
  return list;
}

void check_problem(const ConvolutionProblem& p) {
  const auto bad_axis = [](const Axis& a) {
    return a.in < 1 || a.out < 1 || a.kernel < 1 || a.stride < 1 || a.dilation < 1 ||
           a.pad_before < 0;
  };
  if (p.batch < 1 || p.in_channels < 1 || p.out_channels < 1 || p.groups < 1 || bad_axis(p.h) ||
      bad_axis(p.w))
    throw Error("convolution: batch, channels, sizes, strides and dilations must be positive");
  if (p.in_channels % p.groups || p.out_channels % p.groups)
    throw Error(fmt::format("convolution: {} and {} channels do not divide into {} groups",
                            p.in_channels, p.out_channels, p.groups));
}

void check_pixels(const char* name, const Operand& x, uint64_t pixels, int channels) {
  const uint64_t last = x.offset + x.stride * (pixels - 1) + channels;
  if (x.stride < static_cast<uint32_t>(channels) || last * sizeof(float) > x.buffer.bytes())
    throw Error(fmt::format(
        "convolution: {} is {} pixels of {} channels with a stride of {} at offset {}, its buffer "
        "holds {} floats",
        name, pixels, channels, x.stride, x.offset, x.buffer.bytes() / sizeof(float)));
}

void check_kernel(const ConvolutionProblem& p, const Operand& kernel) {
  const uint64_t n = 1ull * p.h.kernel * p.w.kernel * (p.in_channels / p.groups) * p.out_channels;
  if ((kernel.offset + n) * sizeof(float) > kernel.buffer.bytes())
    throw Error(fmt::format(
        "convolution: the kernel has {} weights at offset {}, its buffer holds {} floats", n,
        kernel.offset, kernel.buffer.bytes() / sizeof(float)));
}

/// What the three public classes share.
struct Plan {
  ConvolutionProblem problem;
  ConvolutionPass pass;
  std::string name;
  std::unique_ptr<ConvolutionAlgorithm> algorithm;

  Plan(Device& device, const ConvolutionProblem& p, ConvolutionPass direction,
       const std::string& wanted)
      : problem(p), pass(direction) {
    check_problem(p);
    if (pass != ConvolutionPass::forward && !p.epilogue.empty())
      throw Error("convolution: only the forward pass takes an epilogue");
    if (wanted.empty()) TuningTable::of(device.info()).note(tuning_problem(p, pass));
    const auto list = able(device, p, pass);
    name = wanted.empty() ? names_of(device, list, tuned(device, p, pass)).at(0) : wanted;
    algorithm = make_named(device, chosen(list, name, "convolution"), name, p, pass);
  }

  std::string packed_layout() const {
    // Turned weights are sorted by the phases of the strides, which padding shifts.
    const auto axis = [](const Axis& a) {
      return fmt::format("{},{},{},{}", a.stride, a.dilation, a.pad_before,
                         std::min(a.in, a.stride));
    };
    return fmt::format("{} {} {} {} {} {}", algorithm_of(name), static_cast<int>(pass),
                       algorithm->packed_bytes(), algorithm->packed_variant(), axis(problem.h),
                       axis(problem.w));
  }

  void check_packed(const Buffer& packed) const {
    if (packed.bytes() < algorithm->packed_bytes())
      throw Error(fmt::format("convolution '{}': the packed kernel takes {} bytes, {} were given",
                              name, algorithm->packed_bytes(), packed.bytes()));
  }

  void pack(Queue& queue, const Operand& kernel, const Buffer& packed) const {
    if (algorithm->packed_bytes() == 0) return;
    check_kernel(problem, kernel);
    check_packed(packed);
    algorithm->pack(queue, kernel, packed);
  }

  void run(Queue& queue, const ConvolutionAlgorithm::Call& call) const {
    const ConvolutionProblem& p = problem;
    check_pixels("x", call.x, 1ull * p.batch * p.h.in * p.w.in, p.in_channels);
    check_pixels("y", call.y, 1ull * p.batch * p.h.out * p.w.out, p.out_channels);
    if (algorithm->packed_bytes())
      check_packed(call.packed);
    else
      check_kernel(p, call.kernel);
    if (call.workspace.bytes() < algorithm->workspace_bytes())
      throw Error(fmt::format("convolution '{}': {} bytes of workspace are needed, {} were given",
                              name, algorithm->workspace_bytes(), call.workspace.bytes()));
    algorithm->run(queue, call);
  }
};

}  // namespace

std::vector<std::string> convolution_algorithm_names() { return names_of(entries()); }

// The three public classes differ in their pass and in which operand is the result.
#define OCELLUS_CONVOLUTION_CLASS(Class, pass)                                                  \
  struct Class::State : Plan {                                                                  \
    using Plan::Plan;                                                                           \
  };                                                                                            \
  Class::Class(Device& device, const ConvolutionProblem& problem, const std::string& algorithm) \
      : state_(std::make_unique<State>(device, problem, pass, algorithm)) {}                    \
  Class::~Class() = default;                                                                    \
  Class::Class(Class&&) noexcept = default;                                                     \
  std::vector<std::string> Class::algorithms(const Device& device,                              \
                                             const ConvolutionProblem& problem) {               \
    return names_of(device, able(device, problem, pass), tuned(device, problem, pass));         \
  }                                                                                             \
  std::vector<std::string> Class::with_tiles(                                                   \
      const Device& device, const ConvolutionProblem& problem, const std::string& algorithm) {  \
    return tiled_names(device, chosen(able(device, problem, pass), algorithm, "convolution"));  \
  }                                                                                             \
  std::string Class::algorithm() const { return state_->name; }                                 \
  size_t Class::workspace_bytes() const { return state_->algorithm->workspace_bytes(); }

OCELLUS_CONVOLUTION_CLASS(ConvolutionForward, ConvolutionPass::forward)
OCELLUS_CONVOLUTION_CLASS(ConvolutionBackwardData, ConvolutionPass::backward_data)
OCELLUS_CONVOLUTION_CLASS(ConvolutionBackwardWeights, ConvolutionPass::backward_weights)

size_t ConvolutionForward::packed_bytes() const { return state_->algorithm->packed_bytes(); }
std::string ConvolutionForward::packed_layout() const { return state_->packed_layout(); }
void ConvolutionForward::pack(Queue& queue, const Operand& kernel, const Buffer& packed) const {
  state_->pack(queue, kernel, packed);
}
void ConvolutionForward::run(Queue& queue, const Operand& x, const Operand& kernel,
                             const Buffer& packed, const Operand& y,
                             std::span<const Operand> epilogue, const Buffer& workspace) const {
  state_->run(queue, {x, kernel, y, packed, epilogue, workspace});
}

size_t ConvolutionBackwardData::packed_bytes() const { return state_->algorithm->packed_bytes(); }
std::string ConvolutionBackwardData::packed_layout() const { return state_->packed_layout(); }
void ConvolutionBackwardData::pack(Queue& queue, const Operand& kernel,
                                   const Buffer& packed) const {
  state_->pack(queue, kernel, packed);
}
void ConvolutionBackwardData::run(Queue& queue, const Operand& dy, const Operand& kernel,
                                  const Buffer& packed, const Operand& dx,
                                  const Buffer& workspace) const {
  state_->run(queue, {dx, kernel, dy, packed, {}, workspace});
}

void ConvolutionBackwardWeights::run(Queue& queue, const Operand& x, const Operand& dy,
                                     const Operand& dkernel, const Buffer& workspace) const {
  state_->run(queue, {x, dkernel, dy, {}, {}, workspace});
}

}  // namespace ocellus::opencl
