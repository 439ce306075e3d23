#include "ocellus/core/incremental.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "execution/chain.hpp"
#include "execution/plan.hpp"
#include "network_state.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/execution.hpp"
#include "ocellus/opencl/movement.hpp"

namespace ocellus {

using execution::AffineVectors;
using execution::ChainStage;
using execution::ForwardStep;
using execution::Plan;

namespace {

/// A window of a feature map for each position; all have one size.
struct Boxes {
  int h = 0, w = 0;
  std::vector<std::array<int, 2>> origins;
  bool operator==(const Boxes&) const = default;
};

/// First and last index, along one axis.
struct Span {
  int first, last;
};

/// Outputs that depend on inputs [first, last], clipped to the map.
Span outputs_of(Span in, const WindowAxis& a, int out_extent) {
  const int reach = in.first + a.pad_before - (a.extent() - 1);
  const int first = reach <= 0 ? 0 : (reach + a.stride - 1) / a.stride;
  const int last = (in.last + a.pad_before) / a.stride;
  return {std::min(first, out_extent - 1), std::clamp(last, 0, out_extent - 1)};
}

/// Gives all positions the size of the largest; near a border a window moves inwards.
Boxes same_size(const std::vector<Span>& ys, const std::vector<Span>& xs, int h, int w) {
  Boxes b;
  for (const Span& s : ys) b.h = std::max(b.h, s.last - s.first + 1);
  for (const Span& s : xs) b.w = std::max(b.w, s.last - s.first + 1);
  for (size_t i = 0; i < ys.size(); ++i)
    b.origins.push_back({std::min(ys[i].first, h - b.h), std::min(xs[i].first, w - b.w)});
  return b;
}

/// What an output box needs of an input.
Boxes input_boxes(const Boxes& out, const Window& window) {
  if (window.kind != Window::Kind::local) return out;
  Boxes in;
  in.h = window.h.extent() + (out.h - 1) * window.h.stride;
  in.w = window.w.extent() + (out.w - 1) * window.w.stride;
  for (const auto& o : out.origins)
    in.origins.push_back({o[0] * window.h.stride - window.h.pad_before,
                          o[1] * window.w.stride - window.w.pad_before});
  return in;
}

/// A tensor that changes with the window: its patch, and the clean map that stands round it.
struct Patched {
  Boxes boxes;
  Tensor patch;
  Tensor clean;
  opencl::Buffer origins;  ///< of the positions being evaluated
};

/// Cuts `boxes` out of a patched (or clean) map; nothing to do where the patch is the box.
struct Cut {
  const Patched* from = nullptr;  ///< null: the map does not change
  Tensor clean;
  Boxes boxes;
  opencl::Buffer origins;
  Tensor out;
  float fill = 0;
};

struct Step {
  std::string label;
  int node = -1, layer = -1;
  std::unique_ptr<LayerOp> op;
  std::optional<opencl::Pointwise> kernel;
  std::vector<Cut> cuts;
  std::vector<Tensor> inputs;
  std::vector<opencl::Operand> operands;
  Tensor output;
  opencl::Buffer input_origins;  ///< for padding that is not counted
  Patched* result = nullptr;
};

}  // namespace

struct Incremental::State {
  State(Network& n, IncrementalOptions o)
      : network(n), options(std::move(o)), device(n.shared_device()), queue(device->compute()) {
    check();
    if (options.fetches.empty())
      for (NodeOutput t : network.outputs()) options.fetches.push_back(network.tensor_name(t));
    plan = execution::make_plan(network, {.fetches = options.fetches}, /*absorb=*/false);
    zeros = device->allocate(static_cast<size_t>(options.batch) * sizeof(int32_t), "image indices");
    queue.fill(zeros, 0, static_cast<size_t>(options.batch) * sizeof(int32_t));
    find_local_part();
    make_clean_execution();
    make_input();
    for (const ForwardStep* s : local) steps.push_back(make_step(*s));
    size_t bytes = 0;
    for (const Step& s : steps)
      if (s.op) bytes = std::max(bytes, s.op->workspace_bytes());
    if (bytes) workspace = device->allocate(bytes, "scratch memory of layers");
    make_tail();
  }

  void check() const {
    if (network.inputs().size() != 1)
      throw UsageError("incremental evaluation needs a network with one input");
    const Shape& shape = network.shape(network.inputs()[0]);
    if (shape.rank() != 4)
      throw UsageError("incremental evaluation needs images, the input is " + shape.str());
    if (options.batch < 1 || options.origins.empty())
      throw UsageError("incremental evaluation needs positions");
    for (const auto& [y, x] : options.origins)
      if (y < 0 || x < 0 || y + options.patch_h > shape[1] || x + options.patch_w > shape[2])
        throw UsageError(fmt::format("the window of {}x{} at ({}, {}) is not inside the image {}",
                                     options.patch_h, options.patch_w, y, x, shape.str()));
  }

  // ---- which steps can work on patches

  const NetworkNode& node(int n) const { return network.nodes()[n]; }
  const Shape& shape(int t) const { return plan.tensors[t].shape; }

  /// The tensor itself, past identities that keep the shape.
  int root(int t) const {
    while (true) {
      const NodeOutput s = plan.tensors[t].source;
      if (plan.tensors[t].fed ||
          plan.node_plans[s.node].pointwise.kind != Pointwise::Kind::identity)
        return t;
      const int in = plan.input(network, s.node, 0);
      if (!(shape(in) == shape(t)) ||
          plan.tensors[t].place.storage != plan.tensors[in].place.storage)
        return t;
      t = in;
    }
  }

  static bool usable(const Window& w) {
    if (w.kind == Window::Kind::local) return w.h.upsample == 1 && w.w.upsample == 1;
    return w.kind != Window::Kind::global;
  }

  /// Tensors that a step reads, merges included.
  std::vector<int> reads(const ForwardStep& s) const {
    std::vector<int> list;
    for (int t : s.inputs) list.push_back(root(t));
    for (const ChainStage& c : s.stages)
      if (c.operand >= 0) list.push_back(root(c.operand));
    return list;
  }

  void find_local_part() {
    changing.insert(plan.feeds[0]);
    for (const ForwardStep& s : plan.forward) {
      const std::vector<int> in = reads(s);
      const bool all_changing =
          std::all_of(in.begin(), in.end(), [&](int t) { return changing.count(t); });
      if (!all_changing || s.outputs.size() != 1 || !usable(plan.node_plans[s.node].window) ||
          shape(s.outputs[0]).rank() != 4)
        continue;
      local.push_back(&s);
      changing.insert(s.outputs[0]);
    }
  }

  void make_clean_execution() {
    ExecutionOptions o;
    std::set<int> wanted;
    for (const ForwardStep* s : local)
      for (int t : reads(*s)) wanted.insert(t);
    for (int t : changing) wanted.insert(t);
    wanted.erase(plan.feeds[0]);
    for (int t : wanted) o.fetches.push_back(network.tensor_name(plan.tensors[t].source));
    for (const std::string& name : options.fetches)
      if (std::find(o.fetches.begin(), o.fetches.end(), name) == o.fetches.end())
        o.fetches.push_back(name);
    clean = std::make_unique<Execution>(network, o);
  }

  Tensor clean_of(int t) const {
    return t == plan.feeds[0] ? clean->feed()
                              : clean->fetch(network.tensor_name(plan.tensors[t].source));
  }

  void make_input() {
    Boxes boxes;
    boxes.h = options.patch_h;
    boxes.w = options.patch_w;
    boxes.origins = options.origins;
    add_patched(plan.feeds[0], std::move(boxes));
  }

  Patched& add_patched(int t, Boxes boxes) {
    Patched p;
    const Shape patch{options.batch, boxes.h, boxes.w, shape(t).channels()};
    p.boxes = std::move(boxes);
    p.patch = Tensor::make(*device, patch, "patches");
    queue.fill(p.patch.buffer, 0, static_cast<size_t>(patch.elements()) * sizeof(float));
    p.clean = clean_of(t);
    p.origins = origin_buffer();
    return patched.emplace(t, std::move(p)).first->second;
  }

  opencl::Buffer origin_buffer() {
    const size_t bytes = static_cast<size_t>(options.batch) * 2 * sizeof(int32_t);
    opencl::Buffer b = device->allocate(bytes, "origins of patches");
    queue.fill(b, 0, bytes);
    return b;
  }

  // ---- one step on patches

  /// The union, over all that the step reads, of what can change in its output.
  Boxes output_boxes(const ForwardStep& s) const {
    const Shape& out = shape(s.outputs[0]);
    const Window& window = plan.node_plans[s.node].window;
    std::vector<Span> ys(options.origins.size(), {out[1], -1}),
        xs(options.origins.size(), {out[2], -1});
    const auto unite = [](Span& a, Span b) {
      a = {std::min(a.first, b.first), std::max(a.last, b.last)};
    };
    const auto add = [&](int t, bool through_window) {
      const Boxes& b = patched.at(root(t)).boxes;
      for (size_t i = 0; i < b.origins.size(); ++i) {
        Span y{b.origins[i][0], b.origins[i][0] + b.h - 1},
            x{b.origins[i][1], b.origins[i][1] + b.w - 1};
        if (through_window) {
          y = outputs_of(y, window.h, out[1]);
          x = outputs_of(x, window.w, out[2]);
        }
        unite(ys[i], y);
        unite(xs[i], x);
      }
    };
    for (int t : s.inputs) add(t, window.kind == Window::Kind::local);
    for (const ChainStage& c : s.stages)
      if (c.operand >= 0) add(c.operand, false);
    return same_size(ys, xs, out[1], out[2]);
  }

  Tensor cut(Step& step, int t, const Boxes& boxes, float fill) {
    const Patched& from = patched.at(root(t));
    if (from.boxes == boxes) return from.patch;
    Cut c;
    c.from = &from;
    c.boxes = boxes;
    c.fill = fill;
    c.origins = origin_buffer();
    c.out = Tensor::make(*device, Shape{options.batch, boxes.h, boxes.w, shape(t).channels()},
                         "cut windows");
    step.cuts.push_back(c);
    return c.out;
  }

  Step make_step(const ForwardStep& s) {
    Step step;
    step.node = s.node;
    step.layer = node(s.node).layer;
    step.label = node(s.node).name + ": incremental";
    const LayerPlan& whole = plan.node_plans[s.node];
    const Boxes out = output_boxes(s);
    const Boxes in = input_boxes(out, whole.window);
    const float fill = whole.window.fill == Window::Fill::negative_infinity ? -INFINITY : 0.0f;
    for (int t : s.inputs) step.inputs.push_back(cut(step, t, in, fill));
    Patched& result = add_patched(s.outputs[0], out);
    step.result = &result;
    step.output = result.patch;
    if (s.generated) {
      step.kernel.emplace(
          execution::chain_kernel(*device, step.output.shape, s.stages, "pointwise"));
      step.operands.push_back(step.inputs[0].operand());
    } else {
      prepare_op(step, s, in);
    }
    for (const ChainStage& c : s.stages) {
      if (c.stage.kind == opencl::Stage::Kind::affine) {
        step.operands.push_back(affine(c.node).scale().operand());
        step.operands.push_back(affine(c.node).shift().operand());
      }
      if (c.operand >= 0) step.operands.push_back(cut(step, c.operand, out, 0).operand());
    }
    return step;
  }

  void prepare_op(Step& step, const ForwardStep& s, const Boxes& in) {
    const std::string title =
        fmt::format("layer '{}' ({})", node(s.node).name, network.layers()[step.layer].type);
    PlanRequest request = s.plan.request;
    request.inputs.clear();
    for (const Tensor& t : step.inputs) request.inputs.push_back(t.shape);
    if (s.plan.window.kind == Window::Kind::local) {
      request.halo = true;
      request.full_h = shape(s.inputs[0])[1];
      request.full_w = shape(s.inputs[0])[2];
    }
    const LayerPlan p = plan_layer(*network.layers()[step.layer].layer, request, title);
    if (!(p.outputs.at(0) == step.output.shape))
      throw Error(fmt::format("{}: its window promises {} from a halo of {}x{}, its plan says {}",
                              title, step.output.shape.str(), in.h, in.w, p.outputs[0].str()));
    if (!request.epilogue.empty() && !p.accepts_epilogue)
      throw Error(title + ": takes an epilogue in full, but not on a halo");
    work += p.multiply_adds / options.batch;
    step.op = network.layers()[step.layer].layer->prepare(*device, p);
    if (s.plan.window.fill == Window::Fill::excluded && s.plan.window.kind == Window::Kind::local) {
      step.input_origins =
          step.cuts.empty() ? patched.at(root(s.inputs[0])).origins : step.cuts[0].origins;
    }
  }

  AffineVectors& affine(int n) {
    auto& slot = affines[node(n).layer];
    if (!slot)
      slot = std::make_unique<AffineVectors>(*device, network, node(n).layer,
                                             plan.node_plans[n].pointwise,
                                             node(n).outputs[0].channels());
    return *slot;
  }

  // ---- everything after the local part

  /// A fetched tensor that the window changes is scattered into a full map; the tail computes the
  /// others.
  void make_tail() {
    ExecutionOptions o;
    o.batch = options.batch;
    for (size_t i = 0; i < options.fetches.size(); ++i) {
      const int t = root(plan.fetches[i]);
      if (changing.count(t))
        full_maps.emplace(t,
                          Tensor::make(*device, shape(t).with_batch(options.batch), "full maps"));
      else
        o.fetches.push_back(options.fetches[i]);
    }
    if (o.fetches.empty()) return;
    std::set<int> read;
    const std::set<const ForwardStep*> inside(local.begin(), local.end());
    for (const ForwardStep& s : plan.forward) {
      if (inside.count(&s)) continue;
      work += s.plan.multiply_adds;
      for (int t : tail_reads(s)) read.insert(t);
    }
    frontier.assign(read.begin(), read.end());
    for (int t : frontier) o.feeds.push_back(network.tensor_name(plan.tensors[t].source));
    tail = std::make_unique<Execution>(network, o);
  }

  /// Changing tensors that a step outside the local part reads, through views of any shape.
  std::vector<int> tail_reads(const ForwardStep& s) const {
    std::vector<int> list = s.inputs;
    for (const ChainStage& c : s.stages)
      if (c.operand >= 0) list.push_back(c.operand);
    std::vector<int> found;
    for (int t : list) {
      while (!changing.count(t) && !plan.tensors[t].fed &&
             plan.node_plans[plan.tensors[t].source.node].pointwise.kind ==
                 Pointwise::Kind::identity)
        t = plan.input(network, plan.tensors[t].source.node, 0);
      if (changing.count(t)) found.push_back(t);
    }
    return found;
  }

  // ---- running

  void write_origins(const opencl::Buffer& to, const Boxes& boxes, int first, int count) {
    std::vector<int32_t> values;
    for (int i = 0; i < count; ++i)
      for (int axis : {0, 1}) values.push_back(boxes.origins[first + i][axis]);
    queue.write(to, 0, values.data(), values.size() * sizeof(int32_t));
  }

  void run(int first, int count) {
    if (first < 0 || count < 1 || count > options.batch ||
        first + count > static_cast<int>(options.origins.size()))
      throw Error(fmt::format("positions {} to {} are not a batch of these {}", first,
                              first + count, options.origins.size()));
    for (auto& [t, p] : patched) write_origins(p.origins, p.boxes, first, count);
    for (auto& [layer, vectors] : affines) vectors->refresh(queue, network);
    for (Step& s : steps) run_step(s, first, count);
    for (int t : frontier) scatter(t, tail->feed(network.tensor_name(plan.tensors[t].source)));
    for (const auto& [t, map] : full_maps) scatter(t, map);
    if (tail) tail->forward();
  }

  void scatter(int t, const Tensor& to) {
    const Patched& p = patched.at(t);
    opencl::scatter_patches(queue, gather(p, p.clean.shape), p.clean.operand(), zeros,
                            p.patch.operand(), p.origins, to.operand());
  }

  opencl::WindowGather gather(const Patched& p, const Shape& out) const {
    opencl::WindowGather g;
    g.items = options.batch;
    g.out_h = out[1];
    g.out_w = out[2];
    g.channels = p.clean.shape.channels();
    g.image_h = p.clean.shape[1];
    g.image_w = p.clean.shape[2];
    g.patch_h = p.boxes.h;
    g.patch_w = p.boxes.w;
    return g;
  }

  void run_step(Step& s, int first, int count) {
    queue.set_label(s.label);
    for (const Cut& c : s.cuts) {
      write_origins(c.origins, c.boxes, first, count);
      opencl::WindowGather g = gather(*c.from, c.out.shape);
      g.fill = c.fill;
      opencl::gather_windows(queue, g, c.from->clean.operand(), zeros, c.origins,
                             c.from->patch.operand(), c.from->origins, c.out.operand());
    }
    const Tensor outputs[] = {s.output};
    if (s.kernel) {
      const opencl::Operand out[] = {s.output.operand()};
      s.kernel->run(queue, s.operands, out);
      return;
    }
    const std::vector<Parameter> parameters =
                                     network.parameters(s.layer, s.op->unread_parameters()),
                                 states = network.states(s.layer);
    ForwardArgs args;
    args.inputs = s.inputs;
    args.outputs = outputs;
    args.parameters = parameters;
    args.states = states;
    args.workspace = workspace;
    args.epilogue = s.operands;
    args.origins = s.input_origins;
    args.run.node = static_cast<uint32_t>(s.node);
    s.op->forward(queue, args);
  }

  Network& network;
  IncrementalOptions options;
  std::shared_ptr<opencl::Device> device;
  opencl::Queue& queue;
  Plan plan;
  std::set<int> changing;  ///< tensors that the window can change, and that patches stand for
  std::vector<const ForwardStep*> local;
  std::map<int, Patched> patched;
  std::map<int, std::unique_ptr<AffineVectors>> affines;
  std::vector<Step> steps;
  std::vector<int> frontier;  ///< changing tensors that the tail reads in full
  std::unique_ptr<Execution> clean, tail;
  std::map<int, Tensor> full_maps;  ///< of fetched tensors
  opencl::Buffer zeros, workspace;
  double work = 0;
};

Incremental::Incremental(Network& network, IncrementalOptions options)
    : state_(new State(network, std::move(options))) {}
Incremental::~Incremental() = default;

Tensor Incremental::image() const { return state_->clean->feed(); }
void Incremental::run_clean() { state_->clean->forward(); }
Tensor Incremental::clean(size_t index) const {
  return state_->clean->fetch(state_->options.fetches.at(index));
}
Tensor Incremental::patches() const { return state_->patched.at(state_->plan.feeds[0]).patch; }
void Incremental::run(int first, int count) { state_->run(first, count); }
Tensor Incremental::fetch(size_t index) const {
  const State& s = *state_;
  const auto map = s.full_maps.find(s.root(s.plan.fetches.at(index)));
  return map != s.full_maps.end() ? map->second : s.tail->fetch(s.options.fetches[index]);
}
double Incremental::multiply_adds() const { return state_->work; }
double Incremental::full_multiply_adds() const { return state_->network.multiply_adds(); }

}  // namespace ocellus
