#pragma once

#include <string>

#include "ocellus/core/model_document.hpp"
#include "ocellus/core/registry.hpp"

namespace ocellus {

/// Puts another layer in the place of one: the way to run a model with a Lambda, which is code and
/// never executed, or with a layer that nobody supplies. `text` is "NAME=TYPE(key=value, ...)", as
/// in "lambda_1=Rescaling(scale=1/255)": numbers may be fractions, lists stand in brackets, TYPE
/// may be an activation ("lambda_1=relu"). The new layer keeps name, inputs and place in all calls.
/// It keeps the old one's weights only where both are of the same type. Throws UsageError for an
/// unknown name, type or parameter.
OCELLUS_API void replace_layer(const Registry& registry, ModelDocument& document,
                               const std::string& text);

}  // namespace ocellus
