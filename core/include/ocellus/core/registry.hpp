#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ocellus/core/reference.hpp"
#include "ocellus/core/schema.hpp"

namespace ocellus {

/// The kinds of things that plugins supply. A registry key is (kind, name).
enum class Kind {
  layer,
  activation,
  loss,
  metric,
  optimizer,
  schedule,
  augmenter,
  dataset,
  model_format,
  architecture,
  analyzer,
  classifier
};
OCELLUS_API const char* to_string(Kind kind);
inline constexpr Kind all_kinds[] = {Kind::layer,        Kind::activation, Kind::loss,
                                     Kind::metric,       Kind::optimizer,  Kind::schedule,
                                     Kind::augmenter,    Kind::dataset,    Kind::model_format,
                                     Kind::architecture, Kind::analyzer,   Kind::classifier};

/// What the registry knows of one type.
struct OCELLUS_API TypeInfo {
  Kind kind = Kind::layer;
  std::string name;
  std::string help;  ///< one line
  Schema schema;
  std::string plugin;  ///< id of the plugin that registered it
  /// Makes an object (a shared_ptr to the kind's interface class) from checked parameters.
  std::function<std::shared_ptr<void>(const Json& checked)> create;

  /// Layers: Keras class_name or registered_name ("package>MyLayer") under which files may hold it,
  /// besides `name`.
  std::vector<std::string> keras_names;
  /// Layers: has an `activation` parameter, which core expands into a node of its own.
  bool takes_activation = false;
  /// Layers: naive host version for tests, selftest and verify; empty: "no reference".
  Reference reference;

  TypeInfo& with_activation();  ///< adds the parameter `activation` ("linear") to the schema
  TypeInfo& claims(std::string keras_name) {
    keras_names.push_back(std::move(keras_name));
    return *this;
  }
  TypeInfo& with_reference(Reference r) {
    reference = std::move(r);
    return *this;
  }
};

/// Where a plugin puts its types while it registers: nothing reaches the Registry unless all of it
/// does.
class OCELLUS_API Registrar {
 public:
  explicit Registrar(std::string plugin);
  /// Type T (a Layer, Loss, ...; it has T::Interface and T::kind from its base) made from the
  /// struct P of its parameters.
  template <class T, class P>
  TypeInfo& add(std::string name, std::string help, Parameters<P> parameters) {
    TypeInfo info;
    info.kind = T::kind;
    info.name = std::move(name);
    info.help = std::move(help);
    info.schema = parameters.schema();
    info.create = [parameters = std::move(parameters)](const Json& checked) {
      std::shared_ptr<typename T::Interface> object = std::make_shared<T>(parameters.read(checked));
      return std::static_pointer_cast<void>(object);
    };
    return add(std::move(info));
  }
  /// A type without parameters.
  template <class T>
  TypeInfo& add(std::string name, std::string help) {
    TypeInfo info;
    info.kind = T::kind;
    info.name = std::move(name);
    info.help = std::move(help);
    info.create = [](const Json&) {
      std::shared_ptr<typename T::Interface> object = std::make_shared<T>();
      return std::static_pointer_cast<void>(object);
    };
    return add(std::move(info));
  }
  TypeInfo& add(TypeInfo info);

 private:
  friend class Registry;
  std::string plugin_;
  std::vector<std::unique_ptr<TypeInfo>> types_;
};

/// A plugin file that was looked at: loaded, or refused with a reason.
struct PluginRecord {
  std::filesystem::path file;
  std::string id, name, version,
      licence;  ///< empty when the file was refused before they could be read
  bool loaded = false;
  std::string reason;  ///< why not
};

/// Names of flags that every tool understands. An analyzer's parameters become flags, so it may not
/// use these for them.
OCELLUS_API const std::vector<std::string>& reserved_flags();

/// `<libdir>/ocellus/plugins` beside this library: the same place in the build tree and in the
/// installed tree.
OCELLUS_API std::filesystem::path default_plugin_directory();

/// All types of all loaded plugins. An object handed by reference: there is no global one.
class OCELLUS_API Registry {
 public:
  Registry();
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  /// Loads one file; a file that is loaded already is left alone. Throws PluginError naming file,
  /// both values and how to rebuild; the types stay as they were, and plugins() lists the refusal.
  /// A plugin is never unloaded.
  void load(const std::filesystem::path& file);
  /// Loads each .so of a directory in order of name; refusals are kept in plugins() and not thrown.
  void load_directory(const std::filesystem::path& directory);
  /// The directory found relative to this library, then those of OCELLUS_PLUGIN_PATH (separated by
  /// ':'), then the `extra` files (--plugin). In this order a stranger's plugin that repeats a
  /// built-in name is the one that is refused. Only the refusal of an `extra` file is thrown.
  void load_default(const std::vector<std::filesystem::path>& extra = {});
  /// Registers without a file: tests, and programs that embed Ocellus. All or nothing, as load().
  void add(const std::string& plugin, const std::function<void(Registrar&)>& register_types);

  const TypeInfo* find(Kind kind, std::string_view name) const;
  /// Layer by Keras class_name or registered_name, else by name.
  const TypeInfo* find_keras_layer(std::string_view keras_name) const;
  /// Throws PluginError (UsageError when a near name exists): "no layer 'Conv2d'; did you mean
  /// 'Conv2D'?", and names plugins that failed to load.
  const TypeInfo& get(Kind kind, std::string_view name) const;
  /// All of a kind by name.
  std::vector<const TypeInfo*> all(Kind kind) const;
  const std::vector<PluginRecord>& plugins() const;

  /// An object of type T::Interface from what a person wrote. `where` begins the messages of
  /// errors.
  template <class T>
  std::shared_ptr<T> create(std::string_view name, const Json& parameters,
                            const std::string& where) const {
    const TypeInfo& info = get(T::kind, name);
    return std::static_pointer_cast<T>(info.create(info.schema.check(parameters, where)));
  }

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ocellus
