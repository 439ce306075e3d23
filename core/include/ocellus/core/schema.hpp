#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ocellus/core/error.hpp"
#include "ocellus/core/json.hpp"

namespace ocellus {

/// Height and width: "3", "3x5", 3 or [3, 5].
struct Size {
  int h = 1, w = 1;
  bool operator==(const Size&) const = default;
};
/// Low and high: "0.9..1.1" or [0.9, 1.1]; a single x stands for [-x, x], as the factors of Keras'
/// random layers.
struct Interval {
  double low = 0, high = 0;
  bool operator==(const Interval&) const = default;
};
// Strings with a meaning: help, completion and checks differ.
struct LayerName {
  std::string value;
};
struct ClassName {
  std::string value;
};
struct Path {
  std::string value;
};
struct Seed {
  int64_t value = 0;
};

/// One parameter of a pluggable type, as it describes itself.
struct OCELLUS_API ParameterInfo {
  enum class Type {
    boolean,
    integer,
    number,
    string,
    size,
    interval,
    layer,
    class_name,
    path,
    seed,
    json
  };
  std::string name;
  Type type = Type::string;
  bool list = false;      ///< a list of `type`
  bool nullable = false;  ///< null is a value ("strides": null)
  bool is_required = false;
  Json default_value;
  std::optional<double> minimum, maximum;
  std::vector<std::string> choices;
  std::string help;  ///< one line

  ParameterInfo& required() {
    is_required = true;
    return *this;
  }
  ParameterInfo& min(double v) {
    minimum = v;
    return *this;
  }
  ParameterInfo& max(double v) {
    maximum = v;
    return *this;
  }
  ParameterInfo& one_of(std::vector<std::string> words) {
    choices = std::move(words);
    return *this;
  }
  /// "integer, at least 1", "size HxW", "one of valid, same", "list of number", "string or null",
  /// ...
  std::string type_text() const;
};

/// What a type takes. From it come parsing, checking, help, flags and manual.
class OCELLUS_API Schema {
 public:
  std::vector<ParameterInfo> parameters;

  const ParameterInfo* find(std::string_view name) const;
  /// Strict check of what a person wrote: every key known, types and ranges right; fills in
  /// defaults. Throws UsageError "WHERE: unknown parameter 'fliters'; did you mean 'filters'?".
  Json check(const Json& given, const std::string& where) const;
  /// Checks one value and gives its normal form (a size is [h, w], an interval [low, high]). Throws
  /// UsageError.
  Json check_value(const ParameterInfo& parameter, const Json& value,
                   const std::string& where) const;
  /// The value of a flag's text ("3x5", "true", "relu", "0.9..1.1", "a,b,c" for lists). Throws
  /// UsageError.
  Json from_text(const ParameterInfo& parameter, const std::string& text,
                 const std::string& where) const;
};

namespace schema {
// How a C++ type stands in JSON; overloads define what Parameters<P>::add accepts.
#define OCELLUS_SCHEMA_TYPES(X) \
  X(bool)                       \
  X(int)                        \
  X(int64_t)                    \
  X(double) X(std::string) X(Size) X(Interval) X(LayerName) X(ClassName) X(Path) X(Seed) X(Json)
#define OCELLUS_SCHEMA_DECLARE(T)              \
  OCELLUS_API Json to_json(const T&);          \
  OCELLUS_API void from_json(const Json&, T&); \
  OCELLUS_API ParameterInfo::Type type_of(const T*);
OCELLUS_SCHEMA_TYPES(OCELLUS_SCHEMA_DECLARE)
#undef OCELLUS_SCHEMA_DECLARE
template <class T>
Json to_json(const std::vector<T>& v) {
  Json list = Json::list();
  for (const T& i : v) list.push_back(to_json(i));
  return list;
}
template <class T>
void from_json(const Json& j, std::vector<T>& v) {
  v.clear();
  for (const Json& i : j.as_list()) from_json(i, v.emplace_back());
}
template <class T>
Json to_json(const std::optional<T>& v) {
  return v ? to_json(*v) : Json();
}
template <class T>
void from_json(const Json& j, std::optional<T>& v) {
  v.reset();
  if (!j.is_null()) from_json(j, v.emplace());
}
template <class T>
void describe(ParameterInfo& info, const T* t) {
  info.type = type_of(t);
}
template <class T>
void describe(ParameterInfo& info, const std::vector<T>*) {
  info.list = true;
  describe(info, static_cast<const T*>(nullptr));
}
template <class T>
void describe(ParameterInfo& info, const std::optional<T>*) {
  info.nullable = true;
  describe(info, static_cast<const T*>(nullptr));
}
}  // namespace schema

/// Ties a schema to the plain struct that a type works with:
///     struct Options { int filters = 1; std::string padding = "valid"; };
///     Parameters<Options> p;
///     p.add("filters", &Options::filters, "number of output channels").min(1).required();
///     p.add("padding", &Options::padding, "zeros round the input").one_of({"valid", "same"});
/// Defaults are those of the struct.
template <class P>
class Parameters {
 public:
  template <class T>
  ParameterInfo& add(std::string name, T P::*member, std::string help) {
    ParameterInfo info;
    info.name = std::move(name);
    info.help = std::move(help);
    info.default_value = schema::to_json(P{}.*member);
    schema::describe(info, static_cast<const T*>(nullptr));
    readers_.push_back([member, key = info.name](const Json& j, P& p) {
      try {
        schema::from_json(j.at(key), p.*member);
      } catch (const DataError& e) {
        throw UsageError("parameter '" + key + "': " + e.what());
      }
    });
    schema_.parameters.push_back(std::move(info));
    return schema_.parameters.back();
  }
  const Schema& schema() const { return schema_; }
  /// From an object that Schema::check() returned.
  P read(const Json& checked) const {
    P p;
    for (const auto& r : readers_) r(checked, p);
    return p;
  }

 private:
  Schema schema_;
  std::vector<std::function<void(const Json&, P&)>> readers_;
};

}  // namespace ocellus
