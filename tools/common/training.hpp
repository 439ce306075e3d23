#pragma once

#include <filesystem>
#include <functional>
#include <memory>

#include "ocellus/core/network.hpp"
#include "ocellus/core/recipe.hpp"
#include "ocellus/core/trainer.hpp"
#include "tool.hpp"

namespace ocellus::tools {

/// What training leaves behind.
struct Trained {
  std::unique_ptr<Network> network;
  History history;
  std::vector<std::string> metrics;
  std::filesystem::path model;  ///< the file
};

/// Trains by a recipe into a folder: model.h5 or model.keras (also the checkpoint), recipe.json,
/// history.json, history.csv. With `resume` goes on from the folder's model. Interrupted says how
/// to go on.
Trained train_recipe(Tool& tool, const Recipe& recipe,
                     const std::function<std::filesystem::path()>& make_folder, bool resume);

/// A recipe by its file, or by the name of one that ships: "fashion-mnist" is
/// share/ocellus/recipes/fashion-mnist.json. Throws UsageError with the nearest known name.
Json read_recipe_file(const std::string& name);

/// The recipe as JSON, as `--print-recipe` shows it and recipe.json holds it.
Json to_json(const Recipe& recipe);

}  // namespace ocellus::tools
