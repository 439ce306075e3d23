#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ocellus/core/augmenter.hpp"
#include "ocellus/core/batches.hpp"
#include "ocellus/core/execution.hpp"
#include "ocellus/core/loss.hpp"
#include "ocellus/core/optimizer.hpp"
#include "ocellus/core/progress.hpp"

namespace ocellus {

struct TrainingOptions {
  int epochs = 10;
  int batch = 128;
  uint64_t seed = 1;
  std::string optimizer = "Adam", loss,
              schedule;  ///< loss empty: by the network's output and the targets
  Json optimizer_parameters = Json::object(), loss_parameters = Json::object(),
       schedule_parameters = Json::object();
  /// Iteration and slots to begin with, of an optimizer of this type: the model's, where somebody
  /// trained it before. Resuming goes before it.
  std::optional<OptimizerRecord> state;
  std::vector<std::string> metrics = {"accuracy"};
  std::vector<std::pair<std::string, Json>> augmenters;
  double validation_split = 0.1;  ///< of the training data, drawn by the seed, when no validation
                                  ///< data are given; 0: no validation
  int patience = 0;  ///< early stopping after that many epochs without a better validation loss; 0:
                     ///< off. The best weights come back
  double clip_norm = 0;              ///< of the global gradient; 0: off
  std::filesystem::path checkpoint;  ///< model file written every epoch; empty: none
  int64_t checkpoint_every = 0;      ///< and every so many steps
  bool resume = false;               ///< go on from the checkpoint when it exists
};

/// One epoch's numbers.
struct EpochRecord {
  int epoch = 0;  ///< counts from 1
  double loss = 0, validation_loss = 0, learning_rate = 0, seconds = 0, images_per_second = 0;
  std::vector<double> metrics, validation_metrics;  ///< in the order of TrainingOptions::metrics
  bool validated = false;
};
using History = std::vector<EpochRecord>;

/// Fits a network to data. A run that was interrupted and resumed ends with the same bits as one
/// that was not.
class OCELLUS_API Trainer {
 public:
  Trainer(const Registry& registry, Network& network, std::shared_ptr<const Dataset> training,
          std::shared_ptr<const Dataset> validation, TrainingOptions options);
  ~Trainer();
  /// Trains to the end, or until progress.stop_requested(): then a checkpoint is written and
  /// Interrupted thrown.
  History run(Progress& progress, Log& log);
  /// The trained model with optimizer and training state.
  ModelDocument document() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Mean loss and metrics over a data set, with all predictions.
struct Evaluation {
  double loss = 0;
  std::vector<double> metrics;
  int64_t count = 0;
  Array scores;             ///< f32 (N, classes): the network's outputs
  std::vector<int> labels;  ///< empty without class targets
};
OCELLUS_API Evaluation evaluate(const Registry& registry, Network& network,
                                std::shared_ptr<const Dataset> data, int batch,
                                const std::string& loss, const std::vector<std::string>& metrics,
                                Progress& progress);

}  // namespace ocellus
