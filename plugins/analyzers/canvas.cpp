#include "canvas.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "data.hpp"
#include "embedding.hpp"

namespace ocellus::analyzers {
namespace {

class Adam {
 public:
  Adam(size_t n, double rate) : rate_(rate), first_(n), second_(n) {}
  /// Steps shrink to a tenth in the course of the work, so that the end is calm.
  void begin(double done) {
    ++steps_;
    now_ = rate_ * (1 - 0.9 * done);
    correct_first_ = 1 - std::pow(beta1, steps_);
    correct_second_ = 1 - std::pow(beta2, steps_);
  }
  double move(size_t i, double gradient) {
    first_[i] = beta1 * first_[i] + (1 - beta1) * gradient;
    second_[i] = beta2 * second_[i] + (1 - beta2) * gradient * gradient;
    return now_ * first_[i] / correct_first_ / (std::sqrt(second_[i] / correct_second_) + 1e-8);
  }

 private:
  static constexpr double beta1 = 0.9, beta2 = 0.999;
  double rate_, now_ = 0, correct_first_ = 1, correct_second_ = 1;
  int steps_ = 0;
  std::vector<double> first_, second_;
};

/// Gaussian smoothing of (N, H, W, C) in place, zero outside.
void smooth(Array& a, double sigma) {
  if (sigma < 0.3) return;
  const int n = a.shape()[0], h = a.shape()[1], w = a.shape()[2], channels = a.shape()[3],
            radius = static_cast<int>(std::ceil(3 * sigma));
  std::vector<float> weights(radius + 1);
  for (int d = 0; d <= radius; ++d)
    weights[d] = static_cast<float>(std::exp(-d * d / (2 * sigma * sigma)));
  const float total = 2 * std::accumulate(weights.begin() + 1, weights.end(), 0.0f) + weights[0];
  for (const bool vertical : {true, false}) {
    const Array from = a;
    const auto at = [&](int i, int y, int x) {
      return ((static_cast<size_t>(i) * h + y) * w + x) * channels;
    };
    for (int i = 0; i < n; ++i)
      for (int y = 0; y < h; ++y)
        for (int x = 0; x < w; ++x)
          for (int c = 0; c < channels; ++c) {
            float sum = 0;
            const int place = vertical ? y : x, extent = vertical ? h : w;
            for (int d = std::max(-radius, -place); d <= std::min(radius, extent - 1 - place); ++d)
              sum += weights[std::abs(d)] *
                     from.f32()[(vertical ? at(i, y + d, x) : at(i, y, x + d)) + c];
            a.f32()[at(i, y, x) + c] = sum / total;
          }
  }
}

/// Adds -weight * gradient of sum (difference of neighbours)^2 / 2: the smooth total variation.
void add_variation(const Array& x, double weight, Array& gradient) {
  const int n = x.shape()[0], h = x.shape()[1], w = x.shape()[2], channels = x.shape()[3];
  const auto pair = [&](size_t a, size_t b) {
    const float d = static_cast<float>(weight) * (x.f32()[a] - x.f32()[b]);
    gradient.f32()[a] -= d;
    gradient.f32()[b] += d;
  };
  for (int i = 0; i < n; ++i)
    for (int y = 0; y < h; ++y)
      for (int col = 0; col < w; ++col)
        for (int c = 0; c < channels; ++c) {
          const size_t at = ((static_cast<size_t>(i) * h + y) * w + col) * channels + c;
          if (col + 1 < w) pair(at, at + channels);
          if (y + 1 < h) pair(at, at + static_cast<size_t>(w) * channels);
        }
}

class PixelCanvas final : public Canvas {
 public:
  PixelCanvas(const Shape& shape, const std::vector<double>& neutral,
              const PixelCanvasOptions& options, Random& random)
      : shape_(shape),
        neutral_(neutral),
        options_(options),
        values_(static_cast<size_t>(shape.elements())),
        adam_(values_.size(), options.rate) {
    for (size_t i = 0; i < values_.size(); ++i) {
      // Away from the ends of the range, where the sigmoid would hold the pixel fast.
      const double start = std::clamp(neutral_[i % neutral_.size()], 0.12, 0.88);
      values_[i] = std::log(start / (1 - start)) + 0.1 * random.normal();
    }
  }

  Array images() const override {
    Array x(shape_, DType::f32);
    for (size_t i = 0; i < values_.size(); ++i)
      x.f32()[i] = static_cast<float>(1 / (1 + std::exp(-values_[i])));
    return x;
  }

  void step(Array& gradient, const Array& images, double done) override {
    smooth(gradient, options_.blur * std::max(shape_[1], shape_[2]) * (1 - done));
    const size_t item = values_.size() / shape_[0];
    for (size_t first = 0; first < values_.size(); first += item) {
      const auto g = gradient.f32().subspan(first, item);
      const double size = std::sqrt(std::inner_product(g.begin(), g.end(), g.begin(), 0.0) /
                                    static_cast<double>(item));
      if (size > 0)
        for (float& v : g) v = static_cast<float>(v / size);
    }
    add_variation(images, options_.variation, gradient);
    adam_.begin(done);
    for (size_t i = 0; i < values_.size(); ++i) {
      const double x = images.f32()[i],
                   g = gradient.f32()[i] - options_.distance * (x - neutral_[i % neutral_.size()]);
      values_[i] = std::clamp(values_[i] + adam_.move(i, g * x * (1 - x)), -6.0, 6.0);
    }
  }

  void shake(int n, Random& random) override {
    const size_t item = values_.size() / shape_[0];
    for (size_t i = 0; i < item; ++i) values_[n * item + i] += 0.5 * random.normal();
  }

 private:
  Shape shape_;
  std::vector<double> neutral_;
  PixelCanvasOptions options_;
  std::vector<double> values_;
  Adam adam_;
};

class PriorCanvas final : public Canvas {
 public:
  PriorCanvas(int images, ImagePrior prior, double rate, double distance, Random& random)
      : images_(images),
        axes_(prior.axes.shape()[0]),
        prior_(std::move(prior)),
        distance_(distance),
        z_(static_cast<size_t>(images) * axes_),
        adam_(z_.size(), rate) {
    for (double& v : z_) v = 0.1 * random.normal();
  }

  Array images() const override {
    Array x = unclamped();
    for (float& v : x.f32()) v = std::clamp(v, 0.0f, 1.0f);
    return x;
  }

  // Where a pixel was clamped, the gradient passes as if it had not been, and a pull leads back
  // into range: else the image could leave it for good.
  void step(Array& gradient, const Array& images, double done) override {
    constexpr float pull = 10;
    const Array x = unclamped();
    for (size_t i = 0; i < x.f32().size(); ++i)
      gradient.f32()[i] -= pull * (x.f32()[i] - images.f32()[i]);
    const size_t pixels = prior_.mean.f32().size();
    adam_.begin(done);
    for (size_t i = 0; i < z_.size(); ++i) {
      const auto g = gradient.f32().subspan(i / axes_ * pixels, pixels),
                 axis = prior_.axes.f32().subspan(i % axes_ * pixels, pixels);
      z_[i] += adam_.move(
          i, std::inner_product(g.begin(), g.end(), axis.begin(), 0.0) - distance_ * z_[i]);
    }
  }

  void shake(int n, Random& random) override {
    for (int k = 0; k < axes_; ++k) z_[static_cast<size_t>(n) * axes_ + k] += random.normal();
  }

 private:
  Array unclamped() const {
    const size_t pixels = prior_.mean.f32().size();
    Array x(prior_.mean.shape().batched(images_), DType::f32);
    for (int n = 0; n < images_; ++n) {
      const auto image = x.f32().subspan(n * pixels, pixels);
      std::ranges::copy(prior_.mean.f32(), image.begin());
      for (int k = 0; k < axes_; ++k) {
        const auto z = static_cast<float>(z_[static_cast<size_t>(n) * axes_ + k]);
        const auto axis = prior_.axes.f32().subspan(k * pixels, pixels);
        for (size_t i = 0; i < pixels; ++i) image[i] += z * axis[i];
      }
    }
    return x;
  }

  int images_, axes_;
  ImagePrior prior_;
  double distance_;
  std::vector<double> z_;
  Adam adam_;
};

}  // namespace

std::unique_ptr<Canvas> pixel_canvas(const Shape& shape, const std::vector<double>& neutral,
                                     const PixelCanvasOptions& options, Random& random) {
  return std::make_unique<PixelCanvas>(shape, neutral, options, random);
}

std::unique_ptr<Canvas> prior_canvas(int images, ImagePrior prior, double rate, double distance,
                                     Random& random) {
  return std::make_unique<PriorCanvas>(images, std::move(prior), rate, distance, random);
}

ImagePrior image_prior(const AnalysisContext& context, int components) {
  constexpr int most_items = 1000;
  const std::vector<int64_t> indices = spread(context.dataset->size(), most_items);
  const int n = static_cast<int>(indices.size());
  const Shape item = context.dataset->item_shape();
  const auto pixels = static_cast<size_t>(item.elements());
  Array x(Shape{n, static_cast<int>(pixels)}, DType::f32);
  for_each_chunk(
      context, indices, 256, "images of the data set", [&](const Samples& samples, int64_t first) {
        const Array some = samples.images.to_f32();
        std::ranges::transform(some.f32(),
                               x.f32().begin() + static_cast<std::ptrdiff_t>(first * pixels),
                               [](float v) { return v / 255; });
      });
  ImagePrior prior{Array(item, DType::f32), {}};
  for (size_t i = 0; i < x.f32().size(); ++i)
    prior.mean.f32()[i % pixels] += x.f32()[i] / static_cast<float>(n);
  for (size_t i = 0; i < x.f32().size(); ++i) x.f32()[i] -= prior.mean.f32()[i % pixels];

  const int k = std::min({components, n - 1, static_cast<int>(pixels)});
  if (k < 1) throw DataError("the data set has too few images to tell how they vary");
  const Array scores = principal_components(context.device(), x, k, context.seed);
  // X^T s is the axis of scores s times |s|^2; the deviation along it is |s| / sqrt(n).
  prior.axes = Array(Shape{k, static_cast<int>(pixels)}, DType::f32);
  for (int a = 0; a < k; ++a) {
    double squares = 0;
    for (int i = 0; i < n; ++i)
      squares += std::pow(scores.f32()[static_cast<size_t>(i) * k + a], 2);
    if (squares == 0) continue;
    const auto axis = prior.axes.f32().subspan(a * pixels, pixels);
    for (int i = 0; i < n; ++i) {
      const auto weight =
          static_cast<float>(scores.f32()[static_cast<size_t>(i) * k + a] / std::sqrt(squares * n));
      for (size_t p = 0; p < pixels; ++p) axis[p] += weight * x.f32()[i * pixels + p];
    }
  }
  return prior;
}

}  // namespace ocellus::analyzers
