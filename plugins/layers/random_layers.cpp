// Keras' random layers of which no augmenter makes the change: the identity in inference, as in
// Keras; training refuses them. And CenterCrop, which crops in training and inference alike.

#include <fmt/format.h>

#include "slice.hpp"
#include "strided_layer.hpp"

namespace ocellus::layers {
namespace {

class RandomLayer : public Layer {
 public:
  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1);
    if (request.training)
      throw ShapeError(
          "its random changes are not made here: replace it (--replace 'NAME=Activation()') and "
          "give augmentations to the training");
    return pointwise_plan(request, Pointwise::identity());
  }
};

struct CropOptions {
  int height = 1, width = 1;
};

class CenterCrop : public Layer {
 public:
  explicit CenterCrop(CropOptions options) : options_(options) {}

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1, 4);
    const Shape& x = request.inputs[0];
    if (x[1] < options_.height || x[2] < options_.width)
      throw ShapeError(
          fmt::format("images of {} x {} are smaller than the {} x {} that are cut out of them; "
                      "resize them before",
                      x[1], x[2], options_.height, options_.width));
    return op_plan(request, {x[0], options_.height, options_.width, x[3]});
  }
  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    const Shape &x = plan.request.inputs[0], &y = plan.outputs[0];
    return make_slice_op(
        device, plan,
        {{0, 1, y[0]}, {(x[1] - y[1]) / 2, 1, y[1]}, {(x[2] - y[2]) / 2, 1, y[2]}, {0, 1, y[3]}});
  }

 private:
  CropOptions options_;
};

/// Versions of Keras differ in what they do in inference; they agree where nothing is cropped.
class RandomCrop : public RandomLayer {
 public:
  explicit RandomCrop(CropOptions options) : options_(options) {}

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1, 4);
    const Shape& x = request.inputs[0];
    if (x[1] != options_.height || x[2] != options_.width)
      throw ShapeError(fmt::format(
          "versions of Keras do not agree on how images of {} x {} become {} x {} in inference: "
          "replace it by CenterCrop or Resizing",
          x[1], x[2], options_.height, options_.width));
    return RandomLayer::plan(request);
  }

 private:
  CropOptions options_;
};

Parameters<CropOptions> crop_parameters() {
  Parameters<CropOptions> p;
  p.add("height", &CropOptions::height, "rows that remain").min(1).required();
  p.add("width", &CropOptions::width, "columns that remain").min(1).required();
  return p;
}

}  // namespace

void register_random_layers(Registrar& r) {
  for (const char* name :
       {"RandomBrightness", "RandomColorDegeneration", "RandomColorJitter", "RandomContrast",
        "RandomElasticTransform", "RandomErasing", "RandomGaussianBlur", "RandomGrayscale",
        "RandomHeight", "RandomHue", "RandomInvert", "RandomPerspective", "RandomPosterization",
        "RandomRotation", "RandomSaturation", "RandomSharpness", "RandomShear", "RandomWidth",
        "RandomZoom"})
    r.add<RandomLayer>(name, "the identity; its random changes in training are not made here");
  r.add<CenterCrop>("CenterCrop", "the middle of an image", crop_parameters());
  r.add<RandomCrop>("RandomCrop", "the identity where images have its size already",
                    crop_parameters());
}

}  // namespace ocellus::layers
