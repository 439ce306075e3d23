// tsne: a data set as the network sees it, in the plane. Features of a layer (by default what the
// logits are computed from) are reduced to their principal components and embedded by exact t-SNE
// (van der Maaten and Hinton, JMLR 2008): early exaggeration, a start from the first two components
// (Kobak and Berens, Nature Communications 2019), learning rate N / 12 (Belkina et al., 2019).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "analyzers.hpp"
#include "data.hpp"
#include "embedding.hpp"
#include "ocellus/core/random.hpp"

namespace ocellus::analyzers {
namespace {

constexpr int most_points = 10'000;  // P of 400 MB
constexpr int most_features = 8192;  // a feature map with more is averaged over its pixels
constexpr int neighbours = 10;

struct Options {
  int points = 2000;
  std::optional<LayerName> layer;
  bool pixels = false;
  double perplexity = 30;
  int pca = 50;
  int iterations = 750, exaggerated = 250;
  double exaggeration = 12;
  std::optional<double> rate;
};

// The points of a map and all that is shown with them.
struct Points {
  Array features;  ///< (N, D)
  std::vector<int> labels, predictions;
  std::vector<std::string> names;
  std::vector<Array> thumbnails;
};

Array averaged_over_pixels(const Array& maps) {
  const int n = maps.shape()[0], channels = maps.shape().channels();
  const int pixels = static_cast<int>(maps.elements() / n / channels);
  Array out(Shape{n, channels}, DType::f32);
  for (int i = 0; i < n; ++i)
    for (int p = 0; p < pixels; ++p)
      for (int c = 0; c < channels; ++c)
        out.f32()[static_cast<size_t>(i) * channels + c] +=
            maps.f32()[(static_cast<size_t>(i) * pixels + p) * channels + c] /
            static_cast<float>(pixels);
  return out;
}

void append(std::vector<float>& all, Array some) {
  const int64_t width = some.elements() / some.shape()[0];
  if (width > most_features && some.shape().rank() > 2) some = averaged_over_pixels(some);
  all.insert(all.end(), some.f32().begin(), some.f32().end());
}

class Tsne final : public Analyzer {
 public:
  explicit Tsne(Options options) : options_(std::move(options)) {}
  AnalyzerNeeds needs() const override { return {.dataset = true}; }
  Results run(AnalysisContext& context) const override;

 private:
  Points gather(AnalysisContext& context, const std::string& layer) const;
  Array embed(AnalysisContext& context, const Array& features, double perplexity, Curves& curves,
              double& divergence) const;

  Options options_;
};

Points Tsne::gather(AnalysisContext& context, const std::string& layer) const {
  Points p;
  const std::vector<int64_t> indices = spread(context.dataset->size(), options_.points);
  if (indices.size() < 4)
    throw DataError(
        fmt::format("t-SNE needs 4 points at least; the data set has {}", indices.size()));
  std::vector<float> features;
  const std::string logits = context.logits();
  for_each_chunk(
      context, indices, 256, "t-SNE features", [&](const Samples& samples, int64_t first) {
        append(features,
               options_.pixels ? samples.images.to_f32() : context.evaluate(samples.images, layer));
        const Array scores = context.probabilities(samples.images);
        for (int i = 0; i < samples.images.shape()[0]; ++i) {
          const auto row = scores.f32().subspan(static_cast<size_t>(i) * scores.shape().channels(),
                                                scores.shape().channels());
          p.predictions.push_back(
              static_cast<int>(std::max_element(row.begin(), row.end()) - row.begin()));
          p.labels.push_back(label_of(samples.targets, i));
          p.names.push_back(context.dataset->describe(indices[first + i]));
          p.thumbnails.push_back(thumbnail(samples.images, i));
        }
      });
  const int n = static_cast<int>(indices.size());
  const int dimensions = static_cast<int>(features.size()) / n;
  p.features = Array(Shape{n, dimensions}, std::move(features));
  if (std::any_of(p.labels.begin(), p.labels.end(), [](int l) { return l < 0; })) p.labels.clear();
  return p;
}

/// Centred features without constant columns; says what was odd about them.
Array cleaned(const Array& features, Results& results) {
  const int n = features.shape()[0], dimensions = features.shape()[1];
  const auto at = [&](int i, int d) {
    return features.f32()[static_cast<size_t>(i) * dimensions + d];
  };
  for (int i = 0; i < n; ++i)
    for (int d = 0; d < dimensions; ++d)
      if (!std::isfinite(at(i, d)))
        throw DataError(fmt::format("t-SNE: feature {} of point {} is NaN or infinite", d, i));
  std::vector<int> kept;
  std::vector<double> mean(dimensions);
  for (int d = 0; d < dimensions; ++d) {
    bool constant = true;
    for (int i = 0; i < n; ++i) {
      mean[d] += double{at(i, d)} / n;
      constant = constant && at(i, d) == at(0, d);
    }
    if (!constant) kept.push_back(d);
  }
  if (kept.empty()) throw DataError("t-SNE: all points have the same features");
  if (const int gone = dimensions - static_cast<int>(kept.size()); gone > 0)
    results.add(Note{fmt::format("{} of {} features are the same for all points and were left out.",
                                 gone, dimensions)});

  const int width = static_cast<int>(kept.size());
  Array out(Shape{n, width}, DType::f32);
  for (int i = 0; i < n; ++i)
    for (int k = 0; k < width; ++k)
      out.f32()[static_cast<size_t>(i) * width + k] =
          static_cast<float>(at(i, kept[k]) - mean[kept[k]]);

  const auto row = [&](int i) { return out.f32().subspan(static_cast<size_t>(i) * width, width); };
  std::vector<int> order(n);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](int a, int b) { return std::ranges::lexicographical_compare(row(a), row(b)); });
  int duplicates = 0;
  for (int i = 1; i < n; ++i) duplicates += std::ranges::equal(row(order[i - 1]), row(order[i]));
  if (duplicates)
    results.add(
        Note{fmt::format("{} points repeat the features of another one.", duplicates), true});
  return out;
}

Array Tsne::embed(AnalysisContext& context, const Array& features, double perplexity,
                  Curves& curves, double& divergence) const {
  const int n = features.shape()[0];
  const int components =
      std::min({features.shape()[1], n - 1, std::max(2, options_.pca > 0 ? options_.pca : 2)});
  const Array scores = principal_components(context.device(), features, components, context.seed);
  // Without reduction the distances are those of the features themselves; the components still give
  // the start.
  Embedding embedding(context.device(), options_.pca > 0 ? scores : features, perplexity);

  Array start(Shape{n, 2}, DType::f32);
  double variance = 0;
  for (int i = 0; i < n; ++i)
    variance += std::pow(scores.f32()[static_cast<size_t>(i) * components], 2) / n;
  Random random(context.seed, 1);
  for (int i = 0; i < n; ++i)
    for (int a = 0; a < 2; ++a) {
      const double along = a < components ? scores.f32()[static_cast<size_t>(i) * components + a] /
                                                std::sqrt(variance)
                                          : random.normal();
      start.f32()[2 * i + a] = static_cast<float>(1e-4 * along);
    }
  embedding.start(start);
  const double rate = options_.rate.value_or(std::max(200.0, n / options_.exaggeration));
  Curves::Series& series = curves.series.emplace_back();
  series.name = "divergence";
  for (int i = 0; i < options_.iterations; ++i) {
    if (i % 10 == 0) context.check_stop();
    const bool early = i < options_.exaggerated;
    embedding.step({early ? options_.exaggeration : 1.0, rate, early ? 0.5 : 0.8});
    if ((i + 1) % 50 == 0 || i + 1 == options_.iterations) {
      series.x.push_back(i + 1);
      series.y.push_back(embedding.divergence());
      context.progress.update("t-SNE", i + 1, options_.iterations,
                              fmt::format("KL {:.3f}", series.y.back()));
    }
  }
  divergence = series.y.back();
  Array points = embedding.points();
  for (float v : points.f32())
    if (!std::isfinite(v)) throw Error("t-SNE: the points ran away; use a lower learning rate");
  return points;
}

Results Tsne::run(AnalysisContext& context) const {
  if (!context.dataset) throw UsageError("tsne needs a data set: name one with --data");
  const std::string layer = options_.pixels  ? ""
                            : options_.layer ? options_.layer->value
                                             : before_logits(context);
  if (!layer.empty()) context.network.tensor(layer);  // an unknown name is refused before any work
  Results results{"tsne", "t-SNE", {}};
  Points p = gather(context, layer);
  const int n = p.features.shape()[0];
  const Array features = cleaned(p.features, results);
  const double most = (n - 1) / 3.0, perplexity = std::min(options_.perplexity, most);
  if (perplexity < options_.perplexity)
    results.add(
        Note{fmt::format(
                 "Perplexity {:g} asks for more neighbours than {} points have: lowered to {:.3g}.",
                 options_.perplexity, n, perplexity),
             true});

  Curves curves{"Divergence", "iteration", "KL divergence, nats", {}};
  double divergence = 0;
  const Array map = embed(context, features, perplexity, curves, divergence);
  Table table{"Numbers", {"", "value"}, {}};
  table.rows = {{"points", n},
                {"features", p.features.shape()[1]},
                {"features from", options_.pixels ? "pixels" : layer},
                {"perplexity", perplexity},
                {"KL divergence, nats", divergence}};
  if (!p.labels.empty())
    table.rows.push_back(
        {fmt::format("label = that of {} nearest neighbours in the map", neighbours),
         neighbour_accuracy(map, p.labels, neighbours)});
  std::vector<std::string> classes;
  for (int c = 0; c < context.class_count(); ++c) classes.push_back(context.class_name(c));
  results.add(Scatter{"Points that the network takes for alike lie together", map, p.labels,
                      p.predictions, classes, p.names, p.thumbnails});
  results.add(table);
  results.add(curves);
  return results;
}

}  // namespace

void register_tsne(Registrar& r) {
  Parameters<Options> p;
  p.add("points", &Options::points, "items of the data set, evenly spread over it")
      .min(4)
      .max(most_points);
  p.add("layer", &Options::layer,
        "layer whose output is embedded; null: the one before the logits");
  p.add("pixels", &Options::pixels, "embed the images themselves");
  p.add("perplexity", &Options::perplexity, "how many neighbours count, roughly").min(1);
  p.add("pca", &Options::pca, "principal components that are kept before; 0: all features")
      .min(0)
      .max(500);
  p.add("iterations", &Options::iterations, "steps in all").min(1);
  p.add("exaggerated", &Options::exaggerated, "first steps, with exaggerated attraction").min(0);
  p.add("exaggeration", &Options::exaggeration, "factor of the attraction in the first steps")
      .min(1);
  p.add("rate", &Options::rate, "learning rate; null: points / exaggeration, at least 200")
      .min(0.001);
  r.add<Tsne>("tsne",
              "a data set as the network sees it, in the plane: exact t-SNE of a layer's features",
              std::move(p));
}

}  // namespace ocellus::analyzers
