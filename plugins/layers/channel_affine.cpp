#include "channel_affine.hpp"

#include <fmt/format.h>

#include "ocellus/opencl/pointwise.hpp"

namespace ocellus::layers {
namespace {

using Input = opencl::PointwiseProblem::Input;

class ChannelAffineOp : public LayerOp {
 public:
  ChannelAffineOp(opencl::Device& device, const LayerPlan& plan, const std::vector<double>& scale,
                  const std::vector<double>& shift)
      : channels_(plan.outputs[0].channels()),
        constants_(device.allocate(2 * channels_ * sizeof(float), "numbers of Rescaling")),
        forward_(device, {plan.outputs[0].pixels(),
                          channels_,
                          {Input::matrix, Input::per_column, Input::per_column},
                          {"x0 * x1 + x2"},
                          {},
                          {},
                          0,
                          "channel_affine"}),
        backward_([&](bool accumulate) {
          return opencl::Pointwise(device, {plan.outputs[0].pixels(),
                                            channels_,
                                            {Input::matrix, Input::per_column},
                                            {"x0 * x1"},
                                            {accumulate},
                                            {},
                                            0,
                                            "channel_affine_backward"});
        }) {
    std::vector<float> values(scale.begin(), scale.end());
    values.insert(values.end(), shift.begin(), shift.end());
    device.compute().write(constants_, 0, values.data(), values.size() * sizeof(float));
  }

  void forward(opencl::Queue& queue, const ForwardArgs& args) override {
    const opencl::Operand inputs[] = {args.inputs[0].operand(), constant(0), constant(1)};
    const opencl::Operand outputs[] = {args.outputs[0].operand()};
    forward_.run(queue, inputs, outputs);
  }
  void backward(opencl::Queue& queue, const BackwardArgs& args) override {
    if (!args.input_gradients[0]) return;
    const opencl::Operand inputs[] = {args.output_gradients[0].operand(), constant(0)};
    const opencl::Operand outputs[] = {args.input_gradients[0].operand()};
    backward_(args.accumulate_inputs).run(queue, inputs, outputs);
  }

 private:
  opencl::Operand constant(int row) const {
    return {constants_, static_cast<uint32_t>(row * channels_), static_cast<uint32_t>(channels_)};
  }

  int channels_;
  opencl::Buffer constants_;
  opencl::Pointwise forward_;
  Overwriting<opencl::Pointwise> backward_;
};

}  // namespace

ChannelAffine::ChannelAffine(std::vector<double> scale, std::vector<double> shift)
    : scale_(std::move(scale)), shift_(std::move(shift)) {
  const size_t n = std::max(scale_.size(), shift_.size());
  for (auto* v : {&scale_, &shift_}) {
    if (v->size() == 1) v->resize(n, v->front());
    if (v->size() != n)
      throw UsageError(
          fmt::format("lists of {} and {} numbers, a number a channel, do not fit each other",
                      scale_.size(), shift_.size()));
  }
}

std::vector<double> ChannelAffine::numbers(const Json& value, const std::string& parameter) {
  std::vector<double> list;
  if (value.is_number()) list.push_back(value.as_double());
  if (value.is_list())
    for (const Json& v : value.as_list())
      if (v.is_number()) list.push_back(v.as_double());
  if (list.empty() || (value.is_list() && value.size() != list.size()))
    throw UsageError(fmt::format("parameter '{}': expected a number or a list of numbers, found {}",
                                 parameter, value.dump()));
  return list;
}

LayerPlan ChannelAffine::plan(const PlanRequest& request) const {
  expect_inputs(request, 1);
  LayerPlan p = pointwise_plan(request, {});
  if (scale_.size() == 1)
    p.pointwise = Pointwise::affine(literal(scale_[0]), literal(shift_[0]));
  else if (static_cast<int>(scale_.size()) != request.inputs[0].channels())
    throw ShapeError(fmt::format("has numbers for {} channels, the input {} has {}", scale_.size(),
                                 request.inputs[0].str(), request.inputs[0].channels()));
  return p;
}

std::unique_ptr<LayerOp> ChannelAffine::prepare(opencl::Device& device,
                                                const LayerPlan& plan) const {
  return std::make_unique<ChannelAffineOp>(device, plan, scale_, shift_);
}

}  // namespace ocellus::layers
