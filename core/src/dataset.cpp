#include "ocellus/core/dataset.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "ocellus/core/error.hpp"
#include "ocellus/core/text.hpp"

namespace ocellus {
namespace {

// "scheme:path?key=value&key=value"; a '?' without a '=' behind it belongs to the path.
struct Address {
  std::string scheme, path;
  std::vector<std::pair<std::string, std::string>> options;
};

Address parse(const std::string& text) {
  Address a;
  std::string head = text;
  const size_t question = text.rfind('?');
  if (question != std::string::npos && text.find('=', question) != std::string::npos) {
    head = text.substr(0, question);
    for (const std::string& pair : split(text.substr(question + 1), '&')) {
      const size_t equals = pair.find('=');
      if (equals == std::string::npos || equals == 0)
        throw UsageError(fmt::format("data address '{}': '{}' is not KEY=VALUE", text, pair));
      a.options.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
    }
  }
  const size_t colon = head.find(':');
  a.scheme = head.substr(0, colon);
  if (colon != std::string::npos) a.path = head.substr(colon + 1);
  return a;
}

[[noreturn]] void unknown_scheme(const Registry& registry, const Address& a,
                                 const std::string& text) {
  std::vector<std::string> known;
  for (const TypeInfo* t : registry.all(Kind::dataset)) known.push_back(t->name);
  std::error_code ignored;
  if (std::filesystem::is_directory(text, ignored))
    throw UsageError(
        fmt::format("'{}' is a folder; say what is in it: folder:{} (a class a subfolder), idx:{} "
                    "or cifar10:{}",
                    text, text, text, text));
  throw UsageError(fmt::format("no data set '{}'{}", a.scheme, suggestion(a.scheme, known)));
}

}  // namespace

Dataset::~Dataset() = default;

std::shared_ptr<Dataset> open_dataset(const Registry& registry, const std::string& address,
                                      const std::string& split) {
  const Address a = parse(address);
  const TypeInfo* info = registry.find(Kind::dataset, a.scheme);
  if (!info) unknown_scheme(registry, a, address);
  const std::string where = "data address '" + address + "'";
  Json parameters = Json::object();
  if (info->schema.find("split") && !split.empty()) parameters["split"] = split;
  if (!a.path.empty()) {
    if (!info->schema.find("path"))
      throw UsageError(fmt::format("{}: '{}' takes no path", where, a.scheme));
    parameters["path"] = a.path;
  } else if (info->schema.find("path") && info->schema.find("path")->is_required) {
    throw UsageError(fmt::format("{}: a path must follow: {}:PATH", where, a.scheme));
  }
  for (const auto& [key, value] : a.options) {
    const ParameterInfo* p = info->schema.find(key);
    parameters[key] =
        p ? info->schema.from_text(*p, value, where) : Json(value);  // check() names the unknown
  }
  return std::static_pointer_cast<Dataset>(info->create(info->schema.check(parameters, where)));
}

}  // namespace ocellus
