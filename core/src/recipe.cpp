#include "ocellus/core/recipe.hpp"

#include <fmt/format.h>

#include "ocellus/core/call.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/text.hpp"

namespace ocellus {

const Parameters<Recipe>& recipe_parameters() {
  static const Parameters<Recipe> parameters = [] {
    Parameters<Recipe> p;
    p.add("model", &Recipe::model,
          "model file, architecture (lenet5), or typed: '28x28x1: conv3(32) pool dense(10)'");
    p.add("architecture", &Recipe::architecture, "parameters of the architecture, as an object");
    p.add("weights", &Recipe::weights,
          "file whose weights the model begins with; imagenet: the published ones of a zoo name");
    p.add("by_name", &Recipe::by_name, "weights go to the layers of their names, not by position");
    p.add("skip_mismatch", &Recipe::skip_mismatch,
          "weights that do not fit are left out with a warning");
    p.add("no_top", &Recipe::no_top, "a zoo name without its classifier");
    p.add("classes", &Recipe::classes, "number of classes of a zoo name; 0: as the data have")
        .min(0);
    p.add("input_shape", &Recipe::input_shape,
          "height x width x channels of a zoo name, or where a file leaves them open: 224x224x3");
    p.add("format", &Recipe::format, "the model's file: model.h5, or model.keras, the archive")
        .one_of({"keras_hdf5", "keras"});
    p.add("data", &Recipe::data,
          "training data: fashion-mnist, idx:DIR, cifar10:DIR, folder:DIR, hdf5:FILE");
    p.add("validation_data", &Recipe::validation_data,
          "validation data; empty: the last part of the training data");
    p.add("preprocess", &Recipe::preprocess,
          "pixels to inputs: none, unit, tf, torch, caffe; empty: the model's own, else unit");
    p.add("epochs", &Recipe::epochs, "passes over the training data").min(1);
    p.add("batch", &Recipe::batch, "images a step").min(1);
    p.add("seed", &Recipe::seed, "same seed, same weights");
    p.add(
        "optimizer", &Recipe::optimizer,
        "as 'Adam(learning_rate=0.01)'; null: the model's own, going on from its state, else Adam");
    p.add("loss", &Recipe::loss, "loss; null: by the network's last layer");
    p.add("schedule", &Recipe::schedule,
          "factor on the learning rate over time, as 'cosine_decay'; null: none");
    p.add("augment", &Recipe::augment,
          "list of augmenters: '[\"RandomFlip\", \"RandomTranslation(height_factor=0.1)\"]'");
    p.add("metrics", &Recipe::metrics, "what to report besides the loss");
    p.add("validation_split", &Recipe::validation_split,
          "share of the training data kept for validation")
        .min(0)
        .max(0.9);
    p.add("patience", &Recipe::patience,
          "stop after so many epochs without a better validation loss; 0: never")
        .min(0);
    p.add("clip_norm", &Recipe::clip_norm, "bound of the gradient's norm; 0: none").min(0);
    p.add("checkpoint_every", &Recipe::checkpoint_every,
          "steps between checkpoints within an epoch; 0: at its end only")
        .min(0);
    return p;
  }();
  return parameters;
}

void set_key(Json& recipe, const std::string& assignment) {
  const size_t equals = assignment.find('=');
  if (equals == std::string::npos || equals == 0)
    throw UsageError(fmt::format("--set {}: expected key=value", assignment));
  const std::vector<std::string> path = split(std::string_view(assignment).substr(0, equals), '.');
  Json* at = &recipe;
  for (const std::string& key : path) {
    // "optimizer.learning_rate" where the recipe says "optimizer": "Adam": the short form becomes
    // the long one.
    if (at->is_string()) *at = Json::Object{{"type", *at}};
    if (!at->is_object() && !at->is_null())
      throw UsageError(fmt::format("--set {}: '{}' is not inside an object", assignment, key));
    at = &(*at)[key];
  }
  ParameterInfo any;
  any.type = ParameterInfo::Type::json;
  *at = Schema().from_text(any, assignment.substr(equals + 1), "--set " + path.back());
}

namespace {

// The type's name and its parameters, checked.
std::pair<std::string, Json> checked_call(const Registry& registry, Kind kind, const Json& written,
                                          const std::string& key) {
  if (written.is_null() || written == Json("")) return {"", Json::object()};
  const Call call = parse_call(registry, kind, written, key);
  return {call.type,
          registry.get(kind, call.type).schema.check(call.parameters, key + " " + call.type)};
}

}  // namespace

TrainingOptions training_options(const Registry& registry, const Recipe& recipe) {
  TrainingOptions o;
  o.epochs = recipe.epochs;
  o.batch = recipe.batch;
  o.seed = static_cast<uint64_t>(recipe.seed.value);
  std::tie(o.optimizer, o.optimizer_parameters) =
      checked_call(registry, Kind::optimizer, recipe.optimizer, "optimizer");
  std::tie(o.loss, o.loss_parameters) = checked_call(registry, Kind::loss, recipe.loss, "loss");
  std::tie(o.schedule, o.schedule_parameters) =
      checked_call(registry, Kind::schedule, recipe.schedule, "schedule");
  if (o.optimizer.empty()) o.optimizer = TrainingOptions{}.optimizer;
  // One augmenter alone need not stand in a list.
  const Json augment = recipe.augment.is_list() ? recipe.augment : Json(Json::List{recipe.augment});
  for (const Json& a : augment.as_list())
    o.augmenters.push_back(checked_call(registry, Kind::augmenter, a, "augment"));
  for (const std::string& m : recipe.metrics) registry.get(Kind::metric, m);
  o.metrics = recipe.metrics;
  o.validation_split = recipe.validation_split;
  o.patience = recipe.patience;
  o.clip_norm = recipe.clip_norm;
  o.checkpoint_every = recipe.checkpoint_every;
  return o;
}

bool go_on_with_optimizer(const Recipe& recipe, const ModelDocument& model,
                          TrainingOptions& options) {
  const bool named = !recipe.optimizer.is_null() && !(recipe.optimizer == Json(""));
  if (named || !model.optimizer) return false;
  options.optimizer = model.optimizer->type;
  options.optimizer_parameters = model.optimizer->parameters;
  options.state = model.optimizer;
  return true;
}

Preprocessing choose_preprocessing(const Recipe& recipe, const ModelDocument& model,
                                   const Dataset& data, bool* assumed) {
  if (assumed) *assumed = recipe.preprocess.empty() && !model.preprocessing;
  if (!recipe.preprocess.empty()) return Preprocessing::named(recipe.preprocess);
  if (model.preprocessing) return *model.preprocessing;
  return Preprocessing::named(data.item_type() == DType::u8 ? "unit" : "none");
}

}  // namespace ocellus
