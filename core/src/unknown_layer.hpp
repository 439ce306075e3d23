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

/// Throws PluginError: no plugin supplies the activation of the layer, which `where` names.
[[noreturn]] void refuse_activation(const Registry& registry, const std::string& where,
                                    const std::string& name);

}  // namespace ocellus
