// Which nodes run, which tensors have gradients, and what each layer plans for this execution's
// shapes.
#include <fmt/format.h>

#include <algorithm>

#include "execution/expression.hpp"
#include "execution/planner.hpp"
#include "network_state.hpp"
#include "ocellus/core/error.hpp"

namespace ocellus::execution {

using PointwiseKind = Pointwise::Kind;

Plan Planner::run() {
  select_nodes();
  absorb_paddings();
  connect();
  find_gradients();
  plan_nodes();
  mark_saved();
  build_forward();
  place_forward();
  build_backward();
  measure_lifetimes();
  share_in_place();
  return std::move(plan_);
}

std::string Planner::title(int n) const {
  return fmt::format("layer '{}' ({})", node(n).name, layer(n).type);
}

void Planner::select_nodes() {
  for (const std::string& name : options_.feeds) feeds_.push_back(net_.tensor(name));
  if (feeds_.empty()) feeds_ = net_.inputs();
  for (const std::string& name : options_.fetches) fetches_.push_back(net_.tensor(name));
  if (fetches_.empty()) fetches_ = net_.outputs();
  if (!options_.feed_shapes.empty() && options_.feed_shapes.size() != feeds_.size())
    throw UsageError(fmt::format("{} feed shapes were given for {} feeds",
                                 options_.feed_shapes.size(), feeds_.size()));
  runs_.assign(net_.nodes().size(), false);
  std::vector<NodeOutput> open = fetches_;
  while (!open.empty()) {
    const NodeOutput t = open.back();
    open.pop_back();
    if (is_fed(t) || runs_[t.node]) continue;
    if (node(t.node).layer < 0)
      throw UsageError(fmt::format("input '{}' is needed but not fed", node(t.node).name));
    runs_[t.node] = true;
    open.insert(open.end(), node(t.node).inputs.begin(), node(t.node).inputs.end());
  }
  for (size_t n = 0; n < runs_.size(); ++n)
    if (runs_[n]) plan_.nodes.push_back(static_cast<int>(n));
}

void Planner::absorb_paddings() {
  plan_.absorbed.assign(net_.nodes().size(), false);
  if (!absorb_ || !options_.fuse) return;
  std::vector<std::vector<std::pair<int, size_t>>> readers(net_.nodes().size());
  std::set<int> named;
  for (int n : plan_.nodes)
    for (size_t i = 0; i < node(n).inputs.size(); ++i)
      readers[node(n).inputs[i].node].emplace_back(n, i);
  for (const NodeOutput& t : feeds_) named.insert(t.node);
  for (const NodeOutput& t : fetches_) named.insert(t.node);
  for (const auto* list : {&options_.gradients, &options_.seeds})
    for (const std::string& name : *list) named.insert(net_.tensor(name).node);
  for (int n : plan_.nodes) {
    if (!layer(n).plan.pads || named.count(n) || readers[n].size() != 1) continue;
    const auto [reader, index] = readers[n][0];
    const LayerPlan& wide = layer(reader).plan;
    if (index != 0 || !wide.accepts_border) continue;
    // A window that met zeros alone would be a case that no other convolution has.
    const auto fits = [](const WindowAxis& zeros, const WindowAxis& window) {
      return zeros.pad_before >= 0 && zeros.pad_after >= 0 &&
             zeros.pad_before + window.pad_before < window.extent() &&
             zeros.pad_after + window.pad_after < window.extent();
    };
    const Window& zeros = layer(n).plan.window;
    plan_.absorbed[n] = fits(zeros.h, wide.window.h) && fits(zeros.w, wide.window.w);
    runs_[n] = !plan_.absorbed[n];
  }
  std::erase_if(plan_.nodes, [&](int n) { return plan_.absorbed[n]; });
}

void Planner::connect() {
  plan_.outputs_of.resize(net_.nodes().size());
  const auto outputs_of = [&](int n) -> std::vector<int>& {
    std::vector<int>& list = plan_.outputs_of[n];
    for (int o = static_cast<int>(list.size()); o < static_cast<int>(node(n).outputs.size()); ++o) {
      list.push_back(static_cast<int>(plan_.tensors.size()));
      plan_.tensors.push_back({});
      plan_.tensors.back().source = {n, o};
    }
    return list;
  };
  for (size_t i = 0; i < feeds_.size(); ++i) {
    const int t = outputs_of(feeds_[i].node).at(feeds_[i].output);
    tensor(t).fed = true;
    tensor(t).shape = options_.feed_shapes.empty()
                          ? net_.shape(feeds_[i]).with_batch(options_.batch)
                          : options_.feed_shapes[i].batched(options_.batch);
    plan_.feeds.push_back(t);
  }
  for (int n : plan_.nodes) {
    outputs_of(n);
    for (size_t i = 0; i < node(n).inputs.size(); ++i)
      tensor(input(n, i)).consumers.emplace_back(n, static_cast<int>(i));
  }
  for (NodeOutput f : fetches_) {
    const int t = plan_.outputs_of[f.node].at(f.output);
    tensor(t).fetched = true;
    plan_.fetches.push_back(t);
  }
}

void Planner::find_gradients() {
  goes_back_.assign(net_.nodes().size(), false);
  if (!options_.parameter_gradients && options_.gradients.empty()) return;
  for (const std::string& name : options_.gradients) plan_.gradients.push_back(known_tensor(name));
  for (const std::string& name : options_.seeds) plan_.seeds.push_back(known_tensor(name));
  if (options_.seeds.empty()) plan_.seeds = plan_.fetches;
  std::vector<bool> needs(plan_.tensors.size()), reaches(plan_.tensors.size());
  for (int t : plan_.gradients) needs[t] = true;
  for (int t : plan_.seeds) reaches[t] = true;
  std::vector<bool> node_needs(net_.nodes().size());
  for (int n : plan_.nodes) {
    bool any = options_.parameter_gradients && layer(n).trainable && !layer(n).segments.empty();
    for (size_t i = 0; i < node(n).inputs.size(); ++i) any = any || needs[input(n, i)];
    node_needs[n] = any;
    for (int t : plan_.outputs_of[n])
      if (!tensor(t).fed && any) needs[t] = true;
  }
  for (auto n = plan_.nodes.rbegin(); n != plan_.nodes.rend(); ++n) {
    bool any = false;
    for (int t : plan_.outputs_of[*n]) any = any || (reaches[t] && !tensor(t).fed);
    if (!any) continue;
    for (size_t i = 0; i < node(*n).inputs.size(); ++i) reaches[input(*n, i)] = true;
    goes_back_[*n] = node_needs[*n];
  }
  for (size_t t = 0; t < plan_.tensors.size(); ++t) tensor(t).has_gradient = needs[t] && reaches[t];
  for (size_t i = 0; i < plan_.gradients.size(); ++i)
    if (!tensor(plan_.gradients[i]).has_gradient)
      throw UsageError(
          fmt::format("nothing leads from '{}' to the tensors that gradients start from",
                      options_.gradients[i]));
}

int Planner::known_tensor(const std::string& name) const {
  const NodeOutput t = net_.tensor(name);
  const std::vector<int>& list = plan_.outputs_of[t.node];
  if (list.empty())
    throw UsageError(fmt::format(
        "'{}' is not computed in this execution; fetch it, or something after it", name));
  return list.at(t.output);
}

void Planner::plan_nodes() {
  plan_.node_plans.resize(net_.nodes().size());
  for (int n : plan_.nodes) {
    LayerPlan& p = plan_.node_plans[n] = plan_layer(*layer(n).layer, request(n, {}), title(n));
    for (size_t i = 0; i < p.parameters.size(); ++i)
      if (!(p.parameters[i].shape == layer(n).plan.parameters[i].shape))
        throw ShapeError(fmt::format("{}: with this input its {} would be {}, but it is {}",
                                     title(n), p.parameters[i].name, p.parameters[i].shape.str(),
                                     layer(n).plan.parameters[i].shape.str()));
    for (size_t o = 0; o < p.outputs.size(); ++o) {
      PlanTensor& t = tensor(plan_.outputs_of[n][o]);
      if (!t.fed) t.shape = p.outputs[o];
    }
    if (goes_back_[n] && !can_go_back(n))
      throw Error(
          fmt::format("gradients are wanted through {}, which has no backward pass", title(n)));
  }
}

PlanRequest Planner::request(int n, opencl::Epilogue epilogue) {
  PlanRequest r;
  for (size_t i = 0; i < node(n).inputs.size(); ++i) {
    r.inputs.push_back(tensor(input(n, i)).shape);
    r.input_gradients = r.input_gradients || (goes_back_[n] && tensor(input(n, i)).has_gradient);
  }
  const int before = node(n).inputs.empty() ? n : node(n).inputs[0].node;
  if (plan_.absorbed[before]) {
    const Window& zeros = layer(before).plan.window;
    r.border = {zeros.h.pad_before, zeros.h.pad_after, zeros.w.pad_before, zeros.w.pad_after};
  }
  r.training = options_.training;
  r.trainable = layer(n).trainable;
  r.parameter_gradients = goes_back_[n] && wants_parameters(n);
  r.epilogue = std::move(epilogue);
  return r;
}

bool Planner::wants_parameters(int n) const {
  return options_.parameter_gradients && layer(n).trainable && !layer(n).segments.empty();
}

bool Planner::can_go_back(int n) const {
  const LayerPlan& p = plan_.node_plans[n];
  if (options_.overrides.count(node(n).name)) return true;
  return p.pointwise.kind == PointwiseKind::expression ? !p.pointwise.derivatives.empty()
                                                       : p.differentiable;
}

void Planner::mark_saved() {
  for (int n : plan_.nodes) {
    if (!goes_back_[n]) continue;
    const auto [inputs, outputs] = saves(n);
    if (inputs)
      for (size_t i = 0; i < node(n).inputs.size(); ++i) tensor(input(n, i)).saved = true;
    if (outputs)
      for (int t : plan_.outputs_of[n]) tensor(t).saved = true;
  }
}

std::pair<bool, bool> Planner::saves(int n) const {
  const LayerPlan& p = plan_.node_plans[n];
  const auto over = options_.overrides.find(node(n).name);
  if (over != options_.overrides.end()) {
    if (p.pointwise.kind != PointwiseKind::expression)
      throw UsageError(
          fmt::format("the backward rule of {} cannot be replaced: it is not pointwise", title(n)));
    return {over->second.needs_x, over->second.needs_y};
  }
  if (p.pointwise.kind == PointwiseKind::identity || p.pointwise.kind == PointwiseKind::affine)
    return {false, false};
  return {p.saves_inputs, p.saves_outputs};
}

int Plan::input(const Network& network, int node, size_t index) const {
  NodeOutput in = network.nodes()[node].inputs.at(index);
  if (absorbed[in.node]) in = network.nodes()[in.node].inputs[0];
  return outputs_of[in.node].at(in.output);
}

Plan make_plan(const Network& network, const ExecutionOptions& options, bool absorb) {
  if (options.batch < 1) throw UsageError("a batch has at least one item");
  return Planner(network, options, absorb).run();
}

}  // namespace ocellus::execution
