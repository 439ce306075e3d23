#include "ocellus/core/replace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "ocellus/core/error.hpp"
#include "ocellus/core/text.hpp"

namespace ocellus {
namespace {

std::optional<double> number(std::string_view text) {
  text = trim(text);
  double v = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return v;
}

// "[1/2, 3]" -> "[0.5,3]": a fraction stands alone between brackets and commas.
std::string without_fractions(std::string_view text) {
  std::string out;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find_first_of("[],", begin), text.size());
    const std::string_view part = text.substr(begin, end - begin);
    const size_t slash = part.find('/');
    const auto over = number(part.substr(0, slash));
    const auto under = slash == part.npos ? std::nullopt : number(part.substr(slash + 1));
    out += over && under && *under != 0 ? fmt::format("{}", *over / *under) : std::string(part);
    if (end < text.size()) out += text[end];
    begin = end + 1;
  }
  return out;
}

// The parts between commas outside of brackets.
std::vector<std::string> arguments_of(std::string_view text) {
  std::vector<std::string> parts(1);
  int depth = 0;
  for (const char c : text) {
    depth += (c == '[') - (c == ']');
    if (c == ',' && depth == 0)
      parts.emplace_back();
    else
      parts.back() += c;
  }
  if (parts.size() == 1 && trim(parts.front()).empty()) parts.clear();
  return parts;
}

Json read_parameters(const TypeInfo& info, std::string_view inside, const std::string& where) {
  Json parameters = Json::object();
  for (const std::string& argument : arguments_of(inside)) {
    const size_t equals = argument.find('=');
    const std::string key(trim(std::string_view(argument).substr(0, equals)));
    std::vector<std::string> names;
    for (const ParameterInfo& p : info.schema.parameters) names.push_back(p.name);
    const ParameterInfo* p = info.schema.find(key);
    if (!p || equals == std::string::npos)
      throw UsageError(fmt::format("{}: expected parameters as key=value, found '{}'{}", where,
                                   trim(argument), suggestion(key, names)));
    const std::string value =
        without_fractions(trim(std::string_view(argument).substr(equals + 1)));
    parameters[key] = p->list && value.starts_with('[')
                          ? info.schema.check_value(*p, Json::parse(value, where), where)
                          : info.schema.from_text(*p, value, where);
  }
  return info.schema.check(parameters, where);
}

LayerRecord& layer_of(GraphRecord& graph, const std::string& name, const std::string& where) {
  std::vector<std::string> names;
  for (LayerRecord& l : graph.layers) {
    if (l.name == name) return l;
    names.push_back(l.name);
  }
  throw UsageError(
      fmt::format("{}: the model has no layer '{}'{}", where, name, suggestion(name, names)));
}

}  // namespace

void replace_layer(const Registry& registry, ModelDocument& document, const std::string& text) {
  const std::string where = fmt::format("replacement '{}'", text);
  const size_t equals = text.find('='), open = text.find('(', equals);
  if (equals == std::string::npos || (open != std::string::npos && text.back() != ')'))
    throw UsageError(where + ": expected NAME=TYPE or NAME=TYPE(key=value, ...)");
  const std::string name(trim(std::string_view(text).substr(0, equals)));
  const std::string type(trim(std::string_view(text).substr(equals + 1, open - equals - 1)));
  const std::string_view inside =
      open == std::string::npos ? std::string_view()
                                : std::string_view(text).substr(open + 1, text.size() - open - 2);
  LayerRecord& layer = layer_of(document.graph, name, where);
  if (layer.type == "Input") throw UsageError(where + ": an input cannot be replaced");
  Json parameters;
  std::string new_type = type;
  if (!registry.find(Kind::layer, type) && registry.find(Kind::activation, type)) {
    new_type = "Activation";
    parameters = Json::Object{{"activation", type}};
  } else {
    parameters = read_parameters(registry.get(Kind::layer, type), inside, where);
  }
  if (new_type != layer.type)
    for (auto* weights : {&document.weights, &document.best_weights})
      std::erase_if(*weights, [&](const WeightsRecord& w) { return w.layer == name; });
  layer.type = new_type;
  layer.parameters = std::move(parameters);
  layer.foreign = Json::object();
}

}  // namespace ocellus
