// Resizing: an image of given extents, (N, H, W, C) -> (N, height, width, C).
//
// interpolation "bilinear" mixes the four pixels round a place, "nearest" takes the pixel that it
// lies in; pixel centres lie at halves, and nothing is smoothed where the image shrinks, as
// TensorFlow 2 and Keras do without antialias. crop_to_aspect_ratio first cuts the largest box of
// the new shape out of the middle; pad_to_aspect_ratio first puts the image into the middle of the
// smallest box of that shape, filled with fill_value.

#include "image.hpp"
#include "layers.hpp"
#include "resampling.hpp"

namespace ocellus::layers {
namespace {

struct ResizingOptions {
  int height = 1, width = 1;
  std::string interpolation = "bilinear";
  bool crop_to_aspect_ratio = false, pad_to_aspect_ratio = false;
  std::string fill_mode = "constant";
  double fill_value = 0;
  bool antialias = false;
};

class Resizing : public Layer {
 public:
  explicit Resizing(ResizingOptions options) : options_(std::move(options)) {
    if (options_.antialias)
      throw UsageError(
          "antialias = true is not supported; set it to false, or shrink the images "
          "before the network");
    if (options_.crop_to_aspect_ratio && options_.pad_to_aspect_ratio)
      throw UsageError("crop_to_aspect_ratio and pad_to_aspect_ratio exclude each other");
  }

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1, 4);
    const Shape& x = request.inputs[0];
    LayerPlan p;
    p.request = request;
    p.outputs = {{x[0], options_.height, options_.width, x[3]}};
    p.strided_inputs = p.strided_outputs = true;
    return p;
  }

  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    const Shape& x = plan.request.inputs[0];
    const ResizingOptions& o = options_;
    // Extents of a box of the new shape inside or round the image.
    const bool pad = o.pad_to_aspect_ratio;
    int h = x[1], w = x[2];
    if (o.crop_to_aspect_ratio || pad) {
      h = box(x[1], x[2], o.height, o.width, pad);
      w = box(x[2], x[1], o.width, o.height, pad);
    }
    return std::make_unique<ResamplingOp>(device, plan, axis(h, o.height, x[1]),
                                          axis(w, o.width, x[2]), static_cast<float>(o.fill_value));
  }

 private:
  /// As Keras: extents are truncated, and both margins of a padded image are the same.
  static int box(int extent, int other, int target, int other_target, bool pad) {
    const int fitting = static_cast<int>(int64_t{other} * target / other_target);
    if (!pad) return std::clamp(fitting, 1, extent);
    return extent + std::max(0, fitting - extent) / 2 * 2;
  }

  opencl::ResampleAxis axis(int box, int out, int in) const {
    const int start = (in - box) / 2;
    return (options_.interpolation == "bilinear" ? opencl::ResampleAxis::linear(box, out)
                                                 : opencl::ResampleAxis::nearest(box, out))
        .within(start, in);
  }

  ResizingOptions options_;
};

}  // namespace

void register_resizing(Registrar& r) {
  using Options = ResizingOptions;
  Parameters<Options> p;
  p.add("height", &Options::height, "rows of the output").min(1).required();
  p.add("width", &Options::width, "columns of the output").min(1).required();
  p.add("interpolation", &Options::interpolation, "what stands between the pixels")
      .one_of({"bilinear", "nearest"});
  p.add("crop_to_aspect_ratio", &Options::crop_to_aspect_ratio,
        "cut off what does not fit the new shape, instead of distorting");
  p.add("pad_to_aspect_ratio", &Options::pad_to_aspect_ratio,
        "fill up to the new shape, instead of distorting");
  p.add("fill_mode", &Options::fill_mode, "what pad_to_aspect_ratio fills with")
      .one_of({"constant"});
  p.add("fill_value", &Options::fill_value, "that constant");
  p.add("antialias", &Options::antialias, "smooth where the image shrinks: not supported");
  r.add<Resizing>("Resizing", "an image of given extents", std::move(p));
}

}  // namespace ocellus::layers
