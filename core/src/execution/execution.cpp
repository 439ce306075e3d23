#include "ocellus/core/execution.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "execution/chain.hpp"
#include "execution/halves.hpp"
#include "execution/plan.hpp"
#include "ocellus/core/text.hpp"
#include "ocellus/opencl/compilation.hpp"
#include "ocellus/opencl/movement.hpp"

namespace ocellus {

using execution::AffineVectors;
using execution::BackwardStep;
using execution::ForwardStep;
using execution::Place;
using execution::Plan;
using execution::PlanTensor;

namespace {

/// A forward step on the device: either an op or a generated kernel, with all its tensors in place.
struct ForwardLaunch {
  std::string label;
  std::unique_ptr<LayerOp> op;
  std::optional<opencl::Pointwise> kernel;
  std::vector<Tensor> inputs, outputs, saved;
  std::vector<Parameter> parameters, states;
  std::vector<opencl::Operand>
      operands;  ///< of the epilogue, or all inputs of the generated kernel
  int node = -1, layer = -1;
  bool changes_states = false;
  std::vector<int> unread;  ///< parameters that the op reads packed copies of only
  int expansion = -1;       ///< layer of the 1x1 convolution that the op computes on the way
  std::vector<Parameter> expansion_parameters;
  std::vector<opencl::Operand> expansion_operands;
};

/// Only packed copies of an expansion's kernel are read.
constexpr int kUnreadOfExpansion[] = {0};

struct BackwardLaunch {
  std::string label;
  BackwardStep::Kind kind;
  int node = -1, layer = -1;
  LayerOp* op = nullptr;
  std::optional<opencl::Pointwise> kernel;
  std::vector<opencl::Operand> kernel_inputs, kernel_outputs;
  std::vector<Tensor> inputs, outputs, input_gradients, output_gradients, saved, zero_first;
  bool accumulate = false, parameter_gradients = false, accumulate_parameters = false;
  Tensor from, to;  ///< seed and view: a copy
};

}  // namespace

struct Execution::State {
  State(Network& n, ExecutionOptions o)
      : network(n),
        options(std::move(o)),
        device(n.shared_device()),
        plan(execution::make_plan(n, options)) {
    allocate();
    opencl::Compilation together(*device);
    for (const ForwardStep& s : plan.forward) forward.push_back(prepare(s));
    for (const BackwardStep& b : plan.backward) backward.push_back(prepare(b));
    together.finish();
    size_t bytes = 0;
    for (const ForwardLaunch& l : forward)
      if (l.op) bytes = std::max(bytes, l.op->workspace_bytes());
    for (const auto& op : backward_only) bytes = std::max(bytes, op->workspace_bytes());
    if (bytes) workspace = device->allocate(bytes, "scratch memory of layers");
    memory += bytes;
    find_untouched_segments();
  }

  // ---- memory

  void allocate() {
    const execution::MemoryPlan layout = execution::plan_memory(plan.storages);
    std::vector<opencl::Buffer> slots;
    for (int64_t elements : layout.slot_elements) {
      const size_t bytes = static_cast<size_t>(std::max<int64_t>(elements, 1)) * sizeof(float);
      slots.push_back(
          device->allocate(bytes, fmt::format("activations of a batch of {}", options.batch)));
      memory += bytes;
    }
    for (int slot : layout.slot) buffers.push_back(slot < 0 ? opencl::Buffer() : slots[slot]);
    // Drivers do not clear memory. A seed that the caller leaves alone is zero; feeds hold no NaN
    // before they are filled.
    for (const PlanTensor& t : plan.tensors) {
      if (t.seed >= 0)
        clear(tensor(t.shape, {t.seed, 0, static_cast<uint32_t>(t.shape.channels())}));
      if (t.fed) clear(tensor(t.shape, t.place));
    }
  }

  void clear(const Tensor& t) const {
    device->compute().fill(t.buffer, t.offset * sizeof(float),
                           static_cast<size_t>(t.shape.elements()) * sizeof(float));
  }

  Tensor tensor(const Shape& shape, const Place& place) const {
    return {buffers.at(place.storage), place.offset, place.pixel_stride, DType::f32, shape};
  }
  Tensor value(int t) const { return tensor(plan.tensors[t].shape, plan.tensors[t].place); }
  Tensor gradient(int t) const { return tensor(plan.tensors[t].shape, plan.tensors[t].gradient); }

  // ---- preparing the forward pass

  const NetworkNode& node(int n) const { return network.nodes()[n]; }
  const NetworkLayer& layer_of(int n) const { return network.layers()[node(n).layer]; }

  AffineVectors& affine(int n) {
    const int layer = node(n).layer;
    auto& slot = affines[layer];
    if (!slot) {
      const int channels = node(n).outputs[0].channels();
      slot = std::make_unique<AffineVectors>(*device, network, layer, plan.node_plans[n].pointwise,
                                             channels);
    }
    return *slot;
  }

  void append_operands(const std::vector<execution::ChainStage>& stages,
                       std::vector<opencl::Operand>& operands) {
    for (const execution::ChainStage& s : stages) {
      if (s.stage.kind == opencl::Stage::Kind::affine) {
        operands.push_back(affine(s.node).scale().operand());
        operands.push_back(affine(s.node).shift().operand());
      }
      if (s.stage.kind == opencl::Stage::Kind::merge)
        operands.push_back(value(s.operand).operand());
    }
  }

  std::string name_of(const ForwardStep& s) const {
    std::string name;
    const auto add = [&](int head, const std::vector<execution::ChainStage>& stages) {
      name += (name.empty() ? "" : " + ") + node(head).name;
      for (const execution::ChainStage& c : stages)
        if (c.node != head && !name.ends_with(node(c.node).name)) name += " + " + node(c.node).name;
    };
    if (s.expansion) add(s.expansion->node, s.expansion->stages);
    add(s.node, s.stages);
    return name;
  }

  static void name_algorithm(const std::string& algorithm, std::string& label) {
    if (!algorithm.empty()) label += ", " + algorithm;
  }

  void prepare_expansion(const execution::Expansion& e, ForwardLaunch& l) {
    l.expansion = node(e.node).layer;
    l.expansion_parameters = network.parameters(l.expansion, kUnreadOfExpansion);
    for (size_t i = 1; i < l.expansion_parameters.size(); ++i)
      l.expansion_operands.push_back(l.expansion_parameters[i].tensor.operand());
    append_operands(e.stages, l.expansion_operands);
  }

  ForwardLaunch prepare(const ForwardStep& s) {
    ForwardLaunch l;
    l.node = s.node;
    l.layer = node(s.node).layer;
    l.label = fmt::format("{}: {} forward", name_of(s), layer_of(s.node).type);
    for (int t : s.inputs) l.inputs.push_back(value(t));
    for (int t : s.outputs) l.outputs.push_back(value(t));
    if (s.generated) {
      l.kernel.emplace(execution::chain_kernel(*device, l.outputs[0].shape, s.stages, "pointwise"));
      l.operands.push_back(l.inputs[0].operand());
    } else {
      for (size_t i = 0; i < s.saved.size(); ++i) {
        const Shape& shape = s.plan.saved[i];
        l.saved.push_back(tensor(shape, {s.saved[i], 0, static_cast<uint32_t>(shape.channels())}));
      }
      l.op = layer_of(s.node).layer->prepare(*device, s.plan);
      if (!l.op)
        throw Error(
            fmt::format("layer '{}' ({}) gave no op", node(s.node).name, layer_of(s.node).type));
      l.unread = l.op->unread_parameters();
      l.parameters = network.parameters(l.layer, l.unread);
      l.states = network.states(l.layer);
      l.changes_states = options.training && !l.states.empty();
      name_algorithm(l.op->forward_algorithm(), l.label);
      op_of[s.node] = static_cast<int>(forward.size());
    }
    append_operands(s.stages, l.operands);
    if (s.expansion) prepare_expansion(*s.expansion, l);
    return l;
  }

  // ---- preparing the backward pass

  BackwardLaunch prepare(const BackwardStep& b) {
    BackwardLaunch l;
    l.kind = b.kind;
    l.node = b.node;
    for (int t : b.zero_first) l.zero_first.push_back(gradient(t));
    if (b.kind == BackwardStep::Kind::seed) {
      const PlanTensor& t = plan.tensors[b.outputs[0]];
      l.label = "gradient seed";
      l.from = tensor(t.shape, {t.seed, 0, static_cast<uint32_t>(t.shape.channels())});
      l.to = gradient(b.outputs[0]);
      return l;
    }
    l.layer = node(b.node).layer;
    l.label = fmt::format("{}: {} backward", node(b.node).name, layer_of(b.node).type);
    switch (b.kind) {
      case BackwardStep::Kind::view:
        prepare_view(b, l);
        break;
      case BackwardStep::Kind::pointwise:
        prepare_pointwise(b, l);
        break;
      case BackwardStep::Kind::affine:
        prepare_affine(b, l);
        break;
      default:
        prepare_op(b, l);
        break;
    }
    return l;
  }

  void prepare_view(const BackwardStep& b, BackwardLaunch& l) const {
    l.to = gradient(b.inputs[0]);
    l.from = gradient(b.outputs[0]);
    l.from.shape = l.to.shape;
    l.from.pixel_stride = static_cast<uint32_t>(l.to.shape.channels());
    l.accumulate = b.accumulate[0];
  }

  void prepare_pointwise(const BackwardStep& b, BackwardLaunch& l) {
    std::vector<bool> wanted;
    for (int t : b.inputs) wanted.push_back(t >= 0);
    const auto rule = options.overrides.find(node(b.node).name);
    auto kernel = execution::derivative_kernel(
        *device, plan.tensors[b.outputs[0]].shape, plan.node_plans[b.node].pointwise,
        rule == options.overrides.end() ? nullptr : &rule->second, wanted, b.accumulate,
        "pointwise_backward");
    l.kernel_inputs.push_back(gradient(b.outputs[0]).operand());
    if (kernel.reads_x)
      for (size_t i = 0; i < b.inputs.size(); ++i)
        l.kernel_inputs.push_back(saved_value(plan.input(network, b.node, i), b.node).operand());
    if (kernel.reads_y) l.kernel_inputs.push_back(saved_value(b.outputs[0], b.node).operand());
    for (int t : b.inputs)
      if (t >= 0) l.kernel_outputs.push_back(gradient(t).operand());
    l.kernel.emplace(std::move(kernel.kernel));
  }

  /// A tensor that the backward pass reads; a layer that reads more than it declared is told so.
  Tensor saved_value(int t, int n) const {
    if (!plan.tensors[t].saved || plan.tensors[t].place.storage < 0)
      throw Error(
          fmt::format("layer '{}' ({}): its derivative mentions '{}', which its plan does not save",
                      node(n).name, layer_of(n).type, network.tensor_name(plan.tensors[t].source)));
    return value(t);
  }

  void prepare_affine(const BackwardStep& b, BackwardLaunch& l) {
    l.kernel.emplace(execution::scale_kernel(*device, plan.tensors[b.outputs[0]].shape,
                                             b.accumulate[0], "affine_backward"));
    l.kernel_inputs = {gradient(b.outputs[0]).operand(), affine(b.node).scale().operand()};
    l.kernel_outputs = {gradient(b.inputs[0]).operand()};
  }

  void prepare_op(const BackwardStep& b, BackwardLaunch& l) {
    const LayerPlan& p = plan.node_plans[b.node];
    const auto value_if = [&](bool saves, int t) { return saves ? value(t) : Tensor{}; };
    for (size_t i = 0; i < b.inputs.size(); ++i) {
      l.inputs.push_back(value_if(p.saves_inputs, plan.input(network, b.node, i)));
      l.input_gradients.push_back(b.inputs[i] < 0 ? Tensor{} : gradient(b.inputs[i]));
    }
    for (int t : b.outputs) {
      l.outputs.push_back(value_if(p.saves_outputs, t));
      l.output_gradients.push_back(gradient(t));
    }
    l.accumulate = std::any_of(b.accumulate.begin(), b.accumulate.end(), [](bool a) { return a; });
    l.parameter_gradients = b.parameter_gradients;
    l.accumulate_parameters = b.accumulate_parameters;
    // A concatenation written in place has no forward launch, but its way back is its own op's.
    if (const auto it = op_of.find(b.node); it != op_of.end()) {
      l.op = forward[it->second].op.get();
      l.saved = forward[it->second].saved;
    } else {
      backward_only.push_back(layer_of(b.node).layer->prepare(*device, p));
      l.op = backward_only.back().get();
    }
    name_algorithm(l.op->backward_algorithm(), l.label);
  }

  /// Trainable parameters that this execution's way back never reaches: their gradient is zero.
  void find_untouched_segments() {
    std::vector<bool> touched(network.layout().segments.size());
    for (const BackwardLaunch& l : backward)
      if (l.parameter_gradients)
        for (int s : network.layers()[l.layer].segments) touched[s] = true;
    for (size_t s = 0; s < touched.size(); ++s)
      if (!touched[s]) untouched.push_back(static_cast<int>(s));
  }

  // ---- running

  void run_forward(opencl::Queue& queue, const RunContext& context) {
    last_run = context;
    for (auto& [layer, vectors] : affines) {
      queue.set_label(network.layers()[layer].name + ": scale and shift");
      vectors->refresh(queue, network);
    }
    bool states_changed = false, gave_back = false;
    for (ForwardLaunch& l : forward) {
      queue.set_label(l.label);
      if (l.kernel) {
        const opencl::Operand out[] = {l.outputs[0].operand()};
        l.kernel->run(queue, l.operands, out);
        continue;
      }
      refresh(l);
      ForwardArgs args;
      args.inputs = l.inputs;
      args.outputs = l.outputs;
      args.parameters = l.parameters;
      args.states = l.states;
      args.saved = l.saved;
      args.workspace = workspace;
      args.epilogue = l.operands;
      if (l.expansion >= 0) {
        args.expansion_kernel = &l.expansion_parameters[0];
        args.expansion_epilogue = l.expansion_operands;
      }
      args.run = context;
      args.run.node = static_cast<uint32_t>(l.node);
      l.op->forward(queue, args);
      for (int i : l.unread) gave_back = network.release(l.layer, i) || gave_back;
      if (l.expansion >= 0)
        for (int i : kUnreadOfExpansion) gave_back = network.release(l.expansion, i) || gave_back;
      states_changed = states_changed || l.changes_states;
    }
    if (states_changed) network.touch_states();
    // What was given back lies in the device's pool, where nobody may need as much.
    if (gave_back) device->trim();
  }

  void refresh(ForwardLaunch& l) const {
    if (!l.parameters.empty()) l.parameters = network.parameters(l.layer, l.unread);
    if (!l.states.empty()) l.states = network.states(l.layer);
    if (l.expansion >= 0)
      l.expansion_parameters = network.parameters(l.expansion, kUnreadOfExpansion);
  }

  void run_backward(const Arenas* gradients) {
    if (options.parameter_gradients && !gradients)
      throw Error("backward() was asked for parameter gradients without a place for them");
    opencl::Queue& queue = device->compute();
    if (options.parameter_gradients) clear_untouched(queue, *gradients);
    for (BackwardLaunch& l : backward) {
      queue.set_label(l.label);
      for (const Tensor& t : l.zero_first) clear(t);
      switch (l.kind) {
        case BackwardStep::Kind::seed:
        case BackwardStep::Kind::view:
          opencl::copy_matrix(queue, l.from.operand(), l.to.operand(), l.to.shape.pixels(),
                              l.to.shape.channels(), l.accumulate);
          break;
        case BackwardStep::Kind::pointwise:
        case BackwardStep::Kind::affine:
          l.kernel->run(queue, l.kernel_inputs, l.kernel_outputs);
          break;
        case BackwardStep::Kind::op:
          run_op(queue, l, gradients);
          break;
      }
    }
  }

  void clear_untouched(opencl::Queue& queue, const Arenas& gradients) const {
    for (int s : untouched) {
      const Segment& segment = network.layout().segments[s];
      queue.fill(gradients.buffers[segment.arena], size_t{segment.offset} * sizeof(float),
                 size_t{segment.count} * sizeof(float));
    }
  }

  void run_op(opencl::Queue& queue, const BackwardLaunch& l, const Arenas* gradients) const {
    const std::vector<Parameter> parameters = network.parameters(l.layer),
                                 states = network.states(l.layer);
    std::vector<Tensor> parameter_gradients;
    if (l.parameter_gradients)
      for (size_t i = 0; i < parameters.size(); ++i) {
        Tensor t = parameters[i].tensor;
        const Segment& s = network.layout().segments[network.layers()[l.layer].segments[i]];
        t.buffer = gradients->buffers[s.arena];
        parameter_gradients.push_back(std::move(t));
      }
    BackwardArgs args;
    args.inputs = l.inputs;
    args.outputs = l.outputs;
    args.output_gradients = l.output_gradients;
    args.input_gradients = l.input_gradients;
    args.accumulate_inputs = l.accumulate;
    args.parameters = parameters;
    args.states = states;
    args.parameter_gradients = parameter_gradients;
    args.accumulate_parameters = l.accumulate_parameters;
    args.saved = l.saved;
    args.workspace = workspace;
    args.run = last_run;
    args.run.node = static_cast<uint32_t>(l.node);
    l.op->backward(queue, args);
  }

  Network& network;
  ExecutionOptions options;
  std::shared_ptr<opencl::Device> device;
  Plan plan;
  std::vector<opencl::Buffer> buffers;  ///< by storage
  opencl::Buffer workspace;
  size_t memory = 0;
  std::map<int, std::unique_ptr<AffineVectors>> affines;  ///< by layer
  std::map<int, int> op_of;                               ///< node -> index into forward
  std::vector<std::unique_ptr<LayerOp>> backward_only;
  std::vector<ForwardLaunch> forward;
  std::vector<BackwardLaunch> backward;
  std::vector<int> untouched;  ///< segments
  RunContext last_run;
};

Execution::Execution(Network& network, ExecutionOptions options) {
  if (execution::Halves::suit(network, options))
    halves_ = std::make_unique<execution::Halves>(network, options);
  else
    state_ = std::make_unique<State>(network, std::move(options));
}
Execution::~Execution() = default;

const ExecutionOptions& Execution::options() const {
  return halves_ ? halves_->options() : state_->options;
}

namespace {

/// Index of a tensor name in a list of tensors, or an error that lists them.
size_t index_of(const Network& network, const Plan& plan, const std::vector<int>& list,
                std::string_view name, const char* what) {
  std::vector<std::string> names;
  for (int t : list) names.push_back(network.tensor_name(plan.tensors[t].source));
  const auto it = std::find(names.begin(), names.end(), name);
  if (it == names.end())
    throw UsageError(fmt::format("'{}' is not among the {} of this execution{}", name, what,
                                 suggestion(name, names)));
  return static_cast<size_t>(it - names.begin());
}

}  // namespace

size_t Execution::feed_index(std::string_view name) const {
  return halves_ ? halves_->first().feed_index(name)
                 : index_of(state_->network, state_->plan, state_->plan.feeds, name, "feeds");
}
size_t Execution::fetch_index(std::string_view name) const {
  return halves_ ? halves_->first().fetch_index(name)
                 : index_of(state_->network, state_->plan, state_->plan.fetches, name, "fetches");
}
size_t Execution::feed_count() const {
  return halves_ ? halves_->feeds().size() : state_->plan.feeds.size();
}
size_t Execution::fetch_count() const {
  return halves_ ? halves_->fetches().size() : state_->plan.fetches.size();
}
Tensor Execution::feed(size_t index) const {
  return halves_ ? halves_->feeds().at(index) : state_->value(state_->plan.feeds.at(index));
}
Tensor Execution::feed(std::string_view name) const { return feed(feed_index(name)); }
Tensor Execution::fetch(size_t index) const {
  return halves_ ? halves_->fetches().at(index) : state_->value(state_->plan.fetches.at(index));
}
Tensor Execution::fetch(std::string_view name) const { return fetch(fetch_index(name)); }
void Execution::forward(const RunContext& run) {
  if (halves_)
    halves_->forward(run);
  else
    state_->run_forward(state_->device->compute(), run);
}
void Execution::forward(opencl::Queue& queue, const RunContext& run) {
  state_->run_forward(queue, run);
}

Execution::State& Execution::with_gradients() const {
  if (!state_) throw Error("this execution was made without gradients");
  return *state_;
}
Tensor Execution::seed(size_t index) const {
  const State& s = with_gradients();
  const PlanTensor& t = s.plan.tensors[s.plan.seeds.at(index)];
  return s.tensor(t.shape, {t.seed, 0, static_cast<uint32_t>(t.shape.channels())});
}
void Execution::backward(const Arenas* gradients) { with_gradients().run_backward(gradients); }
Tensor Execution::gradient(size_t index) const {
  const State& s = with_gradients();
  return s.gradient(s.plan.gradients.at(index));
}
Tensor Execution::gradient(std::string_view name) const {
  const State& s = with_gradients();
  return gradient(index_of(s.network, s.plan, s.plan.gradients, name, "gradients"));
}

size_t Execution::memory() const { return halves_ ? halves_->memory() : state_->memory; }
std::vector<std::string> Execution::steps() const {
  if (halves_) return halves_->first().steps();
  std::vector<std::string> lines;
  for (const ForwardLaunch& l : state_->forward) lines.push_back(l.label);
  for (const BackwardLaunch& l : state_->backward) lines.push_back(l.label);
  return lines;
}

}  // namespace ocellus
