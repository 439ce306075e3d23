#include "ocellus/core/registry.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "loader.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/text.hpp"
#include "platform/platform.hpp"

namespace ocellus {
namespace fs = std::filesystem;

const char* to_string(Kind kind) {
  switch (kind) {
    case Kind::layer:
      return "layer";
    case Kind::activation:
      return "activation";
    case Kind::loss:
      return "loss";
    case Kind::metric:
      return "metric";
    case Kind::optimizer:
      return "optimizer";
    case Kind::schedule:
      return "schedule";
    case Kind::augmenter:
      return "augmenter";
    case Kind::dataset:
      return "dataset";
    case Kind::model_format:
      return "model format";
    case Kind::architecture:
      return "architecture";
    case Kind::analyzer:
      return "analyzer";
    case Kind::classifier:
      return "classifier";
  }
  return "unknown";
}

const std::vector<std::string>& reserved_flags() {
  static const std::vector<std::string> flags = {
      "batch",         "budget",  "by_name", "classes",     "csv",     "data",
      "device",        "force",   "help",    "input_shape", "json",    "model",
      "no_top",        "npy",     "out",     "plugin",      "png",     "preprocess",
      "print_recipe",  "profile", "quiet",   "resume",      "seed",    "set",
      "skip_mismatch", "target",  "trust",   "verbose",     "version", "weights"};
  return flags;
}

fs::path default_plugin_directory() {
  return platform::this_library().parent_path() / "ocellus" / "plugins";
}

TypeInfo& TypeInfo::with_activation() {
  takes_activation = true;
  ParameterInfo activation;
  activation.name = "activation";
  activation.default_value = "linear";
  activation.help = "activation function applied to the output";
  schema.parameters.push_back(std::move(activation));
  return *this;
}

Registrar::Registrar(std::string plugin) : plugin_(std::move(plugin)) {}

TypeInfo& Registrar::add(TypeInfo info) {
  info.plugin = plugin_;
  return *types_.emplace_back(std::make_unique<TypeInfo>(std::move(info)));
}

namespace {

using Key = std::pair<Kind, std::string>;

std::string label(const TypeInfo& t) { return fmt::format("{} '{}'", to_string(t.kind), t.name); }

// What a type declares of itself must hold: a default outside its own range would surface only at
// the first user.
void check_declaration(const TypeInfo& t) {
  if (t.name.empty() || !t.create)
    throw PluginError(fmt::format("{} has no {}", label(t), t.create ? "name" : "create function"));
  for (const ParameterInfo& p : t.schema.parameters) {
    if (p.name.empty() || t.schema.find(p.name) != &p)
      throw PluginError(
          fmt::format("{} declares the parameter '{}' twice or without a name", label(t), p.name));
    const auto& reserved = reserved_flags();
    if (t.kind == Kind::analyzer &&
        std::find(reserved.begin(), reserved.end(), p.name) != reserved.end())
      throw PluginError(
          fmt::format("{}: parameter '{}' clashes with the flag --{} of every tool; rename it",
                      label(t), p.name, p.name));
    try {
      if (!p.is_required)
        t.schema.check_value(p, p.default_value, fmt::format("default of {}", label(t)));
    } catch (const UsageError& e) {
      throw PluginError(e.what());
    }
  }
}

}  // namespace

struct Registry::State {
  std::map<Key, std::unique_ptr<TypeInfo>> types;
  std::map<std::string, const TypeInfo*, std::less<>> keras_layers;
  std::vector<PluginRecord> plugins;

  // Checks everything, then moves everything in: nothing can fail half-way.
  void commit(std::vector<std::unique_ptr<TypeInfo>>& staged) {
    std::map<Key, const TypeInfo*> fresh;
    std::map<std::string, const TypeInfo*, std::less<>> fresh_keras;
    for (const auto& t : staged) {
      check_declaration(*t);
      const auto old = types.find({t->kind, t->name});
      const auto [twin, is_new] = fresh.emplace(Key{t->kind, t->name}, t.get());
      if (old != types.end() || !is_new)
        throw PluginError(fmt::format(
            "{} of plugin '{}' is already registered by plugin '{}'", label(*t), t->plugin,
            old != types.end() ? old->second->plugin : twin->second->plugin));
      for (const std::string& name : t->keras_names) {
        const auto claimed = keras_layers.find(name);
        if (claimed != keras_layers.end() || !fresh_keras.emplace(name, t.get()).second)
          throw PluginError(fmt::format(
              "{} of plugin '{}' claims the Keras layer '{}', which is claimed by {}", label(*t),
              t->plugin, name,
              label(claimed != keras_layers.end() ? *claimed->second : *fresh_keras[name])));
      }
    }
    for (auto& t : staged) types.emplace(Key{t->kind, t->name}, std::move(t));
    keras_layers.merge(fresh_keras);
  }

  const PluginRecord* loaded(auto matches) const {
    const auto it = std::find_if(plugins.begin(), plugins.end(),
                                 [&](const PluginRecord& p) { return p.loaded && matches(p); });
    return it == plugins.end() ? nullptr : &*it;
  }

  // "; not loaded: FILE (reason)": the type that is missing may be in there.
  std::string refusals() const {
    std::string text;
    for (const PluginRecord& p : plugins)
      if (!p.loaded) text += fmt::format("{}{}", text.empty() ? "; not loaded: " : ", ", p.reason);
    return text;
  }
};

Registry::Registry() : state_(std::make_unique<State>()) {}
Registry::~Registry() = default;

void Registry::add(const std::string& plugin,
                   const std::function<void(Registrar&)>& register_types) {
  if (state_->loaded([&](const PluginRecord& p) { return p.id == plugin; }))
    throw PluginError(fmt::format("a plugin with the id '{}' is already loaded", plugin));
  Registrar registrar(plugin);
  register_types(registrar);
  state_->commit(registrar.types_);
  PluginRecord record;
  record.id = record.name = plugin;
  record.loaded = true;
  state_->plugins.push_back(std::move(record));
}

namespace {

// What a plugin throws while it registers becomes a refusal that names the file; foreign exceptions
// too.
void run_register(const fs::path& file, void (*register_types)(Registrar&), Registrar& registrar) {
  std::string what;
  try {
    return register_types(registrar);
  } catch (const std::exception& e) {
    what = e.what();
  } catch (...) {
    what = "an exception of unknown type";
  }
  throw PluginError(
      fmt::format("{}: failed while it registered its types: {}", file.string(), what));
}

}  // namespace

void Registry::load(const fs::path& file) {
  std::error_code ignored;
  const fs::path canonical = fs::weakly_canonical(file, ignored);
  if (state_->loaded([&](const PluginRecord& p) { return p.file == canonical; })) return;
  PluginRecord record;
  record.file = canonical;
  try {
    const PluginDescriptor d = scan_plugin(file);
    record.id = d.id;
    record.name = d.name;
    record.version = d.version;
    record.licence = d.licence;
    if (const auto* twin = state_->loaded([&](const PluginRecord& p) { return p.id == record.id; }))
      throw PluginError(fmt::format("{}: a plugin with the id '{}' is already loaded{}",
                                    file.string(), record.id,
                                    twin->file.empty() ? "" : " from " + twin->file.string()));
    Registrar registrar(record.id);
    run_register(file, open_plugin(file, d), registrar);
    try {
      state_->commit(registrar.types_);
    } catch (const PluginError& e) {
      throw PluginError(fmt::format("{}: {}", file.string(), e.what()));
    }
    record.loaded = true;
    state_->plugins.push_back(std::move(record));
  } catch (const PluginError& e) {
    record.reason = e.what();
    state_->plugins.push_back(std::move(record));
    throw;
  }
}

void Registry::load_directory(const fs::path& directory) {
  std::error_code error;
  std::vector<fs::path> files;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error))
    if (it->path().extension() == ".so") files.push_back(it->path());
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) {
    try {
      load(file);
    } catch (const PluginError&) {
      // Kept in plugins(): a run fails only if it needs what is missing.
    }
  }
}

void Registry::load_default(const std::vector<fs::path>& extra) {
  load_directory(default_plugin_directory());
  if (const char* path = std::getenv("OCELLUS_PLUGIN_PATH"))
    for (const std::string& directory : split(path, ':'))
      // An empty entry would mean the current directory, which is never searched.
      if (!directory.empty()) load_directory(directory);
  for (const fs::path& file : extra) load(file);
}

const TypeInfo* Registry::find(Kind kind, std::string_view name) const {
  const auto it = state_->types.find({kind, std::string(name)});
  return it == state_->types.end() ? nullptr : it->second.get();
}

const TypeInfo* Registry::find_keras_layer(std::string_view keras_name) const {
  const auto it = state_->keras_layers.find(keras_name);
  return it != state_->keras_layers.end() ? it->second : find(Kind::layer, keras_name);
}

const TypeInfo& Registry::get(Kind kind, std::string_view name) const {
  if (const TypeInfo* found = find(kind, name)) return *found;
  std::vector<std::string> names;
  for (const TypeInfo* t : all(kind)) names.push_back(t->name);
  const std::string message =
      fmt::format("no {} '{}'{}", to_string(kind), name, suggestion(name, names));
  if (!nearest(name, names).empty()) throw UsageError(message);
  throw PluginError(message + state_->refusals());
}

std::vector<const TypeInfo*> Registry::all(Kind kind) const {
  std::vector<const TypeInfo*> found;
  for (const auto& [key, type] : state_->types)
    if (key.first == kind) found.push_back(type.get());
  return found;
}

const std::vector<PluginRecord>& Registry::plugins() const { return state_->plugins; }

}  // namespace ocellus
