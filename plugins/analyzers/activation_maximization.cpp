// activation_maximization: images that a network takes for the very essence of a class, or that excite a channel most. Gradient ascent
// on the pixels from near the neutral image (D. Erhan et al., 2009; K. Simonyan et al., 2014), kept natural by jitter (A. Mordvintsev et
// al., 2015), by smoothing the gradient, coarse at first and ever finer, and by penalties on total variation and on distance from neutral.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "analyzers.hpp"
#include "ocellus/core/random.hpp"

namespace ocellus::analyzers {
namespace {

struct Options {
  std::optional<LayerName> layer;
  std::vector<int> units;
  std::string objective = "channel";
  int steps = 256;
  double rate = 0.05;
  std::optional<int> jitter;
  double blur = 0.05;
  double variation = 0.3, distance = 0.1;
};

/// Images (N, H, W, C) in 0..1, held as sigmoid(values) so that every step stays in range.
struct Canvas {
  Shape shape;
  std::vector<double> values, first, second;  ///< parameters and Adam's moments
  std::vector<double> neutral;                ///< a channel

  size_t item() const { return static_cast<size_t>(shape.without_batch().elements()); }
  Array images() const {
    Array x(shape, DType::f32);
    for (size_t i = 0; i < values.size(); ++i) x.f32()[i] = static_cast<float>(1 / (1 + std::exp(-values[i])));
    return x;
  }
};

/// out(y, x) = in(y + dy, x + dx); what comes from outside is `outside[c]`.
Array shifted(const Array& in, int dy, int dx, const std::vector<double>& outside) {
  const int n = in.shape()[0], h = in.shape()[1], w = in.shape()[2], channels = in.shape()[3];
  Array out(in.shape(), DType::f32);
  for (int i = 0; i < n; ++i)
    for (int y = 0; y < h; ++y)
      for (int x = 0; x < w; ++x) {
        const int from_y = y + dy, from_x = x + dx;
        const bool inside = from_y >= 0 && from_y < h && from_x >= 0 && from_x < w;
        const size_t to = ((static_cast<size_t>(i) * h + y) * w + x) * channels, from = ((static_cast<size_t>(i) * h + from_y) * w + from_x) * channels;
        for (int c = 0; c < channels; ++c) out.f32()[to + c] = inside ? in.f32()[from + c] : static_cast<float>(outside[c]);
      }
  return out;
}

/// Gaussian smoothing of (N, H, W, C) in place, zero outside.
void smooth(Array& a, double sigma) {
  if (sigma < 0.3) return;
  const int n = a.shape()[0], h = a.shape()[1], w = a.shape()[2], channels = a.shape()[3], radius = static_cast<int>(std::ceil(3 * sigma));
  std::vector<float> weights(radius + 1);
  for (int d = 0; d <= radius; ++d) weights[d] = static_cast<float>(std::exp(-d * d / (2 * sigma * sigma)));
  const float total = 2 * std::accumulate(weights.begin() + 1, weights.end(), 0.0f) + weights[0];
  for (const bool vertical : {true, false}) {
    const Array from = a;
    const auto at = [&](int i, int y, int x) { return ((static_cast<size_t>(i) * h + y) * w + x) * channels; };
    for (int i = 0; i < n; ++i)
      for (int y = 0; y < h; ++y)
        for (int x = 0; x < w; ++x)
          for (int c = 0; c < channels; ++c) {
            float sum = 0;
            const int place = vertical ? y : x, extent = vertical ? h : w;
            for (int d = std::max(-radius, -place); d <= std::min(radius, extent - 1 - place); ++d)
              sum += weights[std::abs(d)] * from.f32()[(vertical ? at(i, y + d, x) : at(i, y, x + d)) + c];
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

class ActivationMaximization final : public Analyzer {
 public:
  explicit ActivationMaximization(Options options) : options_(std::move(options)) {}
  AnalyzerNeeds needs() const override { return {}; }
  Results run(AnalysisContext& context) const override;

 private:
  /// Ascends for the units of one batch; returns the best images (N, H, W, C), 0..1, and each step's objectives.
  Array ascend(AnalysisContext& context, Execution& run, const std::vector<int>& units, uint64_t stream, std::vector<std::vector<double>>& course) const;
  Array seeds(const AnalysisContext& context, const Shape& shape, const std::vector<int>& units) const;
  std::vector<int> chosen_units(const AnalysisContext& context, const std::string& tensor, bool classes) const;
  Canvas canvas(const AnalysisContext& context, const Shape& shape, Random& random) const;
  void adam(Canvas& canvas, const Array& images, const Array& gradient, int step) const;

  Options options_;
};

// Gradient of the objective by the objective's tensor: a class's logit, the mean of a channel, or its centre unit.
Array ActivationMaximization::seeds(const AnalysisContext& context, const Shape& shape, const std::vector<int>& units) const {
  Array seed(shape, DType::f32);
  const int channels = shape.channels(), pixels = shape.pixels() / shape[0];
  for (size_t n = 0; n < units.size(); ++n) {
    const size_t item = n * pixels * channels;
    if (!options_.layer) {
      const auto [unit, sign] = context.unit_of(units[n]);
      seed.f32()[item + unit] = sign;
    } else if (options_.objective == "unit" && shape.rank() == 4) {
      seed.f32()[item + (static_cast<size_t>(shape[1] / 2) * shape[2] + shape[2] / 2) * channels + units[n]] = 1;
    } else {
      for (int p = 0; p < pixels; ++p) seed.f32()[item + static_cast<size_t>(p) * channels + units[n]] = 1.0f / static_cast<float>(pixels);
    }
  }
  return seed;
}

std::vector<int> ActivationMaximization::chosen_units(const AnalysisContext& context, const std::string& tensor, bool classes) const {
  const int known = classes ? context.class_count() : context.network.shape(context.network.tensor(tensor)).channels();
  for (int u : options_.units)
    if (u < 0 || u >= known) throw UsageError(fmt::format("activation_maximization: '{}' has units 0 to {}, not {}", tensor, known - 1, u));
  if (!options_.units.empty()) return options_.units;
  std::vector<int> units(std::min(known, classes ? 20 : 16));
  std::iota(units.begin(), units.end(), 0);
  return units;
}

// The neutral image is what preprocessing maps to 0: black for x / 255, grey or the mean for others.
Canvas ActivationMaximization::canvas(const AnalysisContext& context, const Shape& shape, Random& random) const {
  std::vector<float> scale, shift;
  std::vector<int> order;
  context.preprocessing(scale, shift, order);
  Canvas c{shape, std::vector<double>(shape.elements()), std::vector<double>(shape.elements()), std::vector<double>(shape.elements()),
           std::vector<double>(order.size())};
  for (size_t k = 0; k < order.size(); ++k)
    c.neutral[order[k]] = std::clamp(scale[k] != 0 ? -double{shift[k]} / scale[k] / 255 : 0.5, 0.0, 1.0);
  for (size_t i = 0; i < c.values.size(); ++i) {
    // Away from the ends of the range, where the sigmoid would hold the pixel fast.
    const double start = std::clamp(c.neutral[i % order.size()], 0.12, 0.88);
    c.values[i] = std::log(start / (1 - start)) + 0.1 * random.normal();
  }
  return c;
}

void ActivationMaximization::adam(Canvas& canvas, const Array& images, const Array& gradient, int step) const {
  constexpr double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  // Steps shrink to a tenth, so that the end is calm.
  const double rate = options_.rate * (1 - 0.9 * step / options_.steps);
  for (size_t i = 0; i < canvas.values.size(); ++i) {
    const double x = images.f32()[i], g = gradient.f32()[i] * x * (1 - x);
    canvas.first[i] = beta1 * canvas.first[i] + (1 - beta1) * g;
    canvas.second[i] = beta2 * canvas.second[i] + (1 - beta2) * g * g;
    const double m = canvas.first[i] / (1 - std::pow(beta1, step + 1)), v = canvas.second[i] / (1 - std::pow(beta2, step + 1));
    canvas.values[i] = std::clamp(canvas.values[i] + rate * m / (std::sqrt(v) + epsilon), -6.0, 6.0);
  }
}

Array ActivationMaximization::ascend(AnalysisContext& context, Execution& run, const std::vector<int>& units, uint64_t stream,
                                     std::vector<std::vector<double>>& course) const {
  Random random(context.seed, stream);
  const Shape shape = run.feed().shape;
  const int side = std::max(shape[1], shape[2]), reach = options_.jitter.value_or(std::max(1, side / 14));
  Canvas canvas = this->canvas(context, shape, random);
  std::vector<float> scale, shift;
  std::vector<int> order;
  context.preprocessing(scale, shift, order);
  const size_t channels = order.size(), item = canvas.item();
  const Array seed = seeds(context, run.fetch().shape, units);
  upload(context.queue(), seed, run.seed());
  Array best = canvas.images();
  std::vector<double> best_score(units.size(), -INFINITY);

  for (int step = 0; step < options_.steps; ++step) {
    context.check_stop();
    const int dy = static_cast<int>(random.below(2 * reach + 1)) - reach, dx = static_cast<int>(random.below(2 * reach + 1)) - reach;
    const Array images = canvas.images();
    Array pixels = shifted(images, dy, dx, canvas.neutral);
    for (float& v : pixels.f32()) v *= 255;
    context.load(pixels, run.feed());
    run.forward();
    run.backward();
    const Array outputs = download(context.queue(), run.fetch()), raw = download(context.queue(), run.gradient());
    Array by_pixel(shape, DType::f32);
    for (size_t i = 0; i < raw.f32().size(); i += channels)
      for (size_t c = 0; c < channels; ++c) by_pixel.f32()[i + order[c]] += raw.f32()[i + c] * scale[c] * 255;
    Array gradient = shifted(by_pixel, -dy, -dx, std::vector<double>(channels));
    smooth(gradient, options_.blur * side * (1 - static_cast<double>(step) / options_.steps));
    for (size_t n = 0; n < units.size(); ++n) {
      // Each image's gradient has size 1, so that the penalties weigh alike for every network and unit.
      const auto g = gradient.f32().subspan(n * item, item);
      double squares = 0, score = 0;
      for (float v : g) squares += double{v} * v;
      const double size = std::sqrt(squares / static_cast<double>(item));
      if (size > 0) for (float& v : g) v = static_cast<float>(v / size);
      else for (size_t i = 0; i < item; ++i) canvas.values[n * item + i] += 0.5 * random.normal();  // dead units: look elsewhere
      const size_t outputs_per_item = outputs.f32().size() / static_cast<size_t>(shape[0]);
      for (size_t i = 0; i < outputs_per_item; ++i) score += double{outputs.f32()[n * outputs_per_item + i]} * seed.f32()[n * outputs_per_item + i];
      course[n].push_back(score);
      if (score > best_score[n] && 4 * step >= 3 * options_.steps) {  // before that it is still coarse
        best_score[n] = score;
        std::copy_n(images.f32().begin() + static_cast<std::ptrdiff_t>(n * item), item, best.f32().begin() + static_cast<std::ptrdiff_t>(n * item));
      }
    }
    add_variation(images, options_.variation, gradient);
    for (size_t i = 0; i < gradient.f32().size(); ++i)
      gradient.f32()[i] -= static_cast<float>(options_.distance * 10 * (images.f32()[i] - canvas.neutral[i % channels]));
    adam(canvas, images, gradient, step);
    context.progress.update("activation maximization", step + 1, options_.steps);
  }
  return best;
}

Results ActivationMaximization::run(AnalysisContext& context) const {
  image_size(context);
  const bool classes = !options_.layer;
  const std::string tensor = classes ? context.logits() : options_.layer->value;
  const std::vector<int> units = chosen_units(context, tensor, classes);
  const std::string input = context.network.tensor_name(context.network.inputs()[0]);
  const std::unique_ptr<Execution> run =
      context.execution({.batch = static_cast<int>(units.size()), .fetches = {tensor}, .gradients = {input}, .seeds = {tensor}});
  const int batch = run->options().batch;
  std::vector<std::vector<double>> course(units.size());
  std::vector<Array> images;
  for (size_t first = 0; first < units.size(); first += batch) {
    std::vector<int> some(units.begin() + static_cast<std::ptrdiff_t>(first), units.begin() + static_cast<std::ptrdiff_t>(std::min(units.size(), first + batch)));
    std::vector<std::vector<double>> part(some.size());
    const Array best = ascend(context, *run, some, first, part);
    for (size_t n = 0; n < some.size(); ++n) {
      images.push_back(best.item(static_cast<int>(n)));
      course[first + n] = std::move(part[n]);
    }
  }

  Results results{"activation_maximization", "Activation maximization", {}};
  results.add(Note{classes ? "What the network holds for the essence of each class: images made to raise its logit (before softmax or sigmoid)."
                           : fmt::format("Images made to excite {} units of '{}'.", options_.objective == "unit" ? "the centre" : "whole channels as", tensor)});
  ImageGrid grid{classes ? "One image a class" : fmt::format("Units of {}", tensor), images, {}, 0, true};
  Curves curves{"Objective", "step", classes ? "logit" : "activation", {}};
  Array pixels = stacked(images);
  for (float& v : pixels.f32()) v *= 255;
  const Array scores = classes ? context.probabilities(pixels) : Array();
  for (size_t n = 0; n < units.size(); ++n) {
    const std::string name = classes ? context.class_name(units[n]) : fmt::format("{} {}", tensor, units[n]);
    const double top = *std::max_element(course[n].begin(), course[n].end());
    grid.captions.push_back(classes ? fmt::format("{}\nprobability {:.3f}", name, scores.f32()[n * scores.shape().channels() + units[n]])
                                    : fmt::format("{}\n{:.3g}", name, top));
    Curves::Series series{name, {}, course[n]};
    for (size_t i = 0; i < course[n].size(); ++i) series.x.push_back(static_cast<double>(i + 1));
    curves.series.push_back(std::move(series));
  }
  results.add(grid);
  results.add(curves);
  return results;
}

}  // namespace

void register_activation_maximization(Registrar& r) {
  Parameters<Options> p;
  p.add("layer", &Options::layer, "layer whose units are excited; null: the classes' logits");
  p.add("units", &Options::units, "classes, or channels of the layer; none: all classes up to 20, the first 16 channels").min(0);
  p.add("objective", &Options::objective, "of a layer: the mean of a channel, or its centre unit").one_of({"channel", "unit"});
  p.add("steps", &Options::steps, "steps of gradient ascent").min(1);
  p.add("rate", &Options::rate, "Adam's learning rate").min(0);
  p.add("jitter", &Options::jitter, "pixels that the image is shifted by at most, each step anew; null: a 14th of the side").min(0);
  p.add("blur", &Options::blur, "smoothing of the gradient at the start, as a share of the side; it shrinks to nothing").min(0).max(1);
  p.add("variation", &Options::variation, "weight of the penalty on total variation").min(0);
  p.add("distance", &Options::distance, "weight of the penalty on distance from the neutral image").min(0);
  r.add<ActivationMaximization>("activation_maximization", "images that a network takes for the essence of a class or channel", std::move(p));
}

}  // namespace ocellus::analyzers
