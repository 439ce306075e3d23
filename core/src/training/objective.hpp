#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ocellus/core/batches.hpp"
#include "ocellus/core/execution.hpp"
#include "ocellus/core/loss.hpp"
#include "training/penalty.hpp"
#include "training/totals.hpp"

namespace ocellus::training {

/// The loss and the metrics of a network on some data, and the tensors that they look at.
struct Objective {
  std::string loss_name;
  std::shared_ptr<const Loss> loss;
  std::vector<std::shared_ptr<const Metric>> metrics;
  std::string output, logits;  ///< tensor names; the same where the network ends in no probability
  bool loss_on_logits = false;
  std::vector<bool> metric_on_logits;

  /// `loss` empty: by the network's last node and the kind of targets.
  static Objective make(const Registry& registry, const Network& network, bool sparse_targets,
                        const std::string& loss, const Json& loss_parameters,
                        const std::vector<std::string>& metrics);
  const std::string& loss_tensor() const { return loss_on_logits ? logits : output; }
  const std::string& metric_tensor(size_t m) const { return metric_on_logits[m] ? logits : output; }
  /// What an Execution must fetch; the loss's tensor first.
  std::vector<std::string> fetches() const;
};

/// The network with its losses, for one batch size and mode: forward, values, and in training the
/// way back.
class Pass {
 public:
  Pass(Network& network, const Objective& objective, const Batches& data, int batch, bool training,
       const std::vector<std::string>& also_fetch = {});
  Tensor images() const { return execution_.feed(); }
  Tensor fetch(std::string_view name) const { return execution_.fetch(name); }
  /// images() have been filled; the values of the batch go to `totals`, and are added there.
  /// `penalty` has been measured, and is part of each loss.
  void forward(const Batch& batch, const RunContext& run, Totals& totals, const Penalty& penalty);
  /// Gradients of the batch's mean loss; forward() came before.
  void backward(const Arenas& gradients);
  /// What runs, for the log.
  std::vector<std::string> steps() const { return execution_.steps(); }

 private:
  Network& network_;
  const Objective& objective_;
  int batch_;
  bool training_;
  std::vector<Activity> activities_;
  Execution execution_;
  ActivityPenalty activity_penalty_;
  std::unique_ptr<LossOp> loss_;
  std::vector<std::unique_ptr<LossOp>> metrics_;
};

/// Throws DataError where the data have more classes than the network.
void check_classes(const Network& network, const Dataset& data, bool sparse_targets);

}  // namespace ocellus::training
