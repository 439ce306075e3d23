#include "ocellus/core/call.hpp"

#include <fmt/format.h>

#include "ocellus/core/error.hpp"
#include "ocellus/core/text.hpp"

namespace ocellus {
namespace {

// "a=1, b=[2, 3]" at the commas that stand outside of brackets.
std::vector<std::string> arguments(std::string_view text) {
  std::vector<std::string> found;
  int depth = 0;
  size_t begin = 0;
  for (size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size())
      depth += (text[i] == '[' || text[i] == '(') - (text[i] == ']' || text[i] == ')');
    if (i < text.size() && (text[i] != ',' || depth != 0)) continue;
    if (const auto argument = trim(text.substr(begin, i - begin)); !argument.empty())
      found.emplace_back(argument);
    begin = i + 1;
  }
  return found;
}

Call parse_text(const Registry& registry, Kind kind, const std::string& text,
                const std::string& where) {
  const size_t open = text.find('(');
  Call call{std::string(trim(std::string_view(text).substr(0, open)))};
  const TypeInfo& info = registry.get(kind, call.type);
  if (open == std::string::npos) return call;
  const std::string_view tail = trim(std::string_view(text).substr(open + 1));
  if (!tail.ends_with(')'))
    throw UsageError(fmt::format("{}: '{}': a ')' is missing", where, text));
  for (const std::string& argument : arguments(tail.substr(0, tail.size() - 1))) {
    const size_t equals = argument.find('=');
    if (equals == std::string::npos)
      throw UsageError(
          fmt::format("{}: '{}': expected key=value, found '{}'", where, text, argument));
    const std::string key(trim(std::string_view(argument).substr(0, equals)));
    const std::string value(trim(std::string_view(argument).substr(equals + 1)));
    const ParameterInfo* p = info.schema.find(key);
    // An unknown key is left to the strict check, which names the nearest.
    call.parameters[key] = !p ? Json(value)
                           : value.starts_with('[')
                               ? info.schema.check_value(*p, Json::parse(value, where), where)
                               : info.schema.from_text(*p, value, where);
  }
  return call;
}

}  // namespace

Call parse_call(const Registry& registry, Kind kind, const Json& written,
                const std::string& where) {
  if (written.is_string()) return parse_text(registry, kind, written.as_string(), where);
  const Json* type = written.find("type");
  if (!type || !type->is_string())
    throw UsageError(
        fmt::format("{}: expected NAME, NAME(key=value, ...) or {{\"type\": NAME, ...}}, found {}",
                    where, written.dump()));
  Call call{type->as_string(), written};
  call.parameters.erase("type");
  registry.get(kind, call.type);
  return call;
}

}  // namespace ocellus
