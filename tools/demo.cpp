// ocellus demo: train on Fashion-MNIST, evaluate, explain: one report.

#include <fmt/format.h>

#include "inputs.hpp"
#include "ocellus/core/analyzer.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/evaluation.hpp"
#include "tool.hpp"
#include "training.hpp"

namespace ocellus::tools {
namespace {

// The sections that follow the training's, in the order in which a reader wants them.
struct Section {
  const char* analyzer;
  const char* parameters;
  int images;  ///< of the test set, where it explains single ones
};
constexpr Section sections[] = {
    {"confusion", R"({"worst": 20})", 0}, {"feature_maps", "{}", 1},
    {"receptive_field", "{}", 1},         {"occlusion", "{}", 4},
    {"activation_maximization", "{}", 0}, {"tsne", R"({"points": 2000})", 0},
};

Recipe demo_recipe(const Tool& tool, int epochs) {
  Json recipe = read_recipe_file("fashion-mnist");
  recipe["seed"] = tool.seed.value;
  if (epochs > 0) recipe["epochs"] = epochs;
  const auto& parameters = recipe_parameters();
  return parameters.read(parameters.schema().check(recipe, "fashion-mnist.json"));
}

void demo(Tool& tool) {
  int epochs = 0;
  tool.line.flag("epochs", epochs, "passes over the training data; 0: as the recipe says").min(0);
  tool.declare_output();
  tool.parse();
  const Recipe recipe = demo_recipe(tool, epochs);
  std::filesystem::path folder;
  const Trained trained = train_recipe(
      tool, recipe, [&] { return folder = tool.output_folder("demo", recipe.model); }, false);
  Network& network = *trained.network;

  const auto test = open_data(tool, recipe.data, "test");
  const Evaluation evaluation =
      ocellus::evaluate(tool.registry(), network, test, 256, "", {"accuracy"}, tool.terminal);
  const double accuracy = evaluation.metrics.at(0);
  tool.terminal.info(
      fmt::format("test accuracy {:.4f} on {} images", accuracy, thousands(evaluation.count)));

  Report report("Fashion-MNIST: a network, trained and explained");
  tool.describe(report, recipe.model);
  report.header("test accuracy",
                fmt::format("{:.2f} % of {} images", 100 * accuracy, thousands(evaluation.count)));
  report.add(training_curves(trained.history, trained.metrics));
  AnalysisContext context(tool.registry(), network, tool.terminal, tool.terminal);
  context.dataset = test;
  context.seed = static_cast<uint64_t>(tool.seed.value);
  for (const Section& s : sections) {
    tool.terminal.info(s.analyzer);
    context.images = take_images(*test, {}, s.images);
    report.add(tool.registry()
                   .create<Analyzer>(s.analyzer, Json::parse(s.parameters, s.analyzer), s.analyzer)
                   ->run(context));
  }
  report.write(folder);
  const std::string html = (folder / "report.html").string();
  if (tool.json) return tool.print(Json(Json::Object{{"accuracy", accuracy}, {"report", html}}));
  tool.print(fmt::format("test accuracy {:.2f} %\nreport: {}", 100 * accuracy, html));
}

}  // namespace
}  // namespace ocellus::tools

int main(int argc, char** argv) {
  return ocellus::tools::run({"demo", "[flags]",
                              "Trains a small network on Fashion-MNIST, evaluates it and explains "
                              "it, in one report: training curves, "
                              "confusion matrix, worst mistakes, filters, receptive fields, "
                              "occlusion maps, what each class looks like to "
                              "the network, and a t-SNE map."},
                             argc, argv, ocellus::tools::demo);
}
