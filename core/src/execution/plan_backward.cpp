// The way back, the lifetimes of all memory, and what may lie in place of what.
#include <fmt/format.h>

#include <algorithm>

#include "execution/expression.hpp"
#include "execution/planner.hpp"
#include "network_state.hpp"
#include "ocellus/core/error.hpp"

namespace ocellus::execution {

using PointwiseKind = Pointwise::Kind;

void Planner::build_backward() {
  if (plan_.seeds.empty()) return;
  std::vector<bool> written(plan_.tensors.size());
  for (int t : plan_.seeds) {
    if (tensor(t).seed >= 0) continue;
    const Place seed = new_place(tensor(t).shape);
    plan_.storages[seed.storage].pinned = true;
    tensor(t).seed = seed.storage;
    if (!tensor(t).has_gradient) continue;
    written[t] = true;
    // The caller's seed stays as he wrote it: where others add to the gradient, they add to a
    // copy.
    if (contributors(t) == 0 && !wanted(t)) {
      tensor(t).gradient = seed;
      continue;
    }
    BackwardStep step;
    step.kind = BackwardStep::Kind::seed;
    step.outputs = {t};
    tensor(t).gradient = new_place(tensor(t).shape);
    plan_.backward.push_back(std::move(step));
  }
  std::set<int> layers_done;
  for (auto n = plan_.nodes.rbegin(); n != plan_.nodes.rend(); ++n)
    if (goes_back_[*n]) add_backward(*n, written, layers_done);
  for (int t : plan_.gradients) plan_.storages[tensor(t).gradient.storage].pinned = true;
}

bool Planner::wanted(int t) const {
  return std::count(plan_.gradients.begin(), plan_.gradients.end(), t) > 0;
}

int Planner::contributors(int t) {
  int count = 0;
  for (const auto& [n, index] : tensor(t).consumers) count += goes_back_[n];
  return count;
}

void Planner::add_backward(int n, std::vector<bool>& written, std::set<int>& layers_done) {
  BackwardStep step;
  step.node = n;
  step.kind = backward_kind(n);
  step.outputs = plan_.outputs_of[n];
  for (int t : step.outputs) {
    if (written[t]) continue;
    // An output that nothing led back to: its gradient is zero.
    tensor(t).has_gradient = true;
    tensor(t).gradient = new_place(tensor(t).shape);
    written[t] = true;
    step.zero_first.push_back(t);
  }
  if (step.kind == BackwardStep::Kind::view && becomes_view(n, written)) return;
  step.parameter_gradients = wants_parameters(n);
  step.accumulate_parameters = !layers_done.insert(node(n).layer).second;
  std::vector<int> wanted_inputs;
  for (size_t i = 0; i < node(n).inputs.size(); ++i) {
    const int t = input(n, i);
    wanted_inputs.push_back(tensor(t).has_gradient ? t : -1);
    if (tensor(t).has_gradient && tensor(t).gradient.storage < 0)
      tensor(t).gradient = new_place(tensor(t).shape);
  }
  if (step.kind == BackwardStep::Kind::op)
    push_op(std::move(step), wanted_inputs, written);
  else
    push_pointwise(std::move(step), wanted_inputs, written);
}

BackwardStep::Kind Planner::backward_kind(int n) const {
  if (options_.overrides.count(node(n).name)) return BackwardStep::Kind::pointwise;
  switch (plan_.node_plans[n].pointwise.kind) {
    case PointwiseKind::identity:
      return BackwardStep::Kind::view;
    case PointwiseKind::expression:
      return BackwardStep::Kind::pointwise;
    case PointwiseKind::affine:
      return BackwardStep::Kind::affine;
    case PointwiseKind::none:
      break;
  }
  return BackwardStep::Kind::op;
}

bool Planner::becomes_view(int n, std::vector<bool>& written) {
  const int in = input(n, 0), out = plan_.outputs_of[n][0];
  if (!tensor(in).has_gradient) return true;
  if (written[in] || contributors(in) != 1) return false;
  tensor(in).gradient = tensor(out).gradient;
  tensor(in).gradient.pixel_stride = static_cast<uint32_t>(tensor(in).shape.channels());
  written[in] = true;
  return true;
}

void Planner::push_op(BackwardStep step, const std::vector<int>& inputs,
                      std::vector<bool>& written) {
  std::set<int> distinct;
  bool any = false, twice = false;
  for (int t : inputs) {
    if (t < 0) continue;
    any = any || written[t];
    twice = twice || !distinct.insert(t).second;
  }
  const bool accumulate = any || twice;
  for (int t : distinct) {
    if (accumulate && !written[t]) step.zero_first.push_back(t);
    written[t] = true;
  }
  step.inputs = inputs;
  step.accumulate.assign(inputs.size(), accumulate);
  plan_.backward.push_back(std::move(step));
}

void Planner::push_pointwise(BackwardStep step, const std::vector<int>& inputs,
                             std::vector<bool>& written) {
  std::vector<bool> done(inputs.size());
  while (true) {
    BackwardStep part = step;
    part.inputs.assign(inputs.size(), -1);
    part.accumulate.assign(inputs.size(), false);
    std::set<int> in_part;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (done[i] || inputs[i] < 0 || !in_part.insert(inputs[i]).second) continue;
      done[i] = true;
      part.inputs[i] = inputs[i];
      part.accumulate[i] = written[inputs[i]];
    }
    if (in_part.empty()) return;
    for (int t : in_part) written[t] = true;
    plan_.backward.push_back(std::move(part));
    step.zero_first.clear();
  }
}

void Planner::measure_lifetimes() {
  int now = 0;
  const auto touch_storage = [&](int s) {
    if (s < 0) return;
    Storage& storage = plan_.storages[s];
    if (storage.first < 0) storage.first = now;
    storage.last = std::max(storage.last, now);
  };
  const auto touch = [&](int t) {
    if (t >= 0) touch_storage(tensor(t).place.storage);
  };
  const auto touch_gradient = [&](int t) {
    if (t >= 0) touch_storage(tensor(t).gradient.storage);
  };
  std::map<int, const ForwardStep*> step_of;
  for (const ForwardStep& s : plan_.forward) {
    for (int t : s.inputs) touch(t);
    for (const ChainStage& c : s.stages) touch(c.operand);
    for (int t : s.outputs) touch(t);
    for (int storage : s.saved) touch_storage(storage);
    step_of[s.node] = &s;
    ++now;
  }
  for (const BackwardStep& b : plan_.backward) {
    for (int t : b.inputs) touch_gradient(t);
    for (int t : b.outputs) touch_gradient(t);
    if (b.kind == BackwardStep::Kind::op || b.kind == BackwardStep::Kind::pointwise) {
      const auto [inputs, outputs] = saves(b.node);
      for (size_t i = 0; inputs && i < node(b.node).inputs.size(); ++i) touch(input(b.node, i));
      if (outputs)
        for (int t : b.outputs) touch(t);
      if (const auto it = step_of.find(b.node); it != step_of.end())
        for (int storage : it->second->saved) touch_storage(storage);
    }
    ++now;
  }
}

void Planner::share_in_place() {
  int now = 0;
  for (ForwardStep& s : plan_.forward) {
    if (s.generated || s.plan.in_place) {
      std::vector<int> candidates = {s.inputs[0]};
      if (s.generated)
        for (const ChainStage& c : s.stages)
          if (c.operand >= 0) candidates.push_back(c.operand);
      for (int t : candidates)
        if (share(tensor(s.outputs[0]).place, tensor(t).place, now)) break;
    }
    ++now;
  }
  for (BackwardStep& b : plan_.backward) {
    if (b.kind == BackwardStep::Kind::pointwise || b.kind == BackwardStep::Kind::affine)
      for (size_t i = 0; i < b.inputs.size(); ++i)
        if (b.inputs[i] >= 0 && !b.accumulate[i] &&
            share(tensor(b.inputs[i]).gradient, tensor(b.outputs[0]).gradient, now))
          break;
    ++now;
  }
}

bool Planner::share(const Place& to, const Place& from, int now) {
  if (to.storage < 0 || from.storage < 0 || to.storage == from.storage) return false;
  Storage& t = plan_.storages[to.storage];
  const Storage& f = plan_.storages[from.storage];
  if (t.pinned || f.pinned || t.first != now || f.last != now || t.elements != f.elements ||
      t.shares >= 0)
    return false;
  if (to.offset || from.offset || to.pixel_stride != from.pixel_stride) return false;
  for (const Storage& other : plan_.storages)
    if (other.shares == from.storage && other.last >= now) return false;
  t.shares = from.storage;
  return true;
}

}  // namespace ocellus::execution
