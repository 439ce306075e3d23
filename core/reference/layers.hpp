#pragma once

#include <functional>
#include <map>
#include <string>

#include "ocellus/core/reference.hpp"

namespace ocellus::reference {

/// Forward passes of the built-in layers by name. A parameter `activation` is not applied: core
/// makes it a node of its own. Layers of other plugins bring theirs along (TypeInfo::reference).
const std::map<std::string, Reference>& layers();

/// The built-in activations by name, each element by itself ("softmax" looks at rows: see
/// primitives.hpp).
const std::map<std::string, std::function<double(double)>>& activations();

// Parts of layers(), in files of their own.
std::vector<ReferenceTensor> batch_normalization(const ReferenceCall& call);
std::vector<ReferenceTensor> normalization(const ReferenceCall& call);
std::vector<ReferenceTensor> rescaling(const ReferenceCall& call);
std::vector<ReferenceTensor> dropout(const ReferenceCall& call);

}  // namespace ocellus::reference
