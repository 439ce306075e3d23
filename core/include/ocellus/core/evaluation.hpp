#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ocellus/core/results.hpp"
#include "ocellus/core/trainer.hpp"

namespace ocellus {

/// Class with the highest score of each row of scores (N, units); one sigmoid unit stands for two
/// classes, split at 0.5.
OCELLUS_API std::vector<int> predicted_classes(const Array& scores);

/// Counts of (label, prediction) pairs. Throws DataError when the evaluation has no class labels.
OCELLUS_API Matrix confusion_matrix(const Evaluation& evaluation,
                                    const std::vector<std::string>& classes);

/// `count` items of a data set, drawn by the seed (its order may be by class), in its order; the
/// whole where it is not larger.
OCELLUS_API std::shared_ptr<const Dataset> draw_items(std::shared_ptr<const Dataset> data,
                                                      int64_t count, uint64_t seed);

/// How well a model does behind one preprocessing.
struct PreprocessingTrial {
  std::string name;  ///< as Preprocessing::named() takes it; "stored": the model's own, where it is
                     ///< none of the others
  Preprocessing preprocessing;
  bool stored = false;            ///< the model says this one
  double accuracy = 0, loss = 0;  ///< loss: infinite where it overflowed
};

/// Evaluates a placed network behind each preprocessing by name that fits its channels, images of
/// three channels in both orders. Best first: by accuracy, then by loss. The network keeps what it
/// has. `stored`: what the model says. Throws UsageError for a network of other inputs than one
/// image, DataError for data without labels.
OCELLUS_API std::vector<PreprocessingTrial> try_preprocessings(
    const Registry& registry, Network& network, std::shared_ptr<const Dataset> data, int batch,
    const std::string& loss, const std::optional<Preprocessing>& stored, Progress& progress);

/// Loss and metrics over the epochs, as pictures.
OCELLUS_API Results training_curves(const History& history,
                                    const std::vector<std::string>& metrics);
/// {"metrics": [...], "epochs": [{"epoch": 1, "loss": ...}, ...]}, and the same as CSV.
OCELLUS_API Json history_json(const History& history, const std::vector<std::string>& metrics);
OCELLUS_API std::string history_csv(const History& history,
                                    const std::vector<std::string>& metrics);

}  // namespace ocellus
