#include "penalty.hpp"

#include <algorithm>

#include "ocellus/core/regularizers.hpp"
#include "ocellus_core_kernels.hpp"

namespace ocellus::training {
namespace {

constexpr size_t group = 64;

Regularizer regularizer_of(const LayerRecord& record, const std::string& parameter) {
  for (const auto& [key, value] : record.foreign.as_object())
    if (regularizes(key, parameter)) return parse_regularizer(value).value_or(Regularizer{});
  return {};
}

}  // namespace

Penalty::Penalty(const Network& network) {
  opencl::Device& device = network.device();
  blocks_ = device.family() == opencl::KernelFamily::vector;
  length_ = blocks_ ? 2048 : 64;
  for (size_t l = 0; l < network.layers().size(); ++l) {
    const NetworkLayer& layer = network.layers()[l];
    if (layer.record < 0) continue;
    const LayerRecord& record = network.graph().layers[static_cast<size_t>(layer.record)];
    for (size_t p = 0; p < layer.segments.size(); ++p) {
      const Regularizer r = regularizer_of(record, layer.plan.parameters[p].name);
      const Segment& segment = network.layout().segments[static_cast<size_t>(layer.segments[p])];
      if (segment.frozen || (r.l1 == 0 && r.l2 == 0)) continue;
      terms_.push_back({network.parameters(static_cast<int>(l))[p].tensor, segment.arena,
                        segment.offset, static_cast<float>(r.l1), static_cast<float>(r.l2),
                        parts_});
      parts_ += (segment.count + length_ - 1) / length_;
    }
  }
  if (empty()) return;
  measure_ = device.kernel(kernels::training_cl(), "sum_penalty");
  add_ = device.kernel(kernels::training_cl(), "add_penalty");
  gradient_ = device.kernel(kernels::training_cl(), "add_penalty_gradient");
  sum_.emplace(device, opencl::Reduce::Op::sum_columns, 1, static_cast<int>(parts_));
  part_sums_ = device.allocate(parts_ * sizeof(float), "the regularizers' sums");
  penalty_ = device.allocate(sizeof(float), "the regularizers' sum");
  workspace_ =
      device.allocate(std::max<size_t>(sum_->workspace_bytes(), 1), "the regularizers' sum");
}

void Penalty::measure(opencl::Queue& queue) {
  if (empty()) return;
  queue.set_label("regularizers");
  for (const Term& t : terms_) {
    const auto count = static_cast<uint32_t>(t.weights.shape.elements());
    const uint32_t parts = (count + length_ - 1) / length_;
    measure_(queue, opencl::Range::of(parts, group), t.weights.buffer, t.weights.offset, count,
             t.l1, t.l2, parts, length_, static_cast<int32_t>(blocks_), part_sums_, t.first_part);
  }
  sum_->run(queue, {part_sums_, 0, parts_}, {penalty_, 0, 1}, workspace_);
}

void Penalty::add_to(opencl::Queue& queue, const Tensor& losses) const {
  if (empty()) return;
  const auto count = static_cast<uint32_t>(losses.shape.elements());
  add_(queue, opencl::Range::of(count, group), losses.buffer, losses.offset, count, penalty_);
}

void Penalty::add_gradient(opencl::Queue& queue, const Arenas& gradients) const {
  if (empty()) return;
  queue.set_label("regularizers");
  for (const Term& t : terms_) {
    const auto count = static_cast<uint32_t>(t.weights.shape.elements());
    gradient_(queue, opencl::Range::of(count, group), gradients.buffers[t.arena], t.offset,
              t.weights.buffer, t.weights.offset, count, t.l1, t.l2);
  }
}

}  // namespace ocellus::training
