#include "execution/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "execution/expression.hpp"
#include "network_state.hpp"
#include "ocellus/core/error.hpp"

namespace ocellus::execution {
namespace {

using PointwiseKind = Pointwise::Kind;

/// Works out a Plan. The methods of run() are its chapters; each reads what those before it wrote.
class Planner {
 public:
  Planner(const Network& network, const ExecutionOptions& options, bool concatenate_in_place)
      : net_(network), options_(options), concatenate_in_place_(concatenate_in_place) {}

  Plan run() {
    select_nodes();
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

 private:
  const NetworkNode& node(int n) const { return net_.nodes()[n]; }
  const NetworkLayer& layer(int n) const { return net_.layers()[node(n).layer]; }
  PlanTensor& tensor(int t) { return plan_.tensors[t]; }
  int input(int n, size_t i) const { return plan_.input(net_, n, i); }
  std::string title(int n) const {
    return fmt::format("layer '{}' ({})", node(n).name, layer(n).type);
  }

  // ---- which nodes run

  void select_nodes() {
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

  bool is_fed(NodeOutput t) const { return std::count(feeds_.begin(), feeds_.end(), t) > 0; }

  void connect() {
    plan_.outputs_of.resize(net_.nodes().size());
    const auto outputs_of = [&](int n) -> std::vector<int>& {
      std::vector<int>& list = plan_.outputs_of[n];
      for (int o = static_cast<int>(list.size()); o < static_cast<int>(node(n).outputs.size());
           ++o) {
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

  // ---- which tensors have gradients

  void find_gradients() {
    goes_back_.assign(net_.nodes().size(), false);
    if (!options_.parameter_gradients && options_.gradients.empty()) return;
    for (const std::string& name : options_.gradients)
      plan_.gradients.push_back(known_tensor(name));
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
    for (size_t t = 0; t < plan_.tensors.size(); ++t)
      tensor(t).has_gradient = needs[t] && reaches[t];
    for (size_t i = 0; i < plan_.gradients.size(); ++i)
      if (!tensor(plan_.gradients[i]).has_gradient)
        throw UsageError(
            fmt::format("nothing leads from '{}' to the tensors that gradients start from",
                        options_.gradients[i]));
  }

  int known_tensor(const std::string& name) const {
    const NodeOutput t = net_.tensor(name);
    const std::vector<int>& list = plan_.outputs_of[t.node];
    if (list.empty())
      throw UsageError(fmt::format(
          "'{}' is not computed in this execution; fetch it, or something after it", name));
    return list.at(t.output);
  }

  // ---- plans of the nodes, with this execution's shapes

  void plan_nodes() {
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

  PlanRequest request(int n, opencl::Epilogue epilogue) {
    PlanRequest r;
    for (size_t i = 0; i < node(n).inputs.size(); ++i) {
      r.inputs.push_back(tensor(input(n, i)).shape);
      r.input_gradients = r.input_gradients || (goes_back_[n] && tensor(input(n, i)).has_gradient);
    }
    r.training = options_.training;
    r.trainable = layer(n).trainable;
    r.parameter_gradients = goes_back_[n] && wants_parameters(n);
    r.epilogue = std::move(epilogue);
    return r;
  }

  bool wants_parameters(int n) const {
    return options_.parameter_gradients && layer(n).trainable && !layer(n).segments.empty();
  }

  bool can_go_back(int n) const {
    const LayerPlan& p = plan_.node_plans[n];
    if (options_.overrides.count(node(n).name)) return true;
    return p.pointwise.kind == PointwiseKind::expression ? !p.pointwise.derivatives.empty()
                                                         : p.differentiable;
  }

  void mark_saved() {
    for (int n : plan_.nodes) {
      if (!goes_back_[n]) continue;
      const auto [inputs, outputs] = saves(n);
      if (inputs)
        for (size_t i = 0; i < node(n).inputs.size(); ++i) tensor(input(n, i)).saved = true;
      if (outputs)
        for (int t : plan_.outputs_of[n]) tensor(t).saved = true;
    }
  }

  /// Whether the backward pass of a node reads its inputs, and its outputs.
  std::pair<bool, bool> saves(int n) const {
    const LayerPlan& p = plan_.node_plans[n];
    const auto over = options_.overrides.find(node(n).name);
    if (over != options_.overrides.end()) {
      if (p.pointwise.kind != PointwiseKind::expression)
        throw UsageError(fmt::format(
            "the backward rule of {} cannot be replaced: it is not pointwise", title(n)));
      return {over->second.needs_x, over->second.needs_y};
    }
    if (p.pointwise.kind == PointwiseKind::identity || p.pointwise.kind == PointwiseKind::affine)
      return {false, false};
    return {p.saves_inputs, p.saves_outputs};
  }

  // ---- forward steps: heads, and the pointwise chains that run in their store

  void build_forward() {
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
  }

  /// Identities cost nothing: their output is a view of their input.
  bool is_view(int n) const {
    return plan_.node_plans[n].pointwise.kind == PointwiseKind::identity;
  }

  void extend(ForwardStep& step, std::vector<bool>& claimed) {
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

  /// The pointwise node, and its input index, that alone reads tensor t and may run in the store of
  /// t's producer.
  std::optional<std::pair<int, int>> follower(int t) {
    const PlanTensor& from = tensor(t);
    if (from.fetched || from.fed || from.saved || from.consumers.size() != 1) return std::nullopt;
    const auto [n, index] = from.consumers[0];
    const std::vector<int>& outputs = plan_.outputs_of[n];
    if (!plan_.node_plans[n].pointwise || outputs.size() != 1) return std::nullopt;
    if (!(tensor(outputs[0]).shape == from.shape) || tensor(outputs[0]).fed) return std::nullopt;
    return from.consumers[0];
  }

  /// Appends what node n does to a chain that comes in as its input `position`; false when it does
  /// not fit a chain.
  bool append_stages(int n, int position, std::vector<ChainStage>& stages) {
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

  // ---- where tensors lie

  int new_storage(int64_t elements) {
    Storage s;
    s.elements = elements;
    plan_.storages.push_back(s);
    return static_cast<int>(plan_.storages.size()) - 1;
  }

  Place new_place(const Shape& shape) {
    return {new_storage(shape.elements()), 0, static_cast<uint32_t>(shape.channels())};
  }

  void place_forward() {
    for (int t : plan_.feeds) tensor(t).place = new_place(tensor(t).shape);
    if (concatenate_in_place_) place_concatenations();
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
      if (t.place.storage >= 0 && (t.fed || t.fetched))
        plan_.storages[t.place.storage].pinned = true;
  }

  bool exists(int t) { return tensor(t).place.storage >= 0; }

  /// A concatenation whose inputs can all be written where they belong needs no launch of its own.
  void place_concatenations() {
    std::map<int, const ForwardStep*> writer;
    for (const ForwardStep& s : plan_.forward)
      for (int t : s.outputs) writer[t] = &s;
    std::erase_if(plan_.forward, [&](const ForwardStep& s) {
      if (s.generated || !s.plan.concatenates || !s.stages.empty()) return false;
      std::set<int> distinct(s.inputs.begin(), s.inputs.end());
      if (distinct.size() != s.inputs.size()) return false;
      for (int t : s.inputs)
        if (!writer.count(t) || exists(t) || !can_be_slice(t, *writer[t], s.node)) return false;
      PlanTensor& out = tensor(s.outputs[0]);
      out.place = new_place(out.shape);
      uint32_t channel = 0;
      for (int t : s.inputs) {
        tensor(t).place = {out.place.storage, channel, out.place.pixel_stride};
        channel += static_cast<uint32_t>(tensor(t).shape.channels());
      }
      return true;
    });
  }

  bool can_be_slice(int t, const ForwardStep& writer, int concatenation) {
    if (tensor(t).fetched || tensor(t).fed || tensor(t).shape.channels() < 1) return false;
    if (!writer.generated && (!writer.plan.strided_outputs || writer.plan.concatenates))
      return false;
    for (const auto& [n, index] : tensor(t).consumers) {
      const LayerPlan& p = plan_.node_plans[n];
      if (n == concatenation) continue;
      if (p.concatenates || is_view(n) || (!p.pointwise && !p.strided_inputs)) return false;
    }
    return true;
  }

  // ---- backward steps

  void build_backward() {
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

  bool wanted(int t) const {
    return std::count(plan_.gradients.begin(), plan_.gradients.end(), t) > 0;
  }

  int contributors(int t) {
    int count = 0;
    for (const auto& [n, index] : tensor(t).consumers) count += goes_back_[n];
    return count;
  }

  void add_backward(int n, std::vector<bool>& written, std::set<int>& layers_done) {
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

  BackwardStep::Kind backward_kind(int n) const {
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

  bool becomes_view(int n, std::vector<bool>& written) {
    const int in = input(n, 0), out = plan_.outputs_of[n][0];
    if (!tensor(in).has_gradient) return true;
    if (written[in] || contributors(in) != 1) return false;
    tensor(in).gradient = tensor(out).gradient;
    tensor(in).gradient.pixel_stride = static_cast<uint32_t>(tensor(in).shape.channels());
    written[in] = true;
    return true;
  }

  /// An op has one flag for all its inputs: where one of them holds something already, the others
  /// are cleared first.
  void push_op(BackwardStep step, const std::vector<int>& inputs, std::vector<bool>& written) {
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

  /// Generated kernels take a flag an input; the same tensor twice needs a launch each.
  void push_pointwise(BackwardStep step, const std::vector<int>& inputs,
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

  // ---- lifetimes

  void measure_lifetimes() {
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

  void share_in_place() {
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

  /// Lets `to`, first written now, lie where `from` lay, if that dies now.
  bool share(const Place& to, const Place& from, int now) {
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

  const Network& net_;
  const ExecutionOptions& options_;
  const bool concatenate_in_place_;
  Plan plan_;
  std::vector<NodeOutput> feeds_, fetches_;
  std::vector<bool> runs_, goes_back_;
};

}  // namespace

int Plan::input(const Network& network, int node, size_t index) const {
  const NodeOutput in = network.nodes()[node].inputs.at(index);
  return outputs_of[in.node].at(in.output);
}

Plan make_plan(const Network& network, const ExecutionOptions& options, bool concatenate_in_place) {
  if (options.batch < 1) throw UsageError("a batch has at least one item");
  return Planner(network, options, concatenate_in_place).run();
}

}  // namespace ocellus::execution
