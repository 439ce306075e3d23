#include "ocellus/core/published.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>

#include "ocellus/core/error.hpp"
#include "ocellus/core/file.hpp"
#include "ocellus/core/text.hpp"
#include "ocellus/opencl/cache.hpp"
#include "ocellus_core_files.hpp"

namespace ocellus {
namespace fs = std::filesystem;
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

// A misspelt key would silently leave a file unverified.
void check_keys(const Json& object, const std::vector<std::string>& known,
                const std::string& where) {
  for (const auto& [key, value] : object.as_object())
    if (std::ranges::find(known, key) == known.end())
      throw DataError(fmt::format("{}: unknown key '{}'{}", where, key, suggestion(key, known)));
}

// Names become names of files and folders in the cache and must stay there.
std::string file_name(const Json& value, const std::string& where) {
  const std::string& name = value.as_string();
  if (name.empty() || name[0] == '.' || name.find_first_of("/\\\0\n", 0, 4) != std::string::npos)
    throw DataError(fmt::format("{}: '{}' is not a plain name of a file", where, name));
  return name;
}

std::string checked_hash(const std::string& hash, const std::string& where) {
  const size_t digits = hash.starts_with("sha256:") ? 64 : hash.starts_with("md5:") ? 32 : 0;
  const size_t colon = hash.find(':');
  if (hash.empty()) return hash;
  if (!digits || hash.size() != colon + 1 + digits ||
      hash.find_first_not_of("0123456789abcdef", colon + 1) != std::string::npos)
    throw DataError(
        fmt::format("{}: hash '{}' is neither sha256: and 64 nor md5: and 32 digits", where, hash));
  return hash;
}

PublishedFile parse_file(const Json& json, const std::string& where) {
  check_keys(json, {"name", "address", "size", "hash", "unpack"}, where);
  PublishedFile file;
  file.name = file_name(json.at("name"), where);
  file.address = json.at("address").as_string();
  if (!file.address.starts_with("http://") && !file.address.starts_with("https://"))
    throw DataError(
        fmt::format("{}: address '{}' is neither http:// nor https://", where, file.address));
  if (const int64_t size = json.get("size", int64_t{-1}); size >= 0) file.size = size;
  file.hash = checked_hash(json.get("hash", ""), where);
  if (const Json* members = json.find("unpack"))
    for (const Json& member : members->as_list()) file.unpack.push_back(file_name(member, where));
  return file;
}

Published parse_item(const Json& json, const std::string& list) {
  Published item;
  item.name = file_name(json.at("name"), list);
  const std::string where = fmt::format("{}: {}", list, item.name);
  check_keys(
      json,
      {"name", "about", "licence", "architecture", "parameters", "preprocessing", "needs", "files"},
      where);
  item.about = json.get("about", "");
  item.licence = json.get("licence", "");
  item.architecture = json.get("architecture", "");
  item.preprocessing = json.get("preprocessing", "");
  item.parameters = Json::object();
  if (const Json* parameters = json.find("parameters")) item.parameters = *parameters;
  item.parameters.as_object();
  if (const Json* needs = json.find("needs"))
    for (const Json& name : needs->as_list()) item.needs.push_back(name.as_string());
  for (const Json& file : json.at("files").as_list()) item.files.push_back(parse_file(file, where));
  if (item.files.empty()) throw DataError(fmt::format("{}: it has no files", where));
  return item;
}

void read_list(std::string_view text, const std::string& where, std::vector<Published>& items) {
  const Json list = Json::parse(text, where);
  if (list.get("schema", "") != "ocellus published 1")
    throw DataError(fmt::format("{}: its schema is '{}', not 'ocellus published 1'", where,
                                list.get("schema", "")));
  check_keys(list, {"schema", "items"}, where);
  for (const Json& json : list.at("items").as_list()) {
    Published item = parse_item(json, where);
    const auto same = std::ranges::find(items, item.name, &Published::name);
    if (same == items.end())
      items.push_back(std::move(item));
    else
      *same = std::move(item);
  }
}

fs::path require(const Published& item) {
  if (!item.is_cached())
    throw DataError(fmt::format("{0}: not in the cache; run: ocellus fetch {0}", item.name));
  return item.folder();
}

bool equal(const Json& a, const Json& b) {
  return a.is_number() && b.is_number() ? a.as_double() == b.as_double() : a == b;
}

bool fits(const Published& item, const Json& parameters) {
  return std::ranges::all_of(item.parameters.as_object(), [&](const auto& wanted) {
    const Json* given = parameters.find(wanted.first);
    return given && equal(*given, wanted.second);
  });
}

}  // namespace

fs::path Published::folder() const {
  const fs::path cache = cache_folder();
  return cache.empty() ? cache : cache / "published" / name;
}

std::vector<std::string> Published::contents() const {
  std::vector<std::string> names;
  for (const PublishedFile& file : files) {
    if (file.unpack.empty()) names.push_back(file.name);
    names.insert(names.end(), file.unpack.begin(), file.unpack.end());
  }
  return names;
}

bool Published::is_cached() const {
  const fs::path where = folder();
  return !where.empty() && std::ranges::all_of(contents(), [&](const std::string& file) {
    std::error_code ignored;
    return fs::is_regular_file(where / file, ignored);
  });
}

fs::path cache_folder() { return opencl::cache_folder(); }

std::vector<Published> published_items(const std::vector<fs::path>& more) {
  std::vector<Published> items;
  read_list(files::published_json(), "the list that ships", items);
  if (const fs::path own = environment("OCELLUS_PUBLISHED"); !own.empty())
    read_list(read_text(own), own.string(), items);
  for (const fs::path& list : more) read_list(read_text(list), list.string(), items);
  return items;
}

fs::path published_folder(const std::string& name) {
  const std::vector<Published> items = published_items();
  const auto found = std::ranges::find(items, name, &Published::name);
  if (found != items.end()) return require(*found);
  std::vector<std::string> known;
  for (const Published& item : items) known.push_back(item.name);
  throw UsageError(fmt::format("no list of published items has '{}'{}; see: ocellus fetch", name,
                               suggestion(name, known)));
}

fs::path published_weights(const std::string& architecture, const Json& parameters) {
  std::vector<std::string> there;
  for (const Published& item : published_items()) {
    if (item.architecture != architecture) continue;
    if (fits(item, parameters)) return require(item) / item.contents().front();
    there.push_back(fmt::format("{} for {}", item.name, item.parameters.dump()));
  }
  if (there.empty()) throw UsageError(fmt::format("{}: no weights are published", architecture));
  throw UsageError(fmt::format("{}: no weights are published for {}; there are {}", architecture,
                               parameters.dump(), fmt::join(there, ", ")));
}

std::string published_preprocessing(const std::string& architecture, const std::string& file_name) {
  for (const Published& item : published_items())
    if (item.architecture == architecture && item.contents().front() == file_name)
      return item.preprocessing;
  return {};
}

std::vector<std::string> imagenet_classes() {
  const std::vector<Published> items = published_items();
  const auto item = std::ranges::find(items, "imagenet-classes", &Published::name);
  if (item == items.end() || !item->is_cached()) return {};
  const fs::path file = item->folder() / item->contents().front();
  // {"0": ["n01440764", "tench"], ...}
  const Json index = Json::parse(read_text(file), file.string());
  std::vector<std::string> names;
  for (size_t i = 0; i < index.size(); ++i)
    names.push_back(index.at(std::to_string(i)).at(1).as_string());
  return names;
}

}  // namespace ocellus
