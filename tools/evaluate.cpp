// ocellus evaluate: loss and metrics of a model on labelled data.

#include <fmt/format.h>

#include "inputs.hpp"
#include "ocellus/core/evaluation.hpp"
#include "tool.hpp"

namespace ocellus::tools {
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

void evaluate(Tool& tool) {
  std::string model, data, split = "test", loss;
  std::vector<std::string> metrics = {"accuracy"};
  int batch = 256;
  tool.line.argument("MODEL", model);
  tool.line.argument("DATA", data);
  tool.line.flag("split", split, "part of the data").one_of({"train", "test", "all"});
  tool.line.flag("batch", batch, "images a step").min(1);
  tool.line.flag("loss", loss, "loss; without it the model's own, or what fits its last layer");
  tool.line.flag("metrics", metrics, "what to report besides the loss");
  tool.declare_model();
  tool.parse();
  const ModelDocument document = tool.open_model(model);
  const auto dataset = open_data(tool, data, split);
  const auto network = tool.place(document);
  adopt_classes(*network, *dataset);
  const Evaluation e =
      ocellus::evaluate(tool.registry(), *network, dataset, batch,
                        loss.empty() ? document.loss : loss, metrics, tool.terminal);

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
  return ocellus::tools::run({"evaluate", "MODEL DATA [flags]",
                              "Loss, metrics and confusion matrix of a model on labelled data."},
                             argc, argv, ocellus::tools::evaluate);
}
