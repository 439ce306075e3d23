#pragma once

#include "ocellus/core/network.hpp"

namespace ocellus {

/// Largest difference between the logits that a placed network gives for the sample's input and
/// those that the sample holds, relative to the largest of these. Throws DataError where shapes
/// differ or the network has several inputs.
OCELLUS_API double verify_sample(Network& network, const SampleRecord& sample);

/// The same, as a DataError that names the numbers where they differ by more than 1e-3 (far above
/// rounding, far below what a wrong weight does). `model` stands in messages.
OCELLUS_API void check_sample(Network& network, const SampleRecord& sample,
                              const std::string& model);

}  // namespace ocellus
