#pragma once

#include <fmt/format.h>

#include <deque>
#include <optional>

#include "ocellus/core/layer.hpp"
#include "ocellus/core/packed.hpp"
#include "ocellus/opencl/pointwise.hpp"
#include "opencl/testing.hpp"

/// Runs one planned layer on a device between guard words: what the tests of the layers stand on.
namespace ocellus::test {

/// Values of a tensor on the host.
struct HostTensor {
  Shape shape;
  std::vector<float> values;
};

/// How tensors lie in memory: `offset` elements in front, pixels `gap` elements further apart than
/// their channels need.
struct Layout {
  uint32_t gap = 0, offset = 0;
};

/// A tensor between guard words; without values it is full of NaN.
struct GuardedTensor {
  GuardedTensor(Device& device, const Shape& shape, const Layout& layout,
                const std::vector<float>& values = {})
      : shape(shape),
        matrix(device, shape.pixels(), shape.channels(), layout.gap, layout.offset, values) {}
  Tensor tensor() const {
    const Operand& o = matrix.operand();
    return {o.buffer, o.offset, o.stride, DType::f32, shape};
  }
  Shape shape;
  GuardedMatrix matrix;
};

/// Does what core does for a layer with a pointwise trait: generated kernels.
class PointwiseOp : public LayerOp {
 public:
  PointwiseOp(Device& device, const LayerPlan& plan) : plan_(plan), f_(plan.pointwise) {
    using In = opencl::PointwiseProblem::Input;
    opencl::PointwiseProblem p{plan.outputs[0].pixels(), plan.outputs[0].channels()};
    p.inputs.assign(f_.kind == Pointwise::Kind::expression ? f_.derivatives.size() : 1, In::matrix);
    p.outputs = {f_.kind == Pointwise::Kind::expression ? f_.expression : "x0"};
    std::vector<std::string> gradients = f_.derivatives;
    std::string parameters;
    if (f_.kind == Pointwise::Kind::identity) gradients = {"(T)(1.0f)"};
    if (f_.kind == Pointwise::Kind::affine) {
      for (const auto* list : {&plan.parameters, &plan.states})
        for (const ParameterSpec& s : *list) {
          if (static_cast<int>(s.shape.elements()) == p.columns) {
            p.inputs.push_back(In::per_column);
            parameters += fmt::format("const T p{} = x{};\n", weights_.size(), 1 + used());
          }
          weights_.push_back(static_cast<int>(s.shape.elements()) == p.columns);
        }
      p.prologue = parameters;
      p.outputs = {fmt::format("x0 * ({}) + ({})", f_.scale, f_.shift)};
      gradients = {f_.scale};
    }
    forward_.emplace(device, p);
    // Backward: x (both, of a merge), the weights, dy, y in this order.
    const size_t dy = p.inputs.size();
    p.inputs.insert(p.inputs.end(), 2, In::matrix);
    p.prologue = parameters + fmt::format("const T y = x{};\n", dy + 1);
    backward_ = p;
    for (const std::string& g : gradients) gradients_.push_back(fmt::format("x{} * ({})", dy, g));
  }

  void forward(Queue& queue, const ForwardArgs& args) override {
    std::vector<Operand> in;
    for (size_t i = 0; i < std::min<size_t>(args.inputs.size(), 2); ++i)
      in.push_back(seen(args.inputs[i]));
    append(in, args);
    const Operand out[] = {args.outputs[0].operand()};
    forward_->run(queue, in, out);
    for (size_t i = 2; i < args.inputs.size(); ++i) {
      in = {out[0], args.inputs[i].operand()};
      forward_->run(queue, in, out);
    }
  }

  void backward(Queue& queue, const BackwardArgs& args) override {
    const Operand dy = args.output_gradients[0].operand();
    for (size_t i = 0; i < args.input_gradients.size(); ++i) {
      // What the plan does not save is replaced by dy: an expression that mentions it all the same
      // shows.
      std::vector<Operand> in(std::max<size_t>(1, f_.derivatives.size()), dy);
      if (plan_.saves_inputs)
        for (size_t j = 0; j < in.size(); ++j) in[j] = args.inputs[j].operand();
      append(in, args);
      in.push_back(dy);
      in.push_back(plan_.saves_outputs ? args.outputs[0].operand() : dy);
      const Operand out[] = {seen(args.input_gradients[i])};
      opencl::PointwiseProblem p = backward_;
      p.outputs = {gradients_[std::min(i, gradients_.size() - 1)]};
      p.accumulate = {args.accumulate_inputs};
      opencl::Pointwise(queue.device(), p).run(queue, in, out);
    }
  }

 private:
  size_t used() const { return std::count(weights_.begin(), weights_.end(), true); }
  template <class Args>
  void append(std::vector<Operand>& in, const Args& args) const {
    std::vector<Parameter> all(args.parameters.begin(), args.parameters.end());
    all.insert(all.end(), args.states.begin(), args.states.end());
    for (size_t i = 0; i < weights_.size(); ++i)
      if (weights_[i]) in.push_back(all[i].tensor.operand());
  }
  /// An identity may give the elements another shape.
  Operand seen(const Tensor& t) const {
    return t.shape == plan_.outputs[0] ? t.operand() : t.matrix(plan_.outputs[0].channels());
  }

  LayerPlan plan_;
  Pointwise f_;
  std::vector<bool> weights_;  ///< which of parameters and states are vectors of channels
  std::optional<opencl::Pointwise> forward_;
  opencl::PointwiseProblem backward_;
  std::vector<std::string> gradients_;
};

/// What goes into a run.
struct LayerData {
  std::vector<HostTensor> inputs, weights, output_gradients;  ///< weights: parameters, then states
  std::vector<HostTensor> epilogue;                           ///< operands of the offered stages
  std::vector<int32_t> origins, samples;
  RunContext run;
};

/// What comes out of it.
struct LayerResults {
  std::vector<std::vector<float>> outputs, states, input_gradients, parameter_gradients;
  bool operator==(const LayerResults& other) const {
    const auto same = [](const auto& a, const auto& b) {
      return std::equal(a.begin(), a.end(), b.begin(), b.end(), same_bits);
    };
    return same(outputs, other.outputs) && same(states, other.states) &&
           same(input_gradients, other.input_gradients) &&
           same(parameter_gradients, other.parameter_gradients);
  }
};

/// A layer compiled for a plan.
class LayerRunner {
 public:
  LayerRunner(Device& device, const Layer& layer, const LayerPlan& plan)
      : device_(device), plan_(plan) {
    if (plan.pointwise)
      op_ = std::make_unique<PointwiseOp>(device, plan);
    else
      op_ = layer.prepare(device, plan);
  }

  /// Fresh tensors, forward, and backward where the plan has gradients. With `before`, gradients
  /// are added to that number. Weights stay where they are from run to run; their version grows
  /// when the parameters are others than last time.
  LayerResults run(const LayerData& data, const Layout& layout, std::optional<float> before = {}) {
    return run(data, layout, before, false);
  }
  /// Contiguous, output 0 written over input 0.
  LayerResults run_in_place(const LayerData& data) { return run(data, {}, {}, true); }

 private:
  using List = std::deque<GuardedTensor>;
  struct Layouts {
    Layout in, out, flat;
  };

  LayerResults run(const LayerData& data, const Layout& layout, std::optional<float> before,
                   bool in_place) {
    const Layout in = plan_.strided_inputs ? layout : Layout{0, layout.offset};
    const Layout out = plan_.strided_outputs ? layout : Layout{0, layout.offset};
    const Layout flat{0, layout.offset};
    List inputs = make(data.inputs, in), epilogue = make(data.epilogue, layout);
    place_weights(data.weights, flat);
    List outputs = in_place ? inputs : make(plan_.outputs, out), saved = make(plan_.saved, flat);
    const size_t count = plan_.parameters.size();
    GuardedMatrix workspace(device_, 1, static_cast<int>((op_->workspace_bytes() + 3) / 4), 0, 0);
    std::vector<Operand> operands;
    for (const GuardedTensor& t : epilogue) operands.push_back(t.tensor().operand());

    ForwardArgs f;
    const std::vector<Tensor> in_t = tensors(inputs), out_t = tensors(outputs),
                              saved_t = tensors(saved);
    const std::vector<Parameter> all = parameters();
    f.inputs = in_t;
    f.outputs = out_t;
    f.parameters = std::span(all).first(count);
    f.states = std::span(all).subspan(count);
    f.saved = saved_t;
    f.workspace = workspace.operand().buffer;
    f.epilogue = operands;
    f.run = data.run;
    if (!data.origins.empty()) f.origins = test::upload(device_, data.origins);
    if (!data.samples.empty()) f.run.samples = test::upload(device_, data.samples);
    op_->forward(device_.compute(), f);

    LayerResults results;
    results.outputs = read(outputs);
    if (plan_.request.input_gradients || plan_.request.parameter_gradients)
      backward(results, data, f, {in, out, flat}, before);
    if (!in_place) check_untouched(inputs, data.inputs, "input");
    for (size_t i = 0; i < count; ++i)
      BOOST_CHECK(same_bits(weights_[i].matrix.values(), data.weights[i].values));
    for (size_t i = count; i < weights_.size(); ++i)
      results.states.push_back(weights_[i].matrix.values());
    read(saved);
    workspace.values();
    return results;
  }

  void backward(LayerResults& results, const LayerData& data, const ForwardArgs& f,
                const Layouts& layouts, std::optional<float> before) {
    std::vector<HostTensor> dx, dw;
    for (const Shape& s : plan_.request.inputs) dx.push_back(filled(s, before));
    for (const ParameterSpec& p : plan_.parameters) dw.push_back(filled(p.shape, before));
    List dy = make(data.output_gradients, layouts.out), input_gradients = make(dx, layouts.in),
         parameter_gradients = make(dw, layouts.flat);
    const std::vector<Tensor> dy_t = tensors(dy), dx_t = tensors(input_gradients),
                              dw_t = tensors(parameter_gradients);
    const std::vector<Tensor> no_inputs(f.inputs.size()), no_outputs(f.outputs.size());
    BackwardArgs b;
    b.inputs = plan_.saves_inputs ? f.inputs : no_inputs;
    b.outputs = plan_.saves_outputs ? f.outputs : no_outputs;
    b.output_gradients = dy_t;
    b.input_gradients = dx_t;
    b.parameters = f.parameters;
    b.states = f.states;
    if (plan_.request.parameter_gradients && plan_.request.trainable) b.parameter_gradients = dw_t;
    b.accumulate_inputs = b.accumulate_parameters = before.has_value();
    b.saved = f.saved;
    b.workspace = f.workspace;
    b.run = f.run;
    op_->backward(device_.compute(), b);
    results.input_gradients = read(input_gradients);
    if (!b.parameter_gradients.empty()) results.parameter_gradients = read(parameter_gradients);
    check_untouched(dy, data.output_gradients, "output gradient");
  }

  static HostTensor filled(const Shape& shape, std::optional<float> value) {
    return {shape, value ? std::vector<float>(shape.elements(), *value) : std::vector<float>()};
  }
  template <class Described>
  List make(const Described& described, const Layout& layout) {
    List list;
    for (const auto& d : described) {
      if constexpr (std::is_same_v<std::decay_t<decltype(d)>, Shape>)
        list.emplace_back(device_, d, layout);
      else
        list.emplace_back(device_, d.shape, layout, d.values);
    }
    return list;
  }
  static std::vector<Tensor> tensors(const List& list) {
    std::vector<Tensor> t;
    for (const GuardedTensor& g : list) t.push_back(g.tensor());
    return t;
  }
  void place_weights(const std::vector<HostTensor>& values, const Layout& layout) {
    const auto same = [](const HostTensor& a, const HostTensor& b) {
      return same_bits(a.values, b.values);
    };
    if (!std::equal(values.begin(), values.end(), placed_.begin(), placed_.end(), same)) ++version_;
    placed_ = values;
    if (weights_.size() != values.size() ||
        (!weights_.empty() && weights_[0].tensor().offset != layout.offset)) {
      weights_ = make(values, layout);
      return;
    }
    for (size_t i = 0; i < values.size(); ++i)
      device_.compute().write(weights_[i].tensor().buffer, layout.offset * sizeof(float),
                              values[i].values.data(), values[i].values.size() * sizeof(float));
  }
  std::vector<Parameter> parameters() {
    std::vector<Parameter> p;
    copies_.clear();
    for (const GuardedTensor& g : weights_) {
      copies_.emplace_back([t = g.tensor()] { return t; });
      p.push_back({g.tensor(), version_, &copies_.back()});
    }
    return p;
  }
  static std::vector<std::vector<float>> read(const List& list) {
    std::vector<std::vector<float>> values;
    for (const GuardedTensor& g : list) values.push_back(g.matrix.values());
    return values;
  }
  static void check_untouched(const List& list, const std::vector<HostTensor>& before,
                              const char* what) {
    for (size_t i = 0; i < before.size(); ++i)
      BOOST_CHECK_MESSAGE(same_bits(list[i].matrix.values(), before[i].values),
                          what << " " << i << " was changed");
  }

  Device& device_;
  LayerPlan plan_;
  std::unique_ptr<LayerOp> op_;
  List weights_;
  std::deque<PackedCopies> copies_;
  std::vector<HostTensor> placed_;
  uint64_t version_ = 0;
};

}  // namespace ocellus::test
