// How a person names a model: by file, by zoo name, or typed.
#include "ocellus/core/model.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <fstream>

#include "ocellus/core/call.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/file.hpp"
#include "ocellus/core/h5.hpp"
#include "ocellus/core/labels.hpp"
#include "ocellus/core/model_format.hpp"
#include "ocellus/core/published.hpp"
#include "ocellus/core/text.hpp"
#include "ocellus/core/trial.hpp"
#include "ocellus/core/zip.hpp"

namespace ocellus {
namespace fs = std::filesystem;

ModelFormat::~ModelFormat() = default;

void ModelFormat::verify(const fs::path&) const {}
void ModelFormat::read_weights(const fs::path& file, const WeightsMatching&, ModelDocument&,
                               const Registry&) const {
  throw DataError(
      fmt::format("{}: this format cannot give its weights to another model", file.string()));
}
void ModelFormat::annotate(const ModelDocument& document, const fs::path&, const fs::path& to,
                           const Registry& registry, Log& log) const {
  write(document, to, registry, log);
}
Architecture::~Architecture() = default;

namespace {

constexpr const char* native_format = "keras_hdf5";
constexpr const char* published_word = "imagenet";  // in place of a file of weights

bool is_word(std::string_view text) {
  return !text.empty() && !std::isdigit(static_cast<unsigned char>(text[0])) &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
         });
}

// "28x28x1: ...": digits come first, and a ':' behind them.
bool is_typed(std::string_view text) {
  const size_t colon = text.find(':');
  return colon != std::string_view::npos && colon > 0 &&
         std::isdigit(static_cast<unsigned char>(trim(text)[0])) &&
         std::all_of(text.begin(), text.begin() + static_cast<ptrdiff_t>(colon), [](char c) {
           return std::isdigit(static_cast<unsigned char>(c)) || c == 'x' || c == ' ' || c == '-';
         });
}

// A file whose first character that is no space or comment is '{'.
bool looks_like_json(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  char c = 0;
  while (in.get(c) && std::isspace(static_cast<unsigned char>(c))) {
  }
  return in && (c == '{' || c == '/');
}

ModelDocument open_short_form(const Registry& registry, const fs::path& file) {
  const Json j = Json::parse(read_text(file), file.string());
  ModelDocument document;
  document.graph = parse_short_model(registry, j, file.string());
  if (!j.find("name")) document.graph.name = file.stem().string();
  if (const Json* classes = j.find("classes"))
    for (const Json& name : classes->as_list()) document.classes.push_back(name.as_string());
  if (const Json* p = j.find("preprocessing"))
    document.preprocessing = Preprocessing::from_json(*p);
  return document;
}

// What an HDF5 file or a zip archive holds at its root: "; an HDF5 file with the groups a, b".
std::string found_in(const fs::path& file) {
  std::string start(4, '\0');
  std::ifstream in(file, std::ios::binary);
  if (!in.read(start.data(), 4)) return {};
  const auto list = [](const char* what, const std::vector<std::string>& names) {
    constexpr size_t most = 8;
    std::string text;
    for (size_t i = 0; i < std::min(names.size(), most); ++i)
      text += (i ? ", " : "") + names[i].substr(0, 40);
    if (names.size() > most) text += ", ...";
    return fmt::format("; it is {} {}", what, text.empty() ? "nothing" : text);
  };
  try {
    if (start == "\x89HDF") return list("an HDF5 file with", H5Reader(file).members("/"));
    if (start == "PK\x03\x04") return list("a zip archive with", ZipReader(file).entries());
  } catch (const DataError& e) {
    return fmt::format("; {}", e.what());
  }
  return {};
}

bool is_recognized(const Registry& registry, const fs::path& file) {
  const auto formats = registry.all(Kind::model_format);
  return std::any_of(formats.begin(), formats.end(), [&](const TypeInfo* info) {
    return registry.create<ModelFormat>(info->name, Json::object(), info->name)->recognizes(file);
  });
}

// "layer 'a' (Conv2D): it" and "layer 'b' (Conv2D): it" become one line: "2 layers ('a', 'b';
// Conv2D): it".
std::vector<std::string> merge_layer_warnings(const std::vector<std::string>& warnings) {
  constexpr std::string_view start = "layer '";
  constexpr size_t named = 3;
  struct Group {
    std::string text, type, rest;
    std::vector<std::string> layers;
  };
  std::vector<Group> groups;
  for (const std::string& w : warnings) {
    const size_t quote = w.starts_with(start) ? w.find("' (", start.size()) : std::string::npos;
    const size_t end = quote == std::string::npos ? quote : w.find(')', quote);
    if (end == std::string::npos) {
      groups.push_back({w, {}, {}, {}});
      continue;
    }
    const std::string type = w.substr(quote + 3, end - quote - 3), rest = w.substr(end + 1);
    auto group = std::ranges::find_if(groups, [&](const Group& g) {
      return !g.layers.empty() && g.type == type && g.rest == rest;
    });
    if (group == groups.end()) group = groups.insert(group, {w, type, rest, {}});
    group->layers.push_back(w.substr(start.size() - 1, quote + 1 - (start.size() - 1)));
  }
  std::vector<std::string> merged;
  for (Group& g : groups) {
    const size_t count = g.layers.size();
    if (count > named) g.layers.resize(named);
    merged.push_back(count < 2
                         ? g.text
                         : fmt::format("{} layers ({}{}; {}){}", count, fmt::join(g.layers, ", "),
                                       count > named ? ", ..." : "", g.type, g.rest));
  }
  return merged;
}

ModelDocument open_file(const Registry& registry, const fs::path& file, bool trust) {
  // JSON is the short form, where no format knows it as its own.
  if (looks_like_json(file) && !is_recognized(registry, file))
    return open_short_form(registry, file);
  // The library under a format may crash on a damaged file: then it does so in a child.
  if (!trust)
    trial_read(file, [&] {
      const auto format = format_of(registry, file);
      format->verify(file);
      format->read(file, registry);
    });
  ModelDocument document = format_of(registry, file)->read(file, registry);
  document.warnings = merge_layer_warnings(document.warnings);
  return document;
}

void load_weights(const Registry& registry, const fs::path& file, const ModelRequest& request,
                  ModelDocument& document) {
  std::error_code ignored;
  if (!fs::exists(file, ignored))
    throw DataError(fmt::format("{}: no such file of weights", file.string()));
  const auto read = [&](ModelDocument& into) {
    format_of(registry, file)->read_weights(file, request.matching, into, registry);
  };
  if (!request.trust)
    trial_read(file, [&] {
      format_of(registry, file)->verify(file);
      ModelDocument copy = document;
      read(copy);
    });
  read(document);
}

// Weights of a zoo family. Published ones are known by the name of their file; with them come the
// preprocessing they were trained with and, with the classifier, the names of its classes where
// these are in the cache. `parameters`: of the family, defaults filled in.
void load_zoo_weights(const Registry& registry, const std::string& family, const Json& parameters,
                      const ModelRequest& request, ModelDocument& document) {
  const fs::path file = request.weights == published_word ? published_weights(family, parameters)
                                                          : fs::path(request.weights);
  load_weights(registry, file, request, document);
  const std::string preprocessing = published_preprocessing(family, file.filename().string());
  if (preprocessing.empty()) return;
  document.preprocessing = Preprocessing::named(preprocessing);
  if (parameters.get("include_top", true) && parameters.get("classes", 0) == 1000)
    document.classes = imagenet_classes();
}

// "cifar_small(classes=10, input_shape=[32, 32, 3])".
ModelDocument open_architecture(const Registry& registry, const ModelRequest& request) {
  const std::string& address = request.address;
  const size_t open = address.find('(');
  const std::string name(trim(std::string_view(address).substr(0, open)));
  std::vector<std::string> names;
  for (const TypeInfo* info : registry.all(Kind::architecture)) names.push_back(info->name);
  if (!registry.find(Kind::architecture, name))
    throw UsageError(fmt::format("no model file and no architecture is named '{}'{}", name,
                                 suggestion(name, names)));
  Json parameters = parse_call(registry, Kind::architecture, address, "model").parameters;
  if (request.architecture.is_object())
    for (const auto& [key, value] : request.architecture.as_object()) parameters[key] = value;
  ModelDocument document;
  document.graph = registry.create<Architecture>(name, parameters, name)->build();
  if (!request.weights.empty()) {
    const Schema& schema = registry.get(Kind::architecture, name).schema;
    load_zoo_weights(registry, name, schema.check(parameters, name), request, document);
  }
  return document;
}

// Class names that lie beside a model which has none, as Teachable Machine exports them. The names
// of another model are told by their number: it is that of the last weights' columns.
void adopt_labels(const fs::path& model, ModelDocument& document, Log& log) {
  const fs::path file = model.parent_path() / "labels.txt";
  std::error_code ignored;
  if (!document.classes.empty() || !fs::is_regular_file(file, ignored)) return;
  std::vector<std::string> names = read_labels(file);
  const bool fits =
      document.weights.empty() || document.weights.back().values.empty() ||
      document.weights.back().values.back().shape().channels() == static_cast<int>(names.size());
  if (!fits) return log.info(fmt::format("{}: not used: it is of another model", file.string()));
  log.info(fmt::format("class names: the {} of {}", names.size(), file.string()));
  document.classes = std::move(names);
}

// Says the extents that an input leaves open. Of several inputs those with as many axes are meant.
void close_input_shapes(const std::vector<int>& given, const std::string& address,
                        GraphRecord& graph) {
  bool any = false;
  for (LayerRecord& l : graph.layers) {
    Json* shape = l.type == "Input" ? l.parameters.find("shape") : nullptr;
    if (!shape || !shape->is_list() || shape->size() != given.size()) continue;
    for (size_t i = 0; i < given.size(); ++i) {
      Json& extent = shape->as_list()[i];
      if (extent == Json(-1)) extent = given[i];
      if (!(extent == Json(given[i])))
        throw UsageError(fmt::format(
            "{}: axis {} of the input '{}' is {}, not {}: only an open size may be given", address,
            i + 1, l.name, extent.dump(), given[i]));
    }
    any = true;
  }
  if (!any) throw UsageError(fmt::format("{}: no input takes {} sizes", address, given.size()));
}

}  // namespace

std::shared_ptr<ModelFormat> format_of(const Registry& registry, const fs::path& file) {
  std::string known;
  for (const TypeInfo* info : registry.all(Kind::model_format)) {
    const auto format = registry.create<ModelFormat>(info->name, Json::object(), info->name);
    if (format->recognizes(file)) return format;
    known += (known.empty() ? "" : ", ") + info->name;
  }
  throw DataError(fmt::format("{}: not a model in a known format ({}){}", file.string(),
                              known.empty() ? "none is loaded" : known, found_in(file)));
}

ModelDocument open_model(const Registry& registry, const ModelRequest& request, Log& log) {
  const std::string& address = request.address;
  std::error_code ignored;
  ModelDocument document;
  const bool of_zoo = !fs::exists(address, ignored) && !is_typed(address) &&
                      is_word(trim(address.substr(0, address.find('('))));
  if (request.weights == published_word && !of_zoo)
    throw UsageError(fmt::format("weights {}: published weights are for a zoo name, not for '{}'",
                                 published_word, address));
  if (of_zoo) {
    document = open_architecture(registry, request);
  } else if (fs::exists(address, ignored)) {
    if (fs::is_directory(address, ignored))
      throw DataError(fmt::format("{}: is a directory, not a model file", address));
    document = open_file(registry, address, request.trust);
    if (!request.input_shape.empty())
      close_input_shapes(request.input_shape, address, document.graph);
    adopt_labels(address, document, log);
  } else if (is_typed(address)) {
    if (!request.input_shape.empty())
      throw UsageError(fmt::format("'{}': a typed model says its input's shape itself", address));
    document.graph = parse_typed_model(registry, address);
  } else {
    throw DataError(fmt::format("{}: no such model file", address));
  }
  if (!request.weights.empty() && !of_zoo)
    load_weights(registry, request.weights, request, document);
  for (const std::string& warning : document.warnings) log.warning(warning);
  return document;
}

namespace {

std::string format_by_ending(const std::string& file) {
  if (file.ends_with(".weights.h5")) return "keras_weights";
  return file.ends_with(".keras") ? "keras" : native_format;
}

}  // namespace

void save_model(const Registry& registry, const ModelDocument& document, const std::string& file,
                Log& log, const std::string& format) {
  const std::string name = format.empty() ? format_by_ending(file) : format;
  registry.create<ModelFormat>(name, Json::object(), name)->write(document, file, registry, log);
}

}  // namespace ocellus
