#include "training.hpp"

#include <fmt/format.h>

#include "inputs.hpp"
#include "ocellus/core/call.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/evaluation.hpp"
#include "ocellus/core/file.hpp"
#include "ocellus/core/text.hpp"

namespace ocellus::tools {
namespace fs = std::filesystem;
namespace {

// Architectures that have a say in classes and input shape learn them from the data, unless the
// recipe says otherwise.
Json architecture_parameters(const Registry& registry, const Recipe& recipe, const Dataset& data) {
  Json parameters = recipe.architecture;
  const std::string name = recipe.model.substr(0, recipe.model.find('('));
  const TypeInfo* info =
      fs::exists(recipe.model) ? nullptr : registry.find(Kind::architecture, name);
  if (!info) return parameters;
  const Call given = parse_call(registry, Kind::architecture, recipe.model, "model");
  const auto open = [&](const char* key) {
    return info->schema.find(key) && !given.parameters.find(key) && !parameters.find(key);
  };
  if (open("classes") && !data.classes().empty()) parameters["classes"] = data.classes().size();
  if (open("input_shape")) {
    Json shape = Json::list();
    const Shape item = data.item_shape();
    for (const int extent : item.extents()) shape.push_back(extent);
    parameters["input_shape"] = shape;
  }
  return parameters;
}

}  // namespace

Json read_recipe_file(const std::string& name) {
  if (fs::is_regular_file(name)) return Json::parse(read_text(name), name);
  // bin/ and share/ lie side by side in the build tree and in the installed tree.
  const fs::path folder =
      fs::read_symlink("/proc/self/exe").parent_path().parent_path() / "share/ocellus/recipes";
  std::vector<std::string> known;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    known.push_back(it->path().stem());
  const fs::path shipped = folder / (name + ".json");
  if (!fs::is_regular_file(shipped))
    throw UsageError(fmt::format("no recipe '{}'{}", name, suggestion(name, known)));
  return Json::parse(read_text(shipped), shipped.string());
}

Json to_json(const Recipe& r) {
  return Json::Object{{"model", r.model},
                      {"architecture", r.architecture},
                      {"weights", r.weights},
                      {"by_name", r.by_name},
                      {"skip_mismatch", r.skip_mismatch},
                      {"no_top", r.no_top},
                      {"classes", r.classes},
                      {"input_shape", r.input_shape},
                      {"format", r.format},
                      {"data", r.data},
                      {"validation_data", r.validation_data},
                      {"preprocess", r.preprocess},
                      {"epochs", r.epochs},
                      {"batch", r.batch},
                      {"seed", r.seed.value},
                      {"optimizer", r.optimizer},
                      {"loss", r.loss},
                      {"schedule", r.schedule},
                      {"augment", r.augment},
                      {"metrics", Json::list_of(r.metrics)},
                      {"validation_split", r.validation_split},
                      {"patience", r.patience},
                      {"clip_norm", r.clip_norm},
                      {"checkpoint_every", r.checkpoint_every}};
}

Trained train_recipe(Tool& tool, const Recipe& recipe, const std::function<fs::path()>& make_folder,
                     bool resume) {
  Trained t;
  t.metrics = recipe.metrics;
  TrainingOptions options = training_options(tool.registry(), recipe);
  const auto training = open_data(tool, recipe.data, "train");
  std::shared_ptr<Dataset> validation;
  if (!recipe.validation_data.empty()) validation = open_data(tool, recipe.validation_data, "test");
  tool.choose_model({recipe.weights,
                     {recipe.by_name, recipe.skip_mismatch},
                     recipe.input_shape,
                     recipe.classes,
                     recipe.no_top});
  ModelDocument document =
      tool.open_model(recipe.model, architecture_parameters(tool.registry(), recipe, *training));
  bool assumed = false;
  document.preprocessing = choose_preprocessing(recipe, document, *training, &assumed);
  if (document.classes.empty()) document.classes = training->classes();
  if (assumed)
    tool.terminal.info(fmt::format("preprocessing: {} (assumed; --preprocess sets another)",
                                   document.preprocessing->str()));

  if (go_on_with_optimizer(recipe, document, options))
    tool.terminal.info(fmt::format("optimizer: {} of the model, after {} steps", options.optimizer,
                                   document.optimizer->iteration));

  tool.seed.value = recipe.seed.value;
  t.network = tool.place(document, Placement::arenas);
  const fs::path folder = make_folder();
  write_atomically(folder / "recipe.json", to_json(recipe).dump(2) + "\n");
  t.model = options.checkpoint = folder / (recipe.format == "keras" ? "model.keras" : "model.h5");
  options.resume = resume;
  Trainer trainer(tool.registry(), *t.network, training, validation, options);
  try {
    t.history = trainer.run(tool.terminal, tool.terminal);
  } catch (const Interrupted& e) {
    throw Interrupted(
        fmt::format("{}; 'ocellus train --resume --out {}' goes on", e.what(), folder.string()));
  }
  save_model(tool.registry(), trainer.document(), t.model.string(), tool.terminal);
  write_atomically(folder / "history.json", history_json(t.history, t.metrics).dump(2) + "\n");
  write_atomically(folder / "history.csv", history_csv(t.history, t.metrics));
  return t;
}

}  // namespace ocellus::tools
