#pragma once

#include <map>
#include <string>

namespace ocellus::execution {

/// Replaces whole identifiers of an OpenCL C expression: {"x": "v"} turns "x * fmax(x, 0.0f)" into
/// "v * fmax(v, 0.0f)".
std::string substitute(const std::string& expression,
                       const std::map<std::string, std::string>& names);
bool mentions(const std::string& expression, const std::string& name);

}  // namespace ocellus::execution
