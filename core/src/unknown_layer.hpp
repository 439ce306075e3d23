#pragma once

#include <vector>

#include "ocellus/core/model_document.hpp"
#include "ocellus/core/registry.hpp"

namespace ocellus {

/// The graph itself, once it is sure that plugins supply all its layers. Throws PluginError for the
/// first that none does: its name, its class, its weights as far as they are known, and what a
/// plugin would have to supply.
const GraphRecord& known_layers(const Registry& registry, const GraphRecord& graph,
                                const std::vector<WeightsRecord>& weights = {});

}  // namespace ocellus
