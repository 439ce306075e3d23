// The forward steps: heads and the pointwise chains that run in their store; where tensors lie.
#include <fmt/format.h>

#include <algorithm>

#include "execution/expression.hpp"
#include "execution/planner.hpp"
#include "network_state.hpp"
#include "ocellus/core/error.hpp"

namespace ocellus::execution {

using PointwiseKind = Pointwise::Kind;

void Planner::build_forward() {
  std::vector<bool> claimed(net_.nodes().size());
  for (int n : plan_.nodes) {
    if (claimed[n] || is_view(n)) continue;
    ForwardStep step;
    step.node = step.last_node = n;
    step.plan = plan_.node_plans[n];
    step.generated = static_cast<bool>(step.plan.pointwise);
    if (step.generated) {
      step.inputs = {input(n, 0)};
      if (!append_stages(n, 0, step.stages))
        throw Error(title(n) +
                    ": its pointwise trait does not fit its inputs; a layer that broadcasts must "
                    "bring an op");
    } else {
      for (size_t i = 0; i < node(n).inputs.size(); ++i) step.inputs.push_back(input(n, i));
    }
    step.outputs = plan_.outputs_of[n];
    extend(step, claimed);
    plan_.forward.push_back(std::move(step));
  }
  // A chain runs where its last node stands: by then all that its merges read exists.
  std::stable_sort(
      plan_.forward.begin(), plan_.forward.end(),
      [](const ForwardStep& a, const ForwardStep& b) { return a.last_node < b.last_node; });
  if (absorb_ && options_.fuse && vector_family()) absorb_expansions();
}

bool Planner::vector_family() const {
  const auto device = net_.shared_device();
  return device && device->family() == opencl::KernelFamily::vector;
}

void Planner::absorb_expansions() {
  std::map<int, ForwardStep*> step_of;
  for (ForwardStep& s : plan_.forward) step_of[s.node] = &s;
  std::set<int> absorbed;  // nodes
  for (const ForwardStep& s : plan_.forward) {
    if (s.generated || !s.plan.expands || s.outputs.size() != 1) continue;
    const PlanTensor& wide = tensor(s.outputs[0]);
    if (wide.fetched || wide.fed || wide.saved || wide.consumers.size() != 1) continue;
    const auto [reader, index] = wide.consumers[0];
    const auto it = step_of.find(reader);
    if (index == 0 && it != step_of.end() && !goes_back_[s.node] && !goes_back_[reader] &&
        absorb_expansion(s, *it->second))
      absorbed.insert(s.node);
  }
  std::erase_if(plan_.forward, [&](const ForwardStep& s) { return absorbed.count(s.node) > 0; });
}

bool Planner::absorb_expansion(const ForwardStep& expansion, ForwardStep& reader) {
  if (reader.generated || !reader.plan.accepts_expansion || reader.expansion) return false;
  PlanRequest r = request(reader.node, reader.plan.request.epilogue);
  r.expansion = {tensor(expansion.inputs[0]).shape, {}};
  if (layer(expansion.node).plan.parameters.size() > 1)
    r.expansion->epilogue.stages.push_back({opencl::Stage::Kind::bias, {}});
  for (const ChainStage& s : expansion.stages) {
    if (s.stage.kind == opencl::Stage::Kind::merge) return false;
    r.expansion->epilogue.stages.push_back(s.stage);
  }
  LayerPlan with = plan_layer(*layer(reader.node).layer, r, title(reader.node));
  if (!with.accepts_expansion) return false;
  reader.plan = std::move(with);
  reader.expansion = {expansion.node, expansion.stages};
  reader.inputs = expansion.inputs;
  return true;
}

bool Planner::is_view(int n) const {
  return plan_.node_plans[n].pointwise.kind == PointwiseKind::identity;
}

void Planner::extend(ForwardStep& step, std::vector<bool>& claimed) {
  if (!options_.fuse || step.outputs.size() != 1) return;
  std::vector<ChainStage> stages = step.stages;
  std::vector<int> chain;
  int current = step.outputs[0];
  while (const auto next = follower(current)) {
    // Where two branches meet, the one that came first took the merge into its store.
    if (claimed[next->first]) break;
    if (!append_stages(next->first, next->second, stages)) break;
    chain.push_back(next->first);
    current = plan_.outputs_of[next->first][0];
  }
  if (chain.empty()) return;
  if (!step.generated && stages.size() > 0) {
    opencl::Epilogue epilogue;
    for (const ChainStage& s : stages) epilogue.stages.push_back(s.stage);
    LayerPlan with =
        plan_layer(*layer(step.node).layer, request(step.node, epilogue), title(step.node));
    if (!with.accepts_epilogue) return;
    step.plan = std::move(with);
  }
  step.stages = std::move(stages);
  step.outputs = {current};
  step.last_node = chain.back();
  for (int n : chain) claimed[n] = true;
}

std::optional<std::pair<int, int>> Planner::follower(int t) {
  const PlanTensor& from = tensor(t);
  if (from.fetched || from.fed || from.saved || from.consumers.size() != 1) return std::nullopt;
  const auto [n, index] = from.consumers[0];
  const std::vector<int>& outputs = plan_.outputs_of[n];
  if (!plan_.node_plans[n].pointwise || outputs.size() != 1) return std::nullopt;
  if (!(tensor(outputs[0]).shape == from.shape) || tensor(outputs[0]).fed) return std::nullopt;
  return from.consumers[0];
}

bool Planner::append_stages(int n, int position, std::vector<ChainStage>& stages) {
  const Pointwise& p = plan_.node_plans[n].pointwise;
  const size_t inputs = node(n).inputs.size();
  if (p.kind == PointwiseKind::identity) return inputs == 1;
  if (p.kind == PointwiseKind::affine) {
    stages.push_back({n, {opencl::Stage::Kind::affine, {}}, -1});
    return inputs == 1;
  }
  if (inputs == 1) {
    stages.push_back(
        {n, {opencl::Stage::Kind::expression, substitute(p.expression, {{"x0", "x"}})}, -1});
    return true;
  }
  if (position != 0 && inputs != 2) return false;
  const std::string expression =
      position == 0 ? p.expression
                    : substitute(p.expression, {{"x", "x1"}, {"x0", "x1"}, {"x1", "x0"}});
  const Shape& shape = tensor(input(n, 0)).shape;
  for (size_t i = 0; i < inputs; ++i)
    if (!(tensor(input(n, i)).shape == shape)) return false;
  for (size_t i = 0; i < inputs; ++i)
    if (static_cast<int>(i) != position)
      stages.push_back({n, {opencl::Stage::Kind::merge, expression}, input(n, i)});
  return true;
}

int Planner::new_storage(int64_t elements) {
  Storage s;
  s.elements = elements;
  plan_.storages.push_back(s);
  return static_cast<int>(plan_.storages.size()) - 1;
}

Place Planner::new_place(const Shape& shape) {
  return {new_storage(shape.elements()), 0, static_cast<uint32_t>(shape.channels())};
}

void Planner::place_forward() {
  for (int t : plan_.feeds) tensor(t).place = new_place(tensor(t).shape);
  if (absorb_) place_concatenations();
  std::map<int, std::vector<int>> tail_outputs;  // node -> tensors that its step writes
  for (ForwardStep& s : plan_.forward) {
    tail_outputs[s.last_node] = s.outputs;
    for (const Shape& shape : s.plan.saved) s.saved.push_back(new_storage(shape.elements()));
  }
  for (int n : plan_.nodes) {
    if (is_view(n) && !tensor(plan_.outputs_of[n][0]).fed && exists(input(n, 0)) &&
        !tail_outputs.count(n)) {
      PlanTensor& out = tensor(plan_.outputs_of[n][0]);
      out.place = tensor(input(n, 0)).place;
      if (out.shape.channels() != tensor(input(n, 0)).shape.channels())
        out.place.pixel_stride = static_cast<uint32_t>(out.shape.channels());
    }
    if (const auto it = tail_outputs.find(n); it != tail_outputs.end())
      for (int t : it->second)
        if (!exists(t) && !tensor(t).fed) tensor(t).place = new_place(tensor(t).shape);
  }
  for (PlanTensor& t : plan_.tensors)
    if (t.place.storage >= 0 && (t.fed || t.fetched)) plan_.storages[t.place.storage].pinned = true;
}

void Planner::place_concatenations() {
  std::map<int, const ForwardStep*> writer;
  for (const ForwardStep& s : plan_.forward)
    for (int t : s.outputs) writer[t] = &s;
  std::set<int> placed;  // nodes: the steps stay where they are while `writer` points at them
  for (const ForwardStep& s : plan_.forward) {
    if (s.generated || !s.plan.concatenates || !s.stages.empty()) continue;
    const std::set<int> distinct(s.inputs.begin(), s.inputs.end());
    const bool slices = std::ranges::all_of(s.inputs, [&](int t) {
      return writer.count(t) && !exists(t) && can_be_slice(t, *writer[t], s.node);
    });
    if (!slices || distinct.size() != s.inputs.size()) continue;
    PlanTensor& out = tensor(s.outputs[0]);
    out.place = new_place(out.shape);
    uint32_t channel = 0;
    for (int t : s.inputs) {
      tensor(t).place = {out.place.storage, channel, out.place.pixel_stride};
      channel += static_cast<uint32_t>(tensor(t).shape.channels());
    }
    placed.insert(s.node);
  }
  std::erase_if(plan_.forward, [&](const ForwardStep& s) { return placed.count(s.node) > 0; });
}

bool Planner::can_be_slice(int t, const ForwardStep& writer, int concatenation) {
  if (tensor(t).fetched || tensor(t).fed || tensor(t).shape.channels() < 1) return false;
  if (!writer.generated && (!writer.plan.strided_outputs || writer.plan.concatenates)) return false;
  for (const auto& [n, index] : tensor(t).consumers) {
    const LayerPlan& p = plan_.node_plans[n];
    if (n == concatenation) continue;
    if (p.concatenates || is_view(n) || (!p.pointwise && !p.strided_inputs)) return false;
  }
  return true;
}

}  // namespace ocellus::execution
