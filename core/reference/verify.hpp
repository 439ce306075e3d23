#pragma once

#include <string>
#include <vector>

#include "ocellus/core/array.hpp"
#include "ocellus/core/network.hpp"
#include "ocellus/core/progress.hpp"

namespace ocellus::reference {

/// One call of a layer on the device against the float64 reference, fed with what the device itself
/// fed it: errors of the layers before do not count.
struct NodeCheck {
  std::string name, type;
  bool checked = false;  ///< false: no reference
  double error = 0;      ///< max |device - reference|
  double allowed = 0;    ///< 1e-5 sqrt(summed terms) max |reference|
  double largest = 0;    ///< max |reference|
  bool good() const { return !checked || error <= allowed; }
};

struct Verification {
  std::vector<NodeCheck> nodes;
  /// The logits of the fused network, as it runs otherwise, against a reference that is double
  /// precision from the input on. Where a layer has no reference, it goes on from the device's
  /// output of it; allowed: 1e-4 max |reference|.
  NodeCheck logits;
};

/// Runs a placed network on `inputs` (one an input, with batch) in inference. Slow on purpose: the
/// reference is naive. Throws Interrupted when asked to stop.
Verification verify(const Registry& registry, Network& network, const std::vector<Array>& inputs,
                    Progress& progress);

}  // namespace ocellus::reference
