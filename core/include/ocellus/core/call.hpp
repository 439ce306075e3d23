#pragma once

#include <string>

#include "ocellus/core/registry.hpp"

namespace ocellus {

/// A type and its parameters as people write them: "Adam", "Adam(learning_rate=0.01)", or, in a
/// recipe,
/// {"type": "Adam", "learning_rate": 0.01}.
struct Call {
  std::string type;
  Json parameters = Json::object();  ///< as given: defaults are not filled in, unknown keys are for
                                     ///< Schema::check()
};

/// Throws UsageError naming `where` when it is none of these forms, or a value is not of its
/// parameter's type; and what Registry::get() throws when no such type is loaded.
OCELLUS_API Call parse_call(const Registry& registry, Kind kind, const Json& written,
                            const std::string& where);

}  // namespace ocellus
