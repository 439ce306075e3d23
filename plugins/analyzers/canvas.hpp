#pragma once

#include <memory>
#include <vector>

#include "ocellus/core/analyzer.hpp"
#include "ocellus/core/random.hpp"

namespace ocellus::analyzers {

/// Images under optimization by Adam (Kingma and Ba, ICLR 2015). How they are parametrized decides
/// which images can come out.
class Canvas {
 public:
  virtual ~Canvas() = default;
  /// (N, H, W, C) in 0..1.
  virtual Array images() const = 0;
  /// One step uphill; `gradient` is that of the objectives by images(), and may be changed. `done`
  /// in 0..1 is the share of all steps.
  virtual void step(Array& gradient, const Array& images, double done) = 0;
  /// Moves image n to another place at random: its unit is dead where it stands.
  virtual void shake(int n, Random& random) = 0;
};

struct PixelCanvasOptions {
  double rate = 0.05;
  double blur = 0.05;      ///< smoothing of the gradient at the start, as a share of the side; it
                           ///< shrinks to nothing
  double variation = 0.3;  ///< weight of the penalty on total variation
  double distance = 1;     ///< weight of the penalty on distance from the neutral image
};
/// Each pixel by itself, held as the sigmoid of a number, near `neutral` (0..1, a channel) at
/// first. Gradients are smoothed and brought to size 1 an image, so that the penalties weigh alike
/// for every network and unit.
std::unique_ptr<Canvas> pixel_canvas(const Shape& shape, const std::vector<double>& neutral,
                                     const PixelCanvasOptions& options, Random& random);

/// The images of a data set as a normal distribution: mean and principal axes, each as long as its
/// standard deviation.
struct ImagePrior {
  Array mean;  ///< f32 (H, W, C), 0..1
  Array axes;  ///< f32 (K, H * W * C)
};
/// From items spread over the context's data set. Throws DataError where they hold nothing that
/// varies.
ImagePrior image_prior(const AnalysisContext& context, int components);
/// mean + sum z_k axis_k, with the penalty distance * |z|^2 / 2: for a class's logit this seeks the
/// most probable image of the class.
std::unique_ptr<Canvas> prior_canvas(int images, ImagePrior prior, double rate, double distance,
                                     Random& random);

}  // namespace ocellus::analyzers
