#pragma once

#include <limits>
#include <string>
#include <vector>

#include "ocellus/core/json.hpp"
#include "ocellus/core/network.hpp"
#include "ocellus/core/trainer.hpp"

namespace ocellus::training {

/// Where a run stands, with all that it needs to go on as if nothing had happened (beside weights
/// and slots).
struct Position {
  int epoch = 0;          ///< that is being trained
  int64_t step = 0;       ///< batches of it that are done
  int64_t iteration = 0;  ///< optimizer steps done
  Json sums;              ///< Totals::save() within an epoch; null at its start
  double seconds = 0;     ///< spent on this epoch
  History history;
  // Early stopping.
  double best_loss = std::numeric_limits<double>::infinity();
  int best_epoch = -1, waited = 0;
  bool stopped = false;
  std::vector<WeightsRecord> best_weights;  ///< kept beside the JSON

  Json to_json() const;
  static Position from_json(const Json& j);
};

/// Slots of an optimizer on the host, slots[s][p] with p a parameter of the network, and back.
std::vector<std::vector<Array>> read_slots(const Network& network,
                                           const std::vector<Arenas>& slots);
void write_slots(const Network& network, const std::vector<std::vector<Array>>& from,
                 const std::vector<Arenas>& slots, const std::string& file);

/// Name of the first layer with a weight that is not finite; empty: none.
std::string find_not_finite(const std::vector<WeightsRecord>& weights);

}  // namespace ocellus::training
