// ocellus analyze NAME: runs an analyzer. Its flags, checks and help come from its schema.

#include <fmt/format.h>

#include <algorithm>

#include "inputs.hpp"
#include "ocellus/core/analyzer.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/text.hpp"
#include "tool.hpp"

namespace ocellus::tools {
namespace {
namespace fs = std::filesystem;

struct Request {
  std::string model, split = "test", target;
  std::vector<std::string> inputs;
  std::vector<int64_t> index;
  int images = 8;
  std::string budget;
  bool png = false, csv = false;
};

TargetChoice target_of(const std::string& text, const AnalysisContext& context) {
  if (text.empty()) return {TargetChoice::Kind::label_or_predicted, 0};
  if (text == "label") return {TargetChoice::Kind::label, 0};
  if (text == "predicted") return {TargetChoice::Kind::predicted, 0};
  std::vector<std::string> known = {"label", "predicted"};
  for (int c = 0; c < context.class_count(); ++c) {
    known.push_back(context.class_name(c));
    if (text == context.class_name(c) || text == std::to_string(c))
      return {TargetChoice::Kind::index, c};
  }
  throw UsageError(fmt::format("--target {}: no such class{}", text, suggestion(text, known)));
}

// What an analyzer was given must be what it needs.
void check_needs(const std::string& name, const AnalyzerNeeds& needs, const Request& r) {
  if (needs.model && r.model.empty())
    throw UsageError(fmt::format("{} needs a model: ocellus analyze {} MODEL ...", name, name));
  if ((needs.images || needs.dataset) && r.inputs.empty())
    throw UsageError(fmt::format("{} needs {}, as fashion-mnist{}", name,
                                 needs.dataset ? "a data set" : "images or a data set",
                                 needs.dataset ? "" : " or cat.jpg"));
}

void read_inputs(Tool& tool, const AnalyzerNeeds& needs, const Request& r,
                 AnalysisContext& context) {
  for (const std::string& word : r.inputs) {
    if (!is_data_address(tool.registry(), word)) {
      context.images.push_back({word, load_image(tool.registry(), word, context.network), {}});
      continue;
    }
    if (context.dataset) throw UsageError(fmt::format("'{}': one data set is enough", word));
    context.dataset = open_data(tool, word, r.split);
    adopt_classes(context.network, *context.dataset);
    if (!needs.images) continue;
    for (AnalysisImage& image : take_images(*context.dataset, r.index, r.images))
      context.images.push_back(std::move(image));
  }
  if (needs.dataset && !context.dataset)
    throw UsageError("single images do not do here: a data set is needed, as folder:DIR");
}

void declare(Tool& tool, const TypeInfo& info, Request& r, Json& parameters) {
  tool.line.argument("MODEL", r.model, false);
  tool.line.rest("INPUT", r.inputs);
  tool.line.heading("Flags of " + info.name);
  tool.line.flags(info.schema, parameters);
  tool.line.heading("Flags of every analyzer");
  tool.line.flag("target", r.target,
                 "class to explain: label, predicted, a name or an index; without it the label "
                 "where known, else the prediction");
  tool.line.flag("split", r.split, "part of a data set").one_of({"train", "test", "all"});
  tool.line.flag("index", r.index, "items of a data set to explain");
  tool.line.flag("images", r.images, "explain the first so many items of a data set").min(1);
  tool.line.flag("budget", r.budget, "time that the analysis may take, as 90s or 10m");
  tool.line.flag("png", r.png, "each picture also as a PNG file");
  tool.line.flag("csv", r.csv, "each table also as a CSV file");
  tool.declare_output();
  tool.declare_model();
}

void write_report(Tool& tool, const TypeInfo& info, const Request& r, const Results& results,
                  const fs::path& folder) {
  Report report(results.title.empty() ? info.name : results.title);
  tool.describe(report, r.model);
  report.header("analyzer", info.name);
  if (!r.inputs.empty())
    report.header("inputs", fmt::format("{}{}", r.inputs[0], r.inputs.size() > 1 ? ", ..." : ""));
  report.add(results);
  report.write(folder);
  if (r.png) report.write_png(folder);
  if (r.csv) report.write_csv(folder);
}

void analyze(Tool& tool) {
  // The analyzer's name stands first, since all other flags depend on it.
  const std::string name = tool.take_word();
  if (name.empty()) {
    tool.parse();
    std::vector<std::string> names;
    for (const TypeInfo* t : tool.registry().all(Kind::analyzer)) names.push_back(t->name);
    throw UsageError("which analyzer? " + suggestion("", names, 40).substr(2));
  }
  tool.load_early();
  const TypeInfo& info = tool.registry().get(Kind::analyzer, name);
  Request r;
  Json parameters = Json::object();
  declare(tool, info, r, parameters);
  tool.parse();
  const auto analyzer = tool.registry().create<Analyzer>(name, parameters, name);
  const AnalyzerNeeds needs = analyzer->needs();
  check_needs(name, needs, r);
  const auto network = tool.place(tool.open_model(r.model));
  AnalysisContext context(tool.registry(), *network, tool.terminal, tool.terminal);
  read_inputs(tool, needs, r, context);
  assume_classes(tool, *network, r.model);
  context.seed = static_cast<uint64_t>(tool.seed.value);
  context.budget_seconds = seconds_of("--budget", r.budget);
  context.target = target_of(r.target, context);
  const fs::path folder = tool.output_folder(name, r.model);
  write_report(tool, info, r, analyzer->run(context), folder);
  const std::string html = (folder / "report.html").string(), h5 = (folder / "results.h5").string();
  tool.json ? tool.print(Json(Json::Object{{"analyzer", name}, {"report", html}, {"results", h5}}))
            : tool.print(html);
}

}  // namespace
}  // namespace ocellus::tools

int main(int argc, char** argv) {
  return ocellus::tools::run({"analyze", "NAME MODEL [INPUT...] [flags]",
                              "Runs an analyzer and writes report.html and results.h5. INPUT: "
                              "image files or a data set (fashion-mnist, "
                              "folder:DIR). 'ocellus NAME ...' does the same; 'ocellus analyze "
                              "NAME --help' shows the analyzer's flags."},
                             argc, argv, ocellus::tools::analyze);
}
