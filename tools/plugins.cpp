// ocellus plugins: what is loaded, and what a type takes.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>

#include "ocellus/core/error.hpp"
#include "ocellus/core/text.hpp"
#include "tool.hpp"

namespace ocellus::tools {
namespace {

Json to_json(const PluginRecord& p) {
  Json j = Json::Object{{"file", p.file.string()}, {"id", p.id},           {"name", p.name},
                        {"version", p.version},    {"licence", p.licence}, {"loaded", p.loaded}};
  if (!p.loaded) j["reason"] = p.reason;
  return j;
}

Json to_json(const ParameterInfo& p) {
  Json j = Json::Object{{"name", p.name},
                        {"type", p.type_text()},
                        {"required", p.is_required},
                        {"default", p.default_value}};
  if (!p.choices.empty()) j["choices"] = Json::list_of(p.choices);
  j["help"] = p.help;
  return j;
}

Json to_json(const TypeInfo& t) {
  Json parameters = Json::list();
  for (const auto& p : t.schema.parameters) parameters.push_back(to_json(p));
  return Json::Object{{"kind", to_string(t.kind)},
                      {"name", t.name},
                      {"plugin", t.plugin},
                      {"help", t.help},
                      {"parameters", parameters}};
}

std::string to_text(const TypeInfo& t) {
  std::string text =
      fmt::format("{} {} (plugin {})\n  {}\n", to_string(t.kind), t.name, t.plugin, t.help);
  if (!t.keras_names.empty())
    text += fmt::format("  in Keras files: {}\n", fmt::join(t.keras_names, ", "));
  if (t.reference) text += "  has a host reference\n";
  if (t.schema.parameters.empty()) return text + "  takes no parameters\n";
  std::vector<std::vector<std::string>> rows;
  for (const auto& p : t.schema.parameters)
    rows.push_back({"  " + p.name, p.is_required ? "(required)" : p.default_value.dump(),
                    p.type_text(), p.help});
  return text + format_table({"  parameter", "default", "type", "meaning"}, rows);
}

// All types of that name: a layer and an activation may share one.
std::vector<const TypeInfo*> types_named(const Registry& registry, const std::string& name) {
  std::vector<const TypeInfo*> found;
  std::vector<std::string> names;
  for (const Kind kind : all_kinds)
    for (const TypeInfo* t : registry.all(kind)) {
      names.push_back(t->name);
      if (t->name == name) found.push_back(t);
    }
  if (found.empty())
    throw UsageError(fmt::format("no plugin has a type '{}'{}", name, suggestion(name, names)));
  return found;
}

std::string overview(const Registry& registry) {
  std::string text;
  for (const PluginRecord& p : registry.plugins()) {
    if (!p.loaded) continue;
    text +=
        fmt::format("{} {} ({}, {})\n  {}\n", p.id, p.version, p.name, p.licence, p.file.string());
    for (const Kind kind : all_kinds) {
      std::vector<std::string> names;
      for (const TypeInfo* t : registry.all(kind))
        if (t->plugin == p.id) names.push_back(t->name);
      if (!names.empty())
        text += fmt::format("  {}: {}\n", to_string(kind), fmt::join(names, ", "));
    }
  }
  for (const PluginRecord& p : registry.plugins())
    if (!p.loaded) text += fmt::format("not loaded: {}\n", p.reason);
  return text;
}

void plugins(Tool& tool) {
  std::string name;
  tool.line.argument("NAME", name, false);
  tool.parse();
  const Registry& registry = tool.registry();
  if (name.empty()) {
    if (!tool.json) return tool.print(overview(registry));
    Json plugins = Json::list(), types = Json::list();
    for (const auto& p : registry.plugins()) plugins.push_back(to_json(p));
    for (const Kind kind : all_kinds)
      for (const TypeInfo* t : registry.all(kind)) types.push_back(to_json(*t));
    return tool.print(Json(Json::Object{{"plugins", plugins}, {"types", types}}));
  }
  Json list = Json::list();
  std::string text;
  for (const TypeInfo* t : types_named(registry, name)) {
    list.push_back(to_json(*t));
    text += (text.empty() ? "" : "\n") + to_text(*t);
  }
  tool.json ? tool.print(list) : tool.print(text);
}

}  // namespace
}  // namespace ocellus::tools

int main(int argc, char** argv) {
  return ocellus::tools::run({"plugins", "[NAME] [flags]",
                              "Lists the plugins, what they supply, and what could not be loaded "
                              "and why. With NAME: kind, "
                              "parameters, defaults and help of that type."},
                             argc, argv, ocellus::tools::plugins);
}
