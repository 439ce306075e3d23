// activation_maximization: images that a network takes for the very essence of a class, or that
// excite a channel most, by gradient ascent (D. Erhan et al., 2009; K. Simonyan et al., 2014) under
// small shifts (A. Mordvintsev et al., 2015). With a data set at hand the images stay among what
// its images have in common, their mean and principal axes: a prior in the sense of A. Nguyen et
// al., "Synthesizing the preferred inputs for neurons", NeurIPS 2016. Without, each pixel is free,
// and the gradient is smoothed, coarse at first and ever finer, with penalties on total variation
// and on distance from the neutral image.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "analyzers.hpp"
#include "canvas.hpp"

namespace ocellus::analyzers {
namespace {

struct Options {
  std::optional<LayerName> layer;
  std::vector<int> units;
  std::string objective = "channel";
  int steps = 256;
  std::string prior = "auto";
  int components = 100;
  double rate = 0.05;
  std::optional<int> jitter;
  std::optional<double> distance;
  double blur = 0.05, variation = 0.3;
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
        const size_t to = ((static_cast<size_t>(i) * h + y) * w + x) * channels,
                     from = ((static_cast<size_t>(i) * h + from_y) * w + from_x) * channels;
        for (int c = 0; c < channels; ++c)
          out.f32()[to + c] = inside ? in.f32()[from + c] : static_cast<float>(outside[c]);
      }
  return out;
}

class ActivationMaximization final : public Analyzer {
 public:
  explicit ActivationMaximization(Options options) : options_(std::move(options)) {}
  AnalyzerNeeds needs() const override { return {}; }
  Results run(AnalysisContext& context) const override;

 private:
  /// What comes of the units of one batch.
  struct Ascent {
    Array best;                               ///< (N, H, W, C), 0..1
    std::vector<std::vector<double>> course;  ///< objective after each step, a unit
  };
  Ascent ascend(AnalysisContext& context, Execution& run, const ImagePrior* prior,
                const std::vector<int>& units, uint64_t stream) const;
  Array seeds(const AnalysisContext& context, const Shape& shape,
              const std::vector<int>& units) const;
  std::vector<int> chosen_units(const AnalysisContext& context, const std::string& tensor,
                                bool classes) const;
  std::optional<ImagePrior> prior(const AnalysisContext& context) const;

  Options options_;
};

/// The model's preprocessing, and the pixel (0..1, a channel) that it maps to 0: black for x / 255,
/// grey or the mean for others.
struct Pixels {
  std::vector<float> scale, shift;
  std::vector<int> order;
  std::vector<double> neutral;

  explicit Pixels(const AnalysisContext& context) {
    context.preprocessing(scale, shift, order);
    neutral.resize(order.size());
    for (size_t k = 0; k < order.size(); ++k)
      neutral[order[k]] =
          std::clamp(scale[k] != 0 ? -double{shift[k]} / scale[k] / 255 : 0.5, 0.0, 1.0);
  }
  /// Gradient by images in 0..1 from that by the network's input.
  Array back(const Array& by_input) const {
    Array out(by_input.shape(), DType::f32);
    for (size_t i = 0; i < out.f32().size(); i += order.size())
      for (size_t c = 0; c < order.size(); ++c)
        out.f32()[i + order[c]] += by_input.f32()[i + c] * scale[c] * 255;
    return out;
  }
};

// Gradient of the objective by the objective's tensor: a class's logit, the mean of a channel, or
// its centre unit.
Array ActivationMaximization::seeds(const AnalysisContext& context, const Shape& shape,
                                    const std::vector<int>& units) const {
  Array seed(shape, DType::f32);
  const int channels = shape.channels(), pixels = shape.pixels() / shape[0];
  for (size_t n = 0; n < units.size(); ++n) {
    const size_t item = n * pixels * channels;
    if (!options_.layer) {
      const auto [unit, sign] = context.unit_of(units[n]);
      seed.f32()[item + unit] = sign;
    } else if (options_.objective == "unit" && shape.rank() == 4) {
      seed.f32()[item + (static_cast<size_t>(shape[1] / 2) * shape[2] + shape[2] / 2) * channels +
                 units[n]] = 1;
    } else {
      for (int p = 0; p < pixels; ++p)
        seed.f32()[item + static_cast<size_t>(p) * channels + units[n]] =
            1.0f / static_cast<float>(pixels);
    }
  }
  return seed;
}

std::vector<int> ActivationMaximization::chosen_units(const AnalysisContext& context,
                                                      const std::string& tensor,
                                                      bool classes) const {
  const int known = classes ? context.class_count()
                            : context.network.shape(context.network.tensor(tensor)).channels();
  for (int u : options_.units)
    if (u < 0 || u >= known)
      throw UsageError(fmt::format("activation_maximization: '{}' has units 0 to {}, not {}",
                                   tensor, known - 1, u));
  if (!options_.units.empty()) return options_.units;
  std::vector<int> units(std::min(known, classes ? 20 : 16));
  std::iota(units.begin(), units.end(), 0);
  return units;
}

std::optional<ImagePrior> ActivationMaximization::prior(const AnalysisContext& context) const {
  constexpr int most_pixels = 20'000;  // the axes of larger images would take gigabytes
  if (options_.prior == "none") return std::nullopt;
  if (options_.prior == "data" && !context.dataset)
    throw UsageError("activation_maximization: prior 'data' needs a data set");
  const Shape item = context.network.shape(context.network.inputs().at(0)).without_batch();
  const bool fits = context.dataset && context.dataset->item_type() == DType::u8 &&
                    context.dataset->item_shape() == item && item.elements() <= most_pixels;
  if (options_.prior == "data" && !fits)
    throw UsageError(
        fmt::format("activation_maximization: prior 'data' needs u8 images of the input's shape "
                    "{}, of at most {} values",
                    item.str(), most_pixels));
  if (!fits) return std::nullopt;
  return image_prior(context, options_.components);
}

ActivationMaximization::Ascent ActivationMaximization::ascend(AnalysisContext& context,
                                                              Execution& run,
                                                              const ImagePrior* prior,
                                                              const std::vector<int>& units,
                                                              uint64_t stream) const {
  Random random(context.seed, stream);
  const Shape shape = run.feed().shape;
  const Pixels preprocessing(context);
  const int reach =
      options_.jitter.value_or(prior ? 1 : std::max(1, std::max(shape[1], shape[2]) / 14));
  const std::unique_ptr<Canvas> canvas =
      prior ? prior_canvas(shape[0], *prior, options_.rate, options_.distance.value_or(0.4), random)
            : pixel_canvas(
                  shape, preprocessing.neutral,
                  {options_.rate, options_.blur, options_.variation, options_.distance.value_or(1)},
                  random);
  const Array seed = seeds(context, run.fetch().shape, units);
  upload(context.queue(), seed, run.seed());
  Ascent ascent{canvas->images(), std::vector<std::vector<double>>(units.size())};
  std::vector<double> best_score(units.size(), -INFINITY);
  const auto item = static_cast<size_t>(shape.without_batch().elements()),
             outputs = seed.f32().size() / static_cast<size_t>(shape[0]);

  for (int step = 0; step < options_.steps; ++step) {
    context.check_stop();
    const int dy = static_cast<int>(random.below(2 * reach + 1)) - reach,
              dx = static_cast<int>(random.below(2 * reach + 1)) - reach;
    const Array images = canvas->images();
    Array pixels = shifted(images, dy, dx, preprocessing.neutral);
    for (float& v : pixels.f32()) v *= 255;
    context.load(pixels, run.feed());
    run.forward();
    run.backward();
    const Array answer = download(context.queue(), run.fetch());
    Array gradient = shifted(preprocessing.back(download(context.queue(), run.gradient())), -dy,
                             -dx, std::vector<double>(preprocessing.neutral.size()));
    for (size_t n = 0; n < units.size(); ++n) {
      double score = 0;
      for (size_t i = n * outputs; i < (n + 1) * outputs; ++i)
        score += double{answer.f32()[i]} * seed.f32()[i];
      ascent.course[n].push_back(score);
      const auto g = gradient.f32().subspan(n * item, item);
      if (std::ranges::all_of(g, [](float v) { return v == 0; }))
        canvas->shake(static_cast<int>(n), random);
      // The best of the last quarter: before that the images are still coarse.
      if (score > best_score[n] && 4 * step >= 3 * options_.steps) {
        best_score[n] = score;
        std::ranges::copy(images.f32().subspan(n * item, item),
                          ascent.best.f32().begin() + static_cast<std::ptrdiff_t>(n * item));
      }
    }
    canvas->step(gradient, images, static_cast<double>(step) / options_.steps);
    context.progress.update("activation maximization", step + 1, options_.steps);
  }
  return ascent;
}

Results ActivationMaximization::run(AnalysisContext& context) const {
  image_size(context);
  const bool classes = !options_.layer;
  const std::string tensor = classes ? context.logits() : options_.layer->value;
  const std::vector<int> units = chosen_units(context, tensor, classes);
  const std::string input = context.network.tensor_name(context.network.inputs()[0]);
  const std::unique_ptr<Execution> run = context.execution({.batch = static_cast<int>(units.size()),
                                                            .fetches = {tensor},
                                                            .gradients = {input},
                                                            .seeds = {tensor}});
  const int batch = run->options().batch;
  const std::optional<ImagePrior> prior = this->prior(context);
  std::vector<std::vector<double>> course(units.size());
  std::vector<Array> images;
  for (size_t first = 0; first < units.size(); first += batch) {
    std::vector<int> some(
        units.begin() + static_cast<std::ptrdiff_t>(first),
        units.begin() + static_cast<std::ptrdiff_t>(std::min(units.size(), first + batch)));
    Ascent ascent = ascend(context, *run, prior ? &*prior : nullptr, some, first);
    for (size_t n = 0; n < some.size(); ++n) {
      images.push_back(ascent.best.item(static_cast<int>(n)));
      course[first + n] = std::move(ascent.course[n]);
    }
  }

  Results results{"activation_maximization", "Activation maximization", {}};
  results.add(
      Note{classes ? "What the network holds for the essence of each class: images made to raise "
                     "its logit (before softmax or sigmoid)."
                   : fmt::format("Images made to excite {} units of '{}'.",
                                 options_.objective == "unit" ? "the centre" : "whole channels as",
                                 tensor)});
  if (prior)
    results.add(
        Note{fmt::format("The images were sought among those that lie within the {} main "
                         "directions in which the data set's images vary.",
                         prior->axes.shape()[0])});
  ImageGrid grid{
      classes ? "One image a class" : fmt::format("Units of {}", tensor), images, {}, 0, true};
  Curves curves{"Objective", "step", classes ? "logit" : "activation", {}};
  Array pixels = stacked(images);
  for (float& v : pixels.f32()) v *= 255;
  const Array scores = classes ? context.probabilities(pixels) : Array();
  for (size_t n = 0; n < units.size(); ++n) {
    const std::string name =
        classes ? context.class_name(units[n]) : fmt::format("{} {}", tensor, units[n]);
    const double top = *std::max_element(course[n].begin(), course[n].end());
    grid.captions.push_back(
        classes ? fmt::format("{}\nprobability {:.3f}", name,
                              scores.f32()[n * scores.shape().channels() + units[n]])
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
  p.add("units", &Options::units,
        "classes, or channels of the layer; none: all classes up to 20, the first 16 channels")
      .min(0);
  p.add("objective", &Options::objective, "of a layer: the mean of a channel, or its centre unit")
      .one_of({"channel", "unit"});
  p.add("steps", &Options::steps, "steps of gradient ascent").min(1);
  p.add("prior", &Options::prior,
        "data: stay among images like those of the data set; none: each pixel is free; auto: data "
        "where it can be")
      .one_of({"auto", "data", "none"});
  p.add("components", &Options::components, "principal axes of the data set's images that are kept")
      .min(1)
      .max(500);
  p.add("rate", &Options::rate, "Adam's learning rate").min(0);
  p.add("jitter", &Options::jitter,
        "pixels that the image is shifted by at most, each step anew; null: 1, or a 14th of the "
        "side for free pixels")
      .min(0);
  p.add("distance", &Options::distance,
        "weight of the penalty on distance from the data's mean (null: 0.4), or from the neutral "
        "image (null: 1)")
      .min(0);
  p.add("blur", &Options::blur,
        "free pixels: smoothing of the gradient at the start, as a share of the side; it shrinks "
        "to nothing")
      .min(0)
      .max(1);
  p.add("variation", &Options::variation, "free pixels: weight of the penalty on total variation")
      .min(0);
  r.add<ActivationMaximization>("activation_maximization",
                                "images that a network takes for the essence of a class or channel",
                                std::move(p));
}

}  // namespace ocellus::analyzers
