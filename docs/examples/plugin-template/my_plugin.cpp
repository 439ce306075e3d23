// A plugin: the layer BoxBlur, with a kernel of its own, the layer ChannelGain, with a weight and a
// class of Keras that it stands for, and the analyzer contrast. Copy and change.
#include "my_plugin_kernels.hpp"
#include "ocellus/core/analyzer.hpp"
#include "ocellus/core/layer.hpp"
#include "ocellus/core/plugin.hpp"
#include "ocellus/opencl/pointwise.hpp"
#include "ocellus/opencl/reduce.hpp"

using namespace ocellus;
struct BlurOptions {
  int radius = 1;
};

class BoxBlurOp : public LayerOp {
 public:
  BoxBlurOp(opencl::Device& device, const LayerPlan& plan, int radius)
      : epilogue_(plan.request.epilogue), radius_(radius), pad_(plan.request.halo ? 0 : radius) {
    const opencl::KernelSource& source = kernels::box_blur_cl();
    forward_ = device.kernel(source.with_preamble(opencl::generate(epilogue_)), "box_blur");
    if (plan.request.input_gradients) backward_ = device.kernel(source, "box_blur");
  }
  void forward(opencl::Queue& queue, const ForwardArgs& args) override {
    opencl::Arguments a = arguments(args.inputs[0], args.outputs[0], pad_, 0);
    append(a, epilogue_, args.epilogue);
    forward_.launch(queue, opencl::Range::of(args.outputs[0].shape.elements(), 64), a);
  }
  // The blur is symmetric: its gradient is the blurred gradient.
  void backward(opencl::Queue& queue, const BackwardArgs& args) override {
    const Tensor &dy = args.output_gradients[0], &dx = args.input_gradients[0];
    if (dx)
      backward_.launch(queue, opencl::Range::of(dx.shape.elements(), 64),
                       arguments(dy, dx, radius_, args.accumulate_inputs));
  }

 private:
  opencl::Arguments arguments(const Tensor& x, const Tensor& y, int pad, int add) const {
    opencl::Arguments a;
    a.add(x.buffer).add(x.offset).add(x.pixel_stride).add(x.shape[1]).add(x.shape[2]);
    a.add(y.buffer).add(y.offset).add(y.pixel_stride).add(y.shape[1]).add(y.shape[2]);
    return a.add(y.shape[3]).add(y.shape[0]).add(radius_).add(pad).add(add);
  }
  opencl::Epilogue epilogue_;
  int radius_, pad_;
  opencl::Kernel forward_, backward_;
};

class BoxBlur : public Layer {
 public:
  explicit BoxBlur(BlurOptions options) : radius_(options.radius) {}
  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1, 4);
    const Shape& x = request.inputs[0];
    const auto axis = request.halo ? opencl::Axis::valid : opencl::Axis::same;
    const int size = 2 * radius_ + 1;
    const opencl::Axis h = axis(x[1], size, 1, 1), w = axis(x[2], size, 1, 1);
    LayerPlan p;
    p.outputs = {{x[0], h.out, w.out, x[3]}};
    p.strided_inputs = p.strided_outputs = p.accepts_epilogue = true;
    p.window = Window::local(h, w);
    return p;
  }
  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    return std::make_unique<BoxBlurOp>(device, plan, radius_);
  }

 private:
  int radius_;
};

// The same in double, as naively as can be: tests and selftest compare with it.
std::vector<ReferenceTensor> blur_reference(const ReferenceCall& call) {
  const auto& [shape, x] = call.inputs[0];
  const int r = call.parameters.get("radius", 1), h = shape[1], w = shape[2], c = shape[3];
  ReferenceTensor y{shape, std::vector<double>(x.size())};
  for (int i = 0; i < shape.elements(); ++i)
    for (int a = -r; a <= r; ++a)
      for (int b = -r; b <= r; ++b) {
        const int row = i / c / w % h + a, column = i / c % w + b;
        if (row >= 0 && row < h && column >= 0 && column < w)
          y.values[i] += x[i + (a * w + b) * c] / ((2 * r + 1) * (2 * r + 1));
      }
  return {y};
}

struct GainOptions {
  double offset = 0;
};

// y = x * gain[c] + offset. In inference the plan says so and core fuses it into the layer before;
// this is what trains the gain.
class ChannelGainOp : public LayerOp {
 public:
  using Problem = opencl::PointwiseProblem;
  ChannelGainOp(opencl::Device& device, const LayerPlan& plan, double offset)
      : size_(plan.outputs[0].elements() * sizeof(float)),
        channels_(plan.outputs[0].channels()),
        forward_(device, problem(plan, Problem::Input::per_column, offset)),
        scale_(device, problem(plan, Problem::Input::per_column, 0)),
        add_(device, problem(plan, Problem::Input::per_column, 0, true)),
        product_(device, problem(plan, Problem::Input::matrix, 0)),
        sum_(device, opencl::Reduce::Op::sum_rows, plan.outputs[0].pixels(), channels_),
        add_sum_(device, opencl::Reduce::Op::sum_rows, plan.outputs[0].pixels(), channels_, 0,
                 true),
        sum_bytes_(std::max(sum_.workspace_bytes(), add_sum_.workspace_bytes())) {
    product_buffer_ = device.allocate(size_, "x * dy of ChannelGain");
  }
  size_t workspace_bytes() const override { return sum_bytes_; }
  void forward(opencl::Queue& queue, const ForwardArgs& args) override {
    run(forward_, queue, args.inputs[0].operand(), args.parameters[0].tensor.operand(),
        args.outputs[0].operand());
  }
  void backward(opencl::Queue& queue, const BackwardArgs& args) override {
    const opencl::Operand dy = args.output_gradients[0].operand();
    if (args.input_gradients[0])
      run(args.accumulate_inputs ? add_ : scale_, queue, dy, args.parameters[0].tensor.operand(),
          args.input_gradients[0].operand());
    if (args.parameter_gradients.empty()) return;
    const opencl::Operand product{product_buffer_, 0, static_cast<uint32_t>(channels_)};
    run(product_, queue, dy, args.inputs[0].operand(), product);
    (args.accumulate_parameters ? add_sum_ : sum_)
        .run(queue, product, args.parameter_gradients[0].operand(), args.workspace);
  }

 private:
  static Problem problem(const LayerPlan& plan, Problem::Input factor, double offset,
                         bool accumulate = false) {
    const std::string f = "x0 * x1 + (T)(" + std::to_string(offset) + "f)";
    return {plan.outputs[0].pixels(),
            plan.outputs[0].channels(),
            {Problem::Input::matrix, factor},
            {f},
            {accumulate},
            {},
            0,
            "channel_gain"};
  }
  static void run(opencl::Pointwise& kernel, opencl::Queue& queue, const opencl::Operand& a,
                  const opencl::Operand& b, const opencl::Operand& out) {
    const opencl::Operand in[] = {a, b}, to[] = {out};
    kernel.run(queue, in, to);
  }
  size_t size_;
  int channels_;
  opencl::Pointwise forward_, scale_, add_, product_;
  opencl::Reduce sum_, add_sum_;
  size_t sum_bytes_;
  opencl::Buffer product_buffer_;
};

class ChannelGain : public Layer {
 public:
  explicit ChannelGain(GainOptions options) : offset_(options.offset) {}
  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1);
    LayerPlan p;
    p.outputs = {request.inputs[0]};
    p.parameters = {{"gain", {request.inputs[0].channels()}, Role::gamma, "ones"}};
    p.window = Window::pointwise();
    p.strided_inputs = p.strided_outputs = true;
    p.saves_inputs = request.parameter_gradients;
    if (!request.parameter_gradients)
      p.pointwise = Pointwise::affine("p0", std::to_string(offset_) + "f");
    return p;
  }
  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    return std::make_unique<ChannelGainOp>(device, plan, offset_);
  }

 private:
  double offset_;
};

std::vector<ReferenceTensor> gain_reference(const ReferenceCall& call) {
  ReferenceTensor y = call.inputs[0];
  const std::vector<double>& gain = call.weights[0].values;
  for (size_t i = 0; i < y.values.size(); ++i)
    y.values[i] = y.values[i] * gain[i % gain.size()] + call.parameters.get("offset", 0.0);
  return {y};
}

struct ContrastOptions {
  int steps = 9;
  double lowest = 0.1;
};

// How sure the network stays of its target while the image turns grey.
class Contrast : public Analyzer {
 public:
  explicit Contrast(ContrastOptions options) : options_(options) {}
  AnalyzerNeeds needs() const override { return {.model = true, .images = true}; }
  Results run(AnalysisContext& context) const override {
    Curves curves{"Contrast", "contrast", "probability", {}};
    for (const AnalysisImage& image : context.images) {
      Array pixels = image.pixels.to_f32().reshaped(image.pixels.shape().batched(1));
      Curves::Series series;
      const int target = context.target_of(image, context.probabilities(pixels), series.name);
      for (int s = 0; s < options_.steps; ++s) {
        Array grey = pixels;
        const double contrast = 1 - (1 - options_.lowest) * s / (options_.steps - 1);
        for (float& v : grey.f32()) v = 127.5f + (v - 127.5f) * static_cast<float>(contrast);
        series.x.push_back(contrast);
        series.y.push_back(context.probabilities(grey).f32()[target]);
      }
      series.name = image.name + ", " + series.name;
      curves.series.push_back(series);
    }
    return {"contrast", "Probability against contrast", {curves}};
  }

 private:
  ContrastOptions options_;
};

void register_types(Registrar& r) {
  Parameters<BlurOptions> blur;
  blur.add("radius", &BlurOptions::radius, "pixels on each side of the middle").min(1);
  r.add<BoxBlur>("BoxBlur", "mean of a square window", blur).with_reference(blur_reference);
  Parameters<GainOptions> gain;
  gain.add("offset", &GainOptions::offset, "added after");
  r.add<ChannelGain>("ChannelGain", "a trained factor for every channel", gain)
      .with_reference(gain_reference)
      .claims("my_plugin>ChannelGain");  // @keras.saving.register_keras_serializable("my_plugin")
  Parameters<ContrastOptions> contrast;
  contrast.add("steps", &ContrastOptions::steps, "points of the curve").min(2);
  contrast.add("lowest", &ContrastOptions::lowest, "last contrast").min(0).max(1);
  r.add<Contrast>("contrast", "how sure the network stays while images turn grey", contrast);
}
OCELLUS_PLUGIN("my_plugin", "My plugin", "1.0", "Apache-2.0", register_types)
