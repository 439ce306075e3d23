// confusion: which classes a network takes for which, how good it is for each, and the images that
// it gets most wrong.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "analyzers.hpp"
#include "data.hpp"

namespace ocellus::analyzers {
namespace {

struct Options {
  int limit = 0;
  int worst = 24;
};

struct Mistake {
  double loss = 0;  ///< -log of the label's probability
  int label = 0, prediction = 0;
  float probability = 0;  ///< of the prediction
  Array picture;
  std::string name;
};

struct Tally {
  Array counts;  ///< (classes, classes): label, prediction
  int64_t right = 0, total = 0;
  double loss = 0;
  std::vector<Mistake> worst;  ///< a heap, the mildest on top
};

class Confusion final : public Analyzer {
 public:
  explicit Confusion(Options options) : options_(options) {}
  AnalyzerNeeds needs() const override { return {.dataset = true}; }

  Results run(AnalysisContext& context) const override {
    if (!context.dataset)
      throw UsageError("confusion needs a labelled data set: name one with --data");
    const Tally tally = count(context);
    Results results{"confusion", "Confusion matrix and worst mistakes", {}};
    results.add(Note{fmt::format(
        "{} of {} right: accuracy {:.2f} %, mean cross-entropy {:.4f} nats.", tally.right,
        tally.total, 100.0 * static_cast<double>(tally.right) / static_cast<double>(tally.total),
        tally.loss / static_cast<double>(tally.total))});
    std::vector<std::string> names;
    for (int c = 0; c < context.class_count(); ++c) names.push_back(context.class_name(c));
    results.add(Matrix{"Confusion matrix", "label", "prediction", names, names, tally.counts});
    results.add(per_class(names, tally.counts));
    if (!tally.worst.empty()) results.add(mistakes(context, tally.worst));
    return results;
  }

 private:
  Tally count(AnalysisContext& context) const;
  void keep(Tally& tally, Mistake mistake) const;
  static Table per_class(const std::vector<std::string>& names, const Array& counts);
  static ImageGrid mistakes(const AnalysisContext& context, std::vector<Mistake> worst);

  Options options_;
};

Tally Confusion::count(AnalysisContext& context) const {
  const int classes = context.class_count();
  Tally tally{Array(Shape{classes, classes}, DType::f32), 0, 0, 0, {}};
  const std::vector<int64_t> indices = spread(context.dataset->size(), options_.limit);
  for_each_chunk(context, indices, 256, "confusion", [&](const Samples& samples, int64_t first) {
    const Array scores = context.probabilities(samples.images);
    for (int i = 0; i < samples.images.shape()[0]; ++i) {
      const int label = label_of(samples.targets, i);
      if (label < 0 || label >= classes)
        throw DataError(fmt::format("{}: label {} where the network knows {} classes",
                                    context.dataset->describe(indices[first + i]), label, classes));
      const auto row = scores.f32().subspan(static_cast<size_t>(i) * classes, classes);
      const int prediction =
          static_cast<int>(std::max_element(row.begin(), row.end()) - row.begin());
      const double loss = -std::log(std::max(row[label], 1e-30f));
      tally.counts.f32()[static_cast<size_t>(label) * classes + prediction] += 1;
      tally.loss += loss;
      ++tally.total;
      tally.right += prediction == label;
      const bool bad =
          prediction != label && (static_cast<int>(tally.worst.size()) < options_.worst ||
                                  loss > tally.worst.front().loss);
      if (bad && options_.worst > 0)
        keep(tally, {loss, label, prediction, row[prediction], thumbnail(samples.images, i, 128),
                     context.dataset->describe(indices[first + i])});
    }
  });
  if (tally.total == 0) throw DataError("the data set is empty");
  return tally;
}

void Confusion::keep(Tally& tally, Mistake mistake) const {
  const auto milder_on_top = [](const Mistake& a, const Mistake& b) { return a.loss > b.loss; };
  tally.worst.push_back(std::move(mistake));
  std::push_heap(tally.worst.begin(), tally.worst.end(), milder_on_top);
  if (static_cast<int>(tally.worst.size()) <= options_.worst) return;
  std::pop_heap(tally.worst.begin(), tally.worst.end(), milder_on_top);
  tally.worst.pop_back();
}

Table Confusion::per_class(const std::vector<std::string>& names, const Array& counts) {
  Table table{
      "Per class", {"class", "items", "precision", "recall", "F1", "most often taken for"}, {}};
  const size_t classes = names.size();
  for (size_t c = 0; c < classes; ++c) {
    double items = 0, predicted = 0;
    size_t rival = c;
    for (size_t k = 0; k < classes; ++k) {
      items += counts.f32()[c * classes + k];
      predicted += counts.f32()[k * classes + c];
      if (k != c &&
          counts.f32()[c * classes + k] > (rival == c ? 0 : counts.f32()[c * classes + rival]))
        rival = k;
    }
    const double hits = counts.f32()[c * classes + c];
    // A share of nothing is unknown, not 0.
    const auto share = [](double part, double all) { return all > 0 ? Json(part / all) : Json(); };
    table.rows.push_back({names[c], static_cast<int64_t>(items), share(hits, predicted),
                          share(hits, items), share(2 * hits, items + predicted),
                          rival == c ? "" : names[rival]});
  }
  return table;
}

ImageGrid Confusion::mistakes(const AnalysisContext& context, std::vector<Mistake> worst) {
  std::sort(worst.begin(), worst.end(),
            [](const Mistake& a, const Mistake& b) { return a.loss > b.loss; });
  ImageGrid grid{"Worst mistakes: least probability for the label", {}, {}, 0, true};
  for (Mistake& m : worst) {
    grid.images.push_back(std::move(m.picture));
    grid.captions.push_back(fmt::format("{}\n{}, taken for {} ({:.3f})", m.name,
                                        context.class_name(m.label),
                                        context.class_name(m.prediction), m.probability));
  }
  return grid;
}

}  // namespace

void register_confusion(Registrar& r) {
  Parameters<Options> p;
  p.add("limit", &Options::limit, "items, evenly spread over the data set; 0: all").min(0);
  p.add("worst", &Options::worst, "mistakes that are shown").min(0).max(500);
  r.add<Confusion>("confusion",
                   "confusion matrix, precision and recall per class, and the worst mistakes",
                   std::move(p));
}

}  // namespace ocellus::analyzers
