// ocellus train: by flags, or by a recipe.

#include <fmt/format.h>

#include "ocellus/core/error.hpp"
#include "ocellus/core/evaluation.hpp"
#include "tool.hpp"
#include "training.hpp"

namespace ocellus::tools {
namespace {
namespace fs = std::filesystem;

// The last epoch in one object; with early stopping the best epoch's weights are the model's.
Json last_epoch(const Trained& t) {
  const Json history = history_json(t.history, t.metrics);
  const Json& epochs = history.at("epochs");
  Json result = epochs.size() ? epochs.at(epochs.size() - 1) : Json::object();
  result["model"] = t.model.string();
  return result;
}

std::string last_epoch_text(const Trained& t) {
  if (t.history.empty()) return fmt::format("nothing left to train; model: {}", t.model.string());
  const EpochRecord& r = t.history.back();
  std::string text = fmt::format("{} epochs, loss {:.4f}", r.epoch, r.loss);
  for (size_t m = 0; m < t.metrics.size(); ++m) {
    text += fmt::format(", {} {:.4f}", t.metrics[m], r.metrics.at(m));
    if (r.validated) text += fmt::format(" (validation {:.4f})", r.validation_metrics.at(m));
  }
  return text + fmt::format("\nmodel: {}\nreport: {}", t.model.string(),
                            (t.model.parent_path() / "report.html").string());
}

// File, then flags, then --set: what is nearer to the hand wins. On --resume the folder's own
// recipe is the file.
Recipe read_recipe(const std::string& file, const Json& flags,
                   const std::vector<std::string>& assignments) {
  Json recipe = file.empty() ? Json::object() : read_recipe_file(file);
  if (!recipe.is_object()) throw UsageError(fmt::format("{}: a recipe is an object", file));
  for (const auto& [key, value] : flags.as_object()) recipe[key] = value;
  for (const std::string& a : assignments) set_key(recipe, a);
  const auto& parameters = recipe_parameters();
  return parameters.read(parameters.schema().check(recipe, file.empty() ? "recipe" : file));
}

// --resume needs to be told the folder; it goes on in it.
fs::path resume_folder(const std::string& out) {
  if (out.empty()) throw UsageError("--resume: say with --out which folder to go on in");
  if (!fs::exists(fs::path(out) / "recipe.json"))
    throw DataError(fmt::format("--resume: {} holds no recipe.json", out));
  return out;
}

void train(Tool& tool) {
  std::string file;
  Json flags = Json::object();
  std::vector<std::string> assignments;
  bool print_recipe = false, resume = false;
  tool.line.argument("RECIPE", file, false);
  tool.line.heading("Flags that are keys of a recipe");
  Schema schema = recipe_parameters().schema();
  std::erase_if(schema.parameters, [](const ParameterInfo& p) {
    return p.name == "seed";
  });  // every program has --seed
  tool.line.flags(schema, flags);
  tool.line.heading("Flags");
  tool.line.flag("set", assignments,
                 "key=value over the recipe, as optimizer.learning_rate=0.01; may be repeated");
  tool.line.flag("print_recipe", print_recipe,
                 "print what the flags amount to as a recipe, and do nothing");
  tool.line.flag("resume", resume, "go on with the run in --out");
  tool.line.flag("trust", tool.trust,
                 "read a model file without the trial read in a process of its own");
  tool.declare_output();
  tool.parse();
  if (tool.line.given("seed")) flags["seed"] = tool.seed.value;
  const fs::path old = resume ? resume_folder(tool.out()) : fs::path();
  if (resume && file.empty()) file = (old / "recipe.json").string();
  const Recipe recipe = read_recipe(file, flags, assignments);
  if (print_recipe) return tool.print(to_json(recipe));
  for (const char* ending : {".keras", ".h5"})
    if (tool.out().ends_with(ending))
      throw UsageError(fmt::format(
          "--out {}: names the folder of the run; its model is model.h5, or model.keras "
          "with --format keras",
          tool.out()));
  if (recipe.model.empty() || recipe.data.empty())
    throw UsageError(fmt::format("--{} is missing: what shall be trained{}",
                                 recipe.model.empty() ? "model" : "data",
                                 recipe.model.empty() ? "" : " on"));

  fs::path folder = old;
  const Trained t = train_recipe(
      tool, recipe,
      [&] { return resume ? old : folder = tool.output_folder("train", recipe.model); }, resume);
  Report report("Training of " + short_name(recipe.model));
  tool.describe(report, recipe.model);
  report.header("data", recipe.data);
  report.add(training_curves(t.history, t.metrics));
  report.write(folder);
  tool.json ? tool.print(last_epoch(t)) : tool.print(last_epoch_text(t));
}

}  // namespace
}  // namespace ocellus::tools

int main(int argc, char** argv) {
  return ocellus::tools::run(
      {"train", "[RECIPE] [flags]",
       "Trains a network by a recipe (a JSON file, comments allowed, or the name of one that "
       "ships) or by flags, into a folder with "
       "model.h5 (model.keras with --format keras), "
       "recipe.json, history.json, history.csv and report.html. Ctrl-C leaves a checkpoint; "
       "--resume goes on "
       "from it and ends with the same weights as a run that was not interrupted."},
      argc, argv, ocellus::tools::train);
}
