#include "ocellus/core/evaluation.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "ocellus/core/error.hpp"

namespace ocellus {

std::vector<int> predicted_classes(const Array& scores) {
  const int units = scores.shape().channels();
  const auto values = scores.f32();
  std::vector<int> predicted;
  for (size_t i = 0; i + static_cast<size_t>(units) <= values.size();
       i += static_cast<size_t>(units)) {
    const auto row = values.subspan(i, static_cast<size_t>(units));
    predicted.push_back(
        units == 1 ? row[0] > 0.5f
                   : static_cast<int>(std::max_element(row.begin(), row.end()) - row.begin()));
  }
  return predicted;
}

Matrix confusion_matrix(const Evaluation& e, const std::vector<std::string>& classes) {
  if (e.labels.empty())
    throw DataError("a confusion matrix needs class labels, and the data have none");
  const int units = e.scores.shape().channels();
  const int known =
      std::max(units == 1 ? 2 : units, 1 + *std::max_element(e.labels.begin(), e.labels.end()));
  Matrix m;
  m.title = "Confusion matrix";
  m.row_label = "label";
  m.column_label = "prediction";
  for (int c = 0; c < known; ++c)
    m.rows.push_back(static_cast<size_t>(c) < classes.size() ? classes[static_cast<size_t>(c)]
                                                             : fmt::format("class {}", c));
  m.columns = m.rows;
  m.values = Array(Shape{known, known}, DType::f32);
  const std::vector<int> predicted = predicted_classes(e.scores);
  for (size_t i = 0; i < e.labels.size(); ++i) {
    if (e.labels[i] < 0) throw DataError(fmt::format("item {} has the label {}", i, e.labels[i]));
    ++m.values.f32()[static_cast<size_t>(e.labels[i] * known + predicted.at(i))];
  }
  return m;
}

namespace {

Curves::Series series(const History& history, std::string name, auto value, bool validated) {
  Curves::Series s;
  s.name = std::move(name);
  for (const EpochRecord& r : history) {
    if (validated && !r.validated) continue;
    s.x.push_back(r.epoch);
    s.y.push_back(value(r));
  }
  return s;
}

}  // namespace

Results training_curves(const History& history, const std::vector<std::string>& metrics) {
  Results results{"training", "Training", {}};
  Curves loss{"Loss", "epoch", "loss", {}};
  loss.series.push_back(series(
      history, "training", [](const EpochRecord& r) { return r.loss; }, false));
  loss.series.push_back(series(
      history, "validation", [](const EpochRecord& r) { return r.validation_loss; }, true));
  results.add(loss);
  for (size_t m = 0; m < metrics.size(); ++m) {
    Curves curves{metrics[m], "epoch", metrics[m], {}};
    curves.series.push_back(series(
        history, "training", [m](const EpochRecord& r) { return r.metrics.at(m); }, false));
    curves.series.push_back(series(
        history, "validation", [m](const EpochRecord& r) { return r.validation_metrics.at(m); },
        true));
    results.add(curves);
  }
  return results;
}

Json history_json(const History& history, const std::vector<std::string>& metrics) {
  Json epochs = Json::list();
  for (const EpochRecord& r : history) {
    Json e = Json::Object{{"epoch", r.epoch}, {"loss", r.loss}};
    for (size_t m = 0; m < metrics.size(); ++m) e[metrics[m]] = r.metrics.at(m);
    if (r.validated) {
      e["validation_loss"] = r.validation_loss;
      for (size_t m = 0; m < metrics.size(); ++m)
        e["validation_" + metrics[m]] = r.validation_metrics.at(m);
    }
    e["learning_rate"] = r.learning_rate;
    e["seconds"] = r.seconds;
    e["images_per_second"] = r.images_per_second;
    epochs.push_back(std::move(e));
  }
  return Json::Object{{"metrics", Json::list_of(metrics)}, {"epochs", epochs}};
}

std::string history_csv(const History& history, const std::vector<std::string>& metrics) {
  std::string text = "epoch,loss";
  for (const std::string& m : metrics) text += "," + m;
  text += ",validation_loss";
  for (const std::string& m : metrics) text += ",validation_" + m;
  text += ",learning_rate,seconds,images_per_second\n";
  for (const EpochRecord& r : history) {
    text += fmt::format("{},{}", r.epoch, r.loss);
    for (size_t m = 0; m < metrics.size(); ++m) text += fmt::format(",{}", r.metrics.at(m));
    text += r.validated ? fmt::format(",{}", r.validation_loss) : ",";
    for (size_t m = 0; m < metrics.size(); ++m)
      text += r.validated ? fmt::format(",{}", r.validation_metrics.at(m)) : ",";
    text += fmt::format(",{},{:.3f},{:.1f}\n", r.learning_rate, r.seconds, r.images_per_second);
  }
  return text;
}

}  // namespace ocellus
