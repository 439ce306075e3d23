#include "convolution_part.hpp"

#include <numeric>

#include "ocellus_opencl_kernels.hpp"

namespace ocellus::opencl {
namespace {

/// The phase of pixels phase, phase + stride, ... of an axis. With g = gcd(stride, dilation), the
/// taps that reach them are first, first + stride / g, ...; output pixels then move against the
/// taps by dilation / g.
PartAxis backward_axis(const Axis& a, int phase) {
  PartAxis part;
  part.origin = phase;
  part.step = a.stride;
  part.size = a.in;
  const int g = std::gcd(a.stride, a.dilation);
  part.tap_step = a.stride / g;
  int first = 0;
  while (first < a.kernel && (phase + a.pad_before - first * a.dilation) % a.stride != 0) ++first;
  const int taps = first < a.kernel ? (a.kernel - 1 - first) / part.tap_step + 1 : 0;
  part.last = first + (taps - 1) * part.tap_step;

  Axis& axis = part.axis;
  axis.in = a.out;
  axis.out = (a.in - phase + a.stride - 1) / a.stride;
  axis.kernel = taps;
  axis.dilation = a.dilation / g;
  if (taps > 0) axis.pad_before = -(phase + a.pad_before - part.last * a.dilation) / a.stride;
  return part;
}

}  // namespace

ConvolutionPart forward_part(const ConvolutionProblem& p) {
  return {{p.h, 0, 1, p.h.out}, {p.w, 0, 1, p.w.out}};
}

std::vector<ConvolutionPart> backward_parts(const ConvolutionProblem& p) {
  std::vector<ConvolutionPart> parts;
  size_t offset = 0;
  for (int h = 0; h < std::min(p.h.stride, p.h.in); ++h)
    for (int w = 0; w < std::min(p.w.stride, p.w.in); ++w) {
      parts.push_back({backward_axis(p.h, h), backward_axis(p.w, w), offset});
      offset += size_t(parts.back().taps()) * (p.out_channels / p.groups) * p.in_channels;
    }
  return parts;
}

TurnedWeights::TurnedWeights(Device& device, const ConvolutionProblem& problem,
                             std::vector<ConvolutionPart> parts)
    : p_(problem),
      parts_(std::move(parts)),
      kernel_(device.kernel(kernels::convolution_turn_cl(), "convolution_turn")) {
  size_t taps = 0;
  for (const ConvolutionPart& part : parts_) taps += part.taps();
  // A kernel argument wants a buffer even where no tap is used at all.
  bytes_ =
      std::max<size_t>(1, taps * (p_.out_channels / p_.groups) * p_.in_channels) * sizeof(float);
}

void TurnedWeights::pack(Queue& queue, const Operand& kernel, const Buffer& packed) const {
  const int group_in = p_.in_channels / p_.groups, group_out = p_.out_channels / p_.groups;
  for (const ConvolutionPart& part : parts_)
    kernel_(queue,
            {{size_t(group_in + 15) / 16, size_t(part.taps()), size_t(p_.groups)}, {1, 1, 1}},
            p_.w.kernel, part.w.axis.kernel, part.h.last, part.h.tap_step, part.w.last,
            part.w.tap_step, group_in, group_out, p_.groups, kernel.buffer, kernel.offset, packed,
            static_cast<uint32_t>(part.weights_offset));
}

}  // namespace ocellus::opencl
