// Input: where data enter the network; shape without batch, e.g. [28, 28, 1]. An extent of -1 is
// open: the model says it when it is opened.

#include <fmt/format.h>

#include "layers.hpp"

namespace ocellus::layers {
namespace {

struct InputOptions {
  std::vector<int> shape;
};

class Input : public Layer {
 public:
  explicit Input(InputOptions options) : options_(std::move(options)) {}

  /// Without inputs: the shape for batch 1. With one, the identity: a network cut open at its
  /// input.
  LayerPlan plan(const PlanRequest& request) const override {
    for (const int extent : options_.shape)
      if (extent < 1) refuse_open_size();
    const Shape shape(options_.shape);
    if (request.inputs.empty()) {
      LayerPlan p;
      p.request = request;
      p.outputs = {shape.batched(1)};
      p.window = Window::pointwise();
      return p;
    }
    expect_inputs(request, 1);
    if (request.inputs[0].rank() == 0 || request.inputs[0].without_batch() != shape)
      throw ShapeError(fmt::format("stands for images of shape {}, got a batch of shape {}",
                                   shape.str(), request.inputs[0].str()));
    return pointwise_plan(request, Pointwise::identity());
  }

 private:
  [[noreturn]] void refuse_open_size() const {
    std::string shape, example;
    for (const int extent : options_.shape) {
      const std::string text = extent < 1 ? "?" : std::to_string(extent);
      shape += (shape.empty() ? "" : "x") + text;
      example += (example.empty() ? "" : "x") + (extent < 1 ? "224" : text);
    }
    throw ShapeError(
        fmt::format("has an open size, {}: give the whole, --input-shape {}", shape, example));
  }

  InputOptions options_;
};

}  // namespace

void register_input(Registrar& r) {
  Parameters<InputOptions> p;
  p.add("shape", &InputOptions::shape, "shape of one item: height, width, channels; -1: open")
      .min(-1)
      .required();
  r.add<Input>("Input", "where data enter the network", std::move(p)).claims("InputLayer");
}

}  // namespace ocellus::layers
