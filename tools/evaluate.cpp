// ocellus evaluate: loss and metrics of a model on labelled data.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "inputs.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/evaluation.hpp"
#include "tool.hpp"

namespace ocellus::tools {
namespace fs = std::filesystem;
namespace {

Json matrix_json(const Matrix& m) {
  Json rows = Json::list();
  const size_t columns = m.columns.size();
  for (size_t r = 0; r < m.rows.size(); ++r) {
    Json row = Json::list();
    for (size_t c = 0; c < columns; ++c)
      row.push_back(static_cast<int64_t>(m.values.f32()[r * columns + c]));
    rows.push_back(row);
  }
  return rows;
}

std::string matrix_text(const Matrix& m) {
  std::vector<std::string> columns = {"label \\ prediction"};
  columns.insert(columns.end(), m.columns.begin(), m.columns.end());
  std::vector<std::vector<std::string>> rows;
  for (size_t r = 0; r < m.rows.size(); ++r) {
    rows.push_back({m.rows[r]});
    for (size_t c = 0; c < m.columns.size(); ++c)
      rows.back().push_back(fmt::format("{:g}", m.values.f32()[r * m.columns.size() + c]));
  }
  return format_table(columns, rows);
}

struct Wishes {
  std::string model, data, split = "test", loss;
  std::vector<std::string> metrics = {"accuracy"};
  int batch = 256, limit = 0;
};

// "torch", "caffe  best, stored": accuracy of each, and how to keep the best.
void print_trials(Tool& tool, const Wishes& w, const std::vector<PreprocessingTrial>& trials,
                  int64_t images) {
  const PreprocessingTrial& best = trials.front();
  Json list = Json::list();
  std::vector<std::vector<std::string>> rows;
  for (const PreprocessingTrial& t : trials) {
    list.push_back(Json::Object{{"name", t.name},
                                {"accuracy", t.accuracy},
                                {"loss", t.loss},
                                {"stored", t.stored},
                                {"preprocessing", t.preprocessing.to_json()}});
    const bool is_best = &t == &best;
    rows.push_back({t.name, fmt::format("{:.4f}", t.accuracy), fmt::format("{:.4f}", t.loss),
                    t.preprocessing.str(),
                    fmt::format("{}{}{}", is_best ? "best" : "", is_best && t.stored ? ", " : "",
                                t.stored ? "stored in the model" : "")});
  }
  if (tool.json)
    return tool.print(
        Json(Json::Object{{"preprocessing", list}, {"best", best.name}, {"n", images}}));
  tool.print(format_table({"preprocessing", "accuracy", "loss", "input", ""}, rows));
  // One standard deviation of a share that was counted on so few images.
  const double doubt = std::sqrt(best.accuracy * (1 - best.accuracy) / static_cast<double>(images));
  const auto close = std::ranges::count_if(
      trials, [&](const auto& t) { return t.accuracy >= best.accuracy - doubt; });
  if (close > 1)
    tool.print(
        fmt::format("{} of them lie within {:.4f}, which {} images cannot tell apart; a "
                    "larger --limit can",
                    close, doubt, thousands(images)));
  if (best.stored) return;
  tool.print(fs::is_regular_file(w.model)
                 ? fmt::format("to store it: ocellus set {} --preprocess {}", w.model, best.name)
                 : fmt::format("to use it: --preprocess {}", best.name));
}

void evaluate(Tool& tool) {
  Wishes w;
  tool.line.argument("MODEL", w.model);
  tool.line.argument("DATA", w.data);
  tool.line.flag("split", w.split, "part of the data").one_of({"train", "test", "all"});
  tool.line
      .flag("limit", w.limit,
            "only so many images, drawn by --seed; 0: all, or 300 for --preprocess auto")
      .min(0);
  tool.line.flag("batch", w.batch, "images a step").min(1);
  tool.line.flag("loss", w.loss, "loss; without it the model's own, or what fits its last layer");
  tool.line.flag("metrics", w.metrics, "what to report besides the loss");
  tool.declare_model();
  tool.parse();
  const bool find_preprocessing = tool.preprocess == "auto";
  if (find_preprocessing) tool.preprocess = "none";  // the network is placed once, whatever comes
  const ModelDocument document = tool.open_model(w.model);
  if (w.loss.empty()) w.loss = document.loss;
  std::shared_ptr<const Dataset> dataset = open_data(tool, w.data, w.split);
  if (w.limit == 0 && find_preprocessing) w.limit = 300;
  if (w.limit > 0) dataset = draw_items(dataset, w.limit, static_cast<uint64_t>(tool.seed.value));
  const auto network = tool.place(document);
  adopt_classes(*network, *dataset);
  if (find_preprocessing) {
    const auto trials = try_preprocessings(tool.registry(), *network, dataset, w.batch, w.loss,
                                           document.preprocessing, tool.terminal);
    tool.terminal.finish_line();
    return print_trials(tool, w, trials, dataset->size());
  }
  const std::vector<std::string>& metrics = w.metrics;
  const Evaluation e = ocellus::evaluate(tool.registry(), *network, dataset, w.batch, w.loss,
                                         metrics, tool.terminal);

  if (e.metrics.size() != metrics.size())
    throw DataError(w.data + ": has no labels to compare with; 'ocellus predict' needs none");
  Json result = Json::Object{{"loss", e.loss}};
  std::string text = fmt::format("loss {:.4f}", e.loss);
  for (size_t m = 0; m < metrics.size(); ++m) {
    result[metrics[m]] = e.metrics.at(m);
    text += fmt::format("  {} {:.4f}", metrics[m], e.metrics.at(m));
  }
  result["n"] = e.count;
  text += fmt::format("  on {} images\n", thousands(e.count));
  if (!e.labels.empty()) {
    const Matrix m = confusion_matrix(e, network->classes);
    result["classes"] = Json::list_of(m.rows);
    result["confusion"] = matrix_json(m);
    // Hundreds of columns are for a program, not for a person.
    if (m.rows.size() <= 20) text += "\n" + matrix_text(m);
  }
  tool.json ? tool.print(result) : tool.print(text);
}

}  // namespace
}  // namespace ocellus::tools

int main(int argc, char** argv) {
  return ocellus::tools::run(
      {"evaluate", "MODEL DATA [flags]",
       "Loss, metrics and confusion matrix of a model on labelled data. --preprocess auto: the "
       "accuracy behind each preprocessing that is known by name, to find the one "
       "that a model was trained with."},
      argc, argv, ocellus::tools::evaluate);
}
