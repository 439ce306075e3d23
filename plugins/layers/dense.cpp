// Dense: a fully connected layer on the last axis.
//
//   y = x kernel + bias;  input (N, ..., in) -> output (N, ..., units)
//   weights: kernel (in, units), bias (units)

#include <fmt/format.h>

#include <optional>

#include "layers.hpp"
#include "ocellus/opencl/gemm.hpp"
#include "ocellus/opencl/reduce.hpp"

namespace ocellus::layers {
namespace {

struct DenseOptions {
  int units = 1;
  bool use_bias = true;
  std::string kernel_initializer = "glorot_uniform", bias_initializer = "zeros";
};

class DenseOp : public LayerOp {
 public:
  DenseOp(opencl::Device& device, const LayerPlan& plan)
      : forward_(device, forward_problem(plan)),
        packed_(forward_.packed_bytes(), "gemm " + forward_.algorithm()) {
    const int rows = plan.outputs[0].pixels(), in = plan.parameters[0].shape[0],
              units = plan.parameters[0].shape[1];
    if (plan.request.input_gradients)  // dx (rows, in) = dy (rows, units) kernel'
      data_.emplace([&](bool accumulate) {
        return opencl::Gemm(device, {rows, in, units, false, true, accumulate, {}});
      });
    if (!plan.request.parameter_gradients) return;
    // dkernel (in, units) = x' dy
    weights_.emplace([&](bool accumulate) {
      return opencl::Gemm(device, {in, units, rows, true, false, accumulate, {}});
    });
    if (plan.parameters.size() > 1)
      bias_.emplace([&](bool a) {
        return opencl::Reduce(device, opencl::Reduce::Op::sum_rows, rows, units, 0, a);
      });
  }

  size_t workspace_bytes() const override {
    size_t bytes = forward_.workspace_bytes();
    if (data_) bytes = std::max(bytes, data_->workspace_bytes());
    if (weights_) bytes = std::max(bytes, weights_->workspace_bytes());
    if (bias_) bytes = std::max(bytes, bias_->workspace_bytes());
    return bytes;
  }

  std::vector<int> unread_parameters() const override {
    return !packed_ || data_ ? std::vector<int>{} : std::vector<int>{0};
  }

  std::string forward_algorithm() const override { return forward_.algorithm(); }
  std::string backward_algorithm() const override { return algorithms_of(data_, weights_); }

  void forward(opencl::Queue& queue, const ForwardArgs& args) override {
    const opencl::Operand x = args.inputs[0].operand(), y = args.outputs[0].operand();
    const std::vector<opencl::Operand> epilogue = epilogue_operands(args);
    const Parameter& kernel = args.parameters[0];
    if (!packed_)
      return forward_.run(queue, x, kernel.tensor.operand(), y, epilogue, args.workspace);
    const opencl::Buffer packed = packed_.of(
        queue, kernel,
        [&](const opencl::Operand& k, const opencl::Buffer& to) { forward_.pack(queue, k, to); });
    forward_.run_packed(queue, x, packed, y, epilogue, args.workspace);
  }

  void backward(opencl::Queue& queue, const BackwardArgs& args) override {
    const opencl::Operand dy = args.output_gradients[0].operand();
    if (args.input_gradients[0])
      (*data_)(args.accumulate_inputs)
          .run(queue, dy, args.parameters[0].tensor.operand(), args.input_gradients[0].operand(),
               {}, args.workspace);
    if (args.parameter_gradients.empty()) return;
    (*weights_)(args.accumulate_parameters)
        .run(queue, args.inputs[0].operand(), dy, args.parameter_gradients[0].operand(), {},
             args.workspace);
    if (bias_)
      (*bias_)(args.accumulate_parameters)
          .run(queue, dy, args.parameter_gradients[1].operand(), args.workspace);
  }

 private:
  static opencl::GemmProblem forward_problem(const LayerPlan& plan) {
    const Shape& kernel = plan.parameters[0].shape;
    return {plan.outputs[0].pixels(), kernel[1], kernel[0], false, false, false,
            biased_epilogue(plan)};
  }

  opencl::Gemm forward_;
  std::optional<Overwriting<opencl::Gemm>> data_, weights_;
  std::optional<Overwriting<opencl::Reduce>> bias_;
  Packed packed_;
};

class Dense : public Layer {
 public:
  explicit Dense(DenseOptions options) : options_(std::move(options)) {}

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1);
    const Shape& x = request.inputs[0];
    if (x.rank() < 2)
      throw ShapeError(fmt::format("takes an input with a batch and features, got {}", x.str()));
    LayerPlan p;
    p.request = request;
    p.outputs = {x};
    p.outputs[0].set(-1, options_.units);
    p.parameters = {{"kernel", {x[-1], options_.units}, Role::kernel, options_.kernel_initializer}};
    if (options_.use_bias)
      p.parameters.push_back({"bias", {options_.units}, Role::bias, options_.bias_initializer});
    p.saves_inputs = request.parameter_gradients;
    p.multiply_adds = 1.0 * x.elements() * options_.units;
    p.strided_inputs = p.strided_outputs = p.accepts_epilogue = true;
    // On images it is a convolution by one pixel.
    if (x.rank() > 2) p.window = Window::pointwise();
    return p;
  }

  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    return std::make_unique<DenseOp>(device, plan);
  }

 private:
  DenseOptions options_;
};

}  // namespace

void register_dense(Registrar& r) {
  Parameters<DenseOptions> p;
  p.add("units", &DenseOptions::units, "number of outputs").min(1).required();
  p.add("use_bias", &DenseOptions::use_bias, "add a number per output");
  p.add("kernel_initializer", &DenseOptions::kernel_initializer, "first values of the kernel");
  p.add("bias_initializer", &DenseOptions::bias_initializer, "first values of the bias");
  r.add<Dense>("Dense", "fully connected layer", std::move(p)).with_activation();
}

}  // namespace ocellus::layers
