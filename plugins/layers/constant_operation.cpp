// ConstantOperation: y = f(x, value) or, in the reverse_ forms, f(value, x): the arithmetic with
// constants that graphs hold. `value` is a number, or a list with a number for every channel.

#include <fmt/format.h>

#include <string_view>
#include <vector>

#include "binary_function.hpp"
#include "channel_affine.hpp"
#include "strided_layer.hpp"

namespace ocellus::layers {
namespace {

struct ConstantOperationOptions {
  std::string operation;
  Json value;
};

constexpr std::string_view reverse = "reverse_";

/// A constant for every channel: x0 is x, x1 the constants, x2 (backward) dy.
class ChannelConstantOp : public LayerOp {
 public:
  ChannelConstantOp(opencl::Device& device, const LayerPlan& plan, const std::string& f,
                    const std::string& derivative, const std::vector<double>& values)
      : constants_(device.allocate(values.size() * sizeof(float), "numbers of ConstantOperation")),
        forward_(device, problem(plan, "constant_operation", f, false)),
        backward_([&](bool accumulate) {
          return opencl::Strided(device, problem(plan, "constant_operation_backward",
                                                 "x2 * (" + derivative + ")", accumulate));
        }) {
    const std::vector<float> v(values.begin(), values.end());
    device.compute().write(constants_, 0, v.data(), v.size() * sizeof(float));
  }

  void forward(opencl::Queue& queue, const ForwardArgs& args) override {
    const opencl::Operand x = args.inputs[0].operand();
    const opencl::Operand in[] = {x, {constants_}, x};
    forward_.run(queue, in, args.outputs[0].operand());
  }
  void backward(opencl::Queue& queue, const BackwardArgs& args) override {
    if (!args.input_gradients[0]) return;
    const opencl::Operand in[] = {
        args.inputs[0].operand(), {constants_}, args.output_gradients[0].operand()};
    backward_(args.accumulate_inputs).run(queue, in, args.input_gradients[0].operand());
  }

 private:
  static opencl::StridedProblem problem(const LayerPlan& plan, const char* name,
                                        const std::string& expression, bool accumulate) {
    const Shape& shape = plan.outputs[0];
    const Strides x = strides_of(shape);
    Strides constant(shape.rank());
    constant.back() = 1;
    opencl::StridedProblem p{extents_of(shape), {x, constant, x}, x, expression};
    p.accumulate = accumulate;
    p.name = name;
    return p;
  }

  opencl::Buffer constants_;
  opencl::Strided forward_;
  Overwriting<opencl::Strided> backward_;
};

class ConstantOperation : public Layer {
 public:
  explicit ConstantOperation(const ConstantOperationOptions& o)
      : reversed_(o.operation.starts_with(reverse)),
        function_(binary_function(reversed_ ? o.operation.substr(reverse.size()) : o.operation)),
        values_(ChannelAffine::numbers(o.value, "value")) {}

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1);
    const Shape& x = request.inputs[0];
    if (values_.size() == 1) {
      const std::string constant = "((T)(" + literal(values_[0]) + "))";
      return pointwise_plan(request,
                            Pointwise::map(value("x", constant), derivative("x", constant)), true);
    }
    if (static_cast<int>(values_.size()) != x.channels())
      throw ShapeError(fmt::format("has numbers for {} channels, the input {} has {}",
                                   values_.size(), x.str(), x.channels()));
    LayerPlan p = op_plan(request, x);
    p.saves_inputs = true;
    p.in_place = true;
    p.window = Window::pointwise();
    return p;
  }

  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    return std::make_unique<ChannelConstantOp>(device, plan, value("x0", "x1"),
                                               derivative("x0", "x1"), values_);
  }

 private:
  std::string value(const std::string& x, const std::string& constant) const {
    return reversed_ ? function_.value(constant, x) : function_.value(x, constant);
  }
  std::string derivative(const std::string& x, const std::string& constant) const {
    return reversed_ ? function_.derivative(1, constant, x) : function_.derivative(0, x, constant);
  }

  bool reversed_;
  const BinaryFunction& function_;
  std::vector<double> values_;
};

}  // namespace

void register_constant_operation(Registrar& r) {
  Parameters<ConstantOperationOptions> p;
  p.add("operation", &ConstantOperationOptions::operation,
        "what is done with x and value; reverse: value comes first")
      .one_of({"add", "subtract", "reverse_subtract", "multiply", "divide", "reverse_divide",
               "power", "reverse_power", "maximum", "minimum"})
      .required();
  p.add("value", &ConstantOperationOptions::value, "a number, or one a channel").required();
  r.add<ConstantOperation>("ConstantOperation", "arithmetic with a constant", std::move(p));
}

}  // namespace ocellus::layers
