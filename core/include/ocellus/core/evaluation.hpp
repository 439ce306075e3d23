#pragma once

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

/// Loss and metrics over the epochs, as pictures.
OCELLUS_API Results training_curves(const History& history,
                                    const std::vector<std::string>& metrics);
/// {"metrics": [...], "epochs": [{"epoch": 1, "loss": ...}, ...]}, and the same as CSV.
OCELLUS_API Json history_json(const History& history, const std::vector<std::string>& metrics);
OCELLUS_API std::string history_csv(const History& history,
                                    const std::vector<std::string>& metrics);

}  // namespace ocellus
