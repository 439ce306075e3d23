#pragma once

#include <memory>
#include <string>

#include "ocellus/core/dataset.hpp"
#include "ocellus/core/model_document.hpp"
#include "ocellus/core/schema.hpp"
#include "ocellus/core/trainer.hpp"

namespace ocellus {

/// All that a training is: a JSON file (comments allowed), or the flags of `ocellus train`, which
/// are these keys.
struct Recipe {
  std::string model;  ///< address, see ModelRequest
  Json architecture = Json::object();
  std::string weights;  ///< file whose weights the model begins with, or "imagenet"
  bool by_name = false, skip_mismatch = false;  ///< see WeightsMatching
  bool no_top = false;
  int classes = 0;                    ///< 0: as many as the data have
  std::string input_shape;            ///< "224x224x3"; empty: that of the data
  std::string format = "keras_hdf5";  ///< of the model's file
  std::string data;                   ///< address, see open_dataset()
  std::string validation_data;
  std::string preprocess;  ///< empty: the model's own, else "unit" for bytes and "none" for floats
  int epochs = 10, batch = 128;
  Seed seed{1};
  Json optimizer, loss, schedule;  ///< calls, see parse_call(); null: the model's own with its
                                   ///< state, else Adam; by the network's output; none
  Json augment = Json::list();     ///< list of calls
  std::vector<std::string> metrics = {"accuracy"};
  double validation_split = 0.1;
  int patience = 0;
  double clip_norm = 0;
  int64_t checkpoint_every = 0;
};

/// The schema behind recipes and flags.
OCELLUS_API const Parameters<Recipe>& recipe_parameters();
/// "optimizer.learning_rate=0.01" into the recipe's JSON. Keys are checked later; throws UsageError
/// without '='.
OCELLUS_API void set_key(Json& recipe, const std::string& assignment);
/// Options of the Trainer, with every call parsed and checked. Throws UsageError naming the key.
OCELLUS_API TrainingOptions training_options(const Registry& registry, const Recipe& recipe);
/// Where the recipe names no optimizer, the one that the model was trained with, and its state.
/// Whether there was one.
OCELLUS_API bool go_on_with_optimizer(const Recipe& recipe, const ModelDocument& model,
                                      TrainingOptions& options);
/// What the network is fed with: the recipe's preprocessing, else the model's, else by the type of
/// the data; `assumed` tells the last case.
OCELLUS_API Preprocessing choose_preprocessing(const Recipe& recipe, const ModelDocument& model,
                                               const Dataset& data, bool* assumed = nullptr);

}  // namespace ocellus
