#include "penalty.hpp"

#include <algorithm>
#include <map>

#include "ocellus/opencl/movement.hpp"
#include "ocellus_core_kernels.hpp"

namespace ocellus::training {
namespace {

constexpr size_t group = 64;

Regularizer regularizer_of(const LayerRecord& record, const std::string& parameter) {
  for (const auto& [key, value] : record.foreign.as_object())
    if (regularizes(key, parameter)) return parse_regularizer(value).value_or(Regularizer{});
  return {};
}

bool any(const Regularizer& r) { return r.l1 != 0 || r.l2 != 0; }

uint32_t elements(const Tensor& t) { return static_cast<uint32_t>(t.shape.elements()); }

}  // namespace

PenaltySum::PenaltySum(opencl::Device& device, std::vector<Term> terms) : terms_(std::move(terms)) {
  if (empty()) return;
  blocks_ = device.family() == opencl::KernelFamily::vector;
  length_ = blocks_ ? 2048 : 64;
  for (const Term& t : terms_) {
    first_part_.push_back(parts_);
    parts_ += (elements(t.x) + length_ - 1) / length_;
  }
  measure_ = device.kernel(kernels::training_cl(), "sum_penalty");
  add_ = device.kernel(kernels::training_cl(), "add_penalty");
  gradient_ = device.kernel(kernels::training_cl(), "penalty_gradient");
  sum_.emplace(device, opencl::Reduce::Op::sum_columns, 1, static_cast<int>(parts_));
  part_sums_ = device.allocate(parts_ * sizeof(float), "the regularizers' sums");
  penalty_ = device.allocate(sizeof(float), "the regularizers' sum");
  workspace_ =
      device.allocate(std::max<size_t>(sum_->workspace_bytes(), 1), "the regularizers' sum");
}

void PenaltySum::measure(opencl::Queue& queue) const {
  if (empty()) return;
  queue.set_label("regularizers");
  for (size_t i = 0; i < terms_.size(); ++i) {
    const Term& t = terms_[i];
    const uint32_t count = elements(t.x), parts = (count + length_ - 1) / length_;
    measure_(queue, opencl::Range::of(parts, group), t.x.buffer, t.x.offset, count, t.l1, t.l2,
             parts, length_, static_cast<int32_t>(blocks_), part_sums_, first_part_[i]);
  }
  sum_->run(queue, {part_sums_, 0, parts_}, {penalty_, 0, 1}, workspace_);
}

void PenaltySum::add_to(opencl::Queue& queue, const Tensor& losses) const {
  if (empty()) return;
  const uint32_t count = elements(losses);
  add_(queue, opencl::Range::of(count, group), losses.buffer, losses.offset, count, penalty_);
}

void PenaltySum::gradient(opencl::Queue& queue, size_t t, const opencl::Buffer& to, uint32_t offset,
                          bool accumulate) const {
  queue.set_label("regularizers");
  const Term& term = terms_[t];
  const uint32_t count = elements(term.x);
  gradient_(queue, opencl::Range::of(count, group), to, offset, term.x.buffer, term.x.offset, count,
            term.l1, term.l2, static_cast<int32_t>(accumulate));
}

Penalty::Penalty(const Network& network, Terms terms)
    : sum_(network.device(), std::move(terms.sums)), segments_(std::move(terms.segments)) {}

Penalty::Terms Penalty::terms_of(const Network& network) {
  Terms terms;
  for (size_t l = 0; l < network.layers().size(); ++l) {
    const NetworkLayer& layer = network.layers()[l];
    if (layer.record < 0) continue;
    const LayerRecord& record = network.graph().layers[static_cast<size_t>(layer.record)];
    for (size_t p = 0; p < layer.segments.size(); ++p) {
      const Regularizer r = regularizer_of(record, layer.plan.parameters[p].name);
      const Segment& segment = network.layout().segments[static_cast<size_t>(layer.segments[p])];
      if (segment.frozen || !any(r)) continue;
      terms.sums.push_back({network.parameters(static_cast<int>(l))[p].tensor,
                            static_cast<float>(r.l1), static_cast<float>(r.l2)});
      terms.segments.push_back(segment);
    }
  }
  return terms;
}

void Penalty::add_gradient(opencl::Queue& queue, const Arenas& gradients) const {
  for (size_t t = 0; t < segments_.size(); ++t)
    sum_.gradient(queue, t, gradients.buffers[static_cast<size_t>(segments_[t].arena)],
                  segments_[t].offset, /*accumulate=*/true);
}

std::vector<Activity> activities_of(const Network& network) {
  std::map<std::string, Regularizer> found;
  const auto add = [&](const std::string& tensor, const Regularizer& r) {
    if (!any(r)) return;
    found[tensor].l1 += r.l1;
    found[tensor].l2 += r.l2;
  };
  for (const NetworkNode& node : network.nodes()) {
    const Layer* layer =
        node.layer < 0 ? nullptr : network.layers()[static_cast<size_t>(node.layer)].layer.get();
    if (const auto* regularizing = dynamic_cast<const ActivityRegularizing*>(layer))
      add(node.name, regularizing->activity());
  }
  // Of a layer with an activation its output is meant: the tensor of its name.
  for (const LayerRecord& record : network.graph().layers)
    if (const Json* r = record.foreign.find("activity_regularizer"))
      for (size_t call = 0; call < record.calls.size(); ++call)
        add(call == 0 ? record.name : record.name + ":" + std::to_string(call),
            parse_regularizer(*r).value_or(Regularizer{}));
  std::vector<Activity> activities;
  for (const auto& [tensor, factors] : found) activities.push_back({tensor, factors});
  return activities;
}

std::vector<PenaltySum::Term> ActivityPenalty::terms_of(const Network& network,
                                                        const Execution& execution,
                                                        const std::vector<Activity>& activities) {
  std::vector<PenaltySum::Term> terms;
  for (const Activity& a : activities) {
    Tensor x = execution.fetch(a.tensor);
    if (!x.contiguous()) {
      fetched_.push_back(x);
      x = packed_.emplace_back(Tensor::make(network.device(), x.shape, "an activity"));
    }
    const auto batch = static_cast<float>(x.shape[0]);
    terms.push_back(
        {x, static_cast<float>(a.factors.l1) / batch, static_cast<float>(a.factors.l2) / batch});
  }
  return terms;
}

ActivityPenalty::ActivityPenalty(const Network& network, const Execution& execution,
                                 const std::vector<Activity>& activities)
    : execution_(execution), sum_(network.device(), terms_of(network, execution, activities)) {
  const std::vector<std::string>& seeds = execution.options().seeds;
  if (seeds.empty()) return;  // no gradients
  for (const Activity& a : activities)
    seeds_.push_back(static_cast<size_t>(std::ranges::find(seeds, a.tensor) - seeds.begin()));
}

void ActivityPenalty::add_to(opencl::Queue& queue, const Tensor& losses) const {
  for (size_t i = 0; i < fetched_.size(); ++i)
    opencl::copy_matrix(queue, fetched_[i].operand(), packed_[i].operand(),
                        fetched_[i].shape.pixels(), fetched_[i].shape.channels());
  sum_.measure(queue);
  sum_.add_to(queue, losses);
}

void ActivityPenalty::add_gradient(opencl::Queue& queue) const {
  for (size_t t = 0; t < seeds_.size(); ++t)
    sum_.gradient(queue, t, execution_.seed(seeds_[t]).buffer, 0, /*accumulate=*/seeds_[t] == 0);
}

}  // namespace ocellus::training
