#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "ocellus/opencl/api.hpp"

namespace ocellus {

/// A JSON value: configurations of layers, recipes, results. Objects keep the order in which their
/// keys came.
class OCELLUS_API Json {
 public:
  using List = std::vector<Json>;
  using Object = std::vector<std::pair<std::string, Json>>;
  enum class Type { null, boolean, integer, number, string, list, object };

  Json() = default;  ///< null
  Json(std::nullptr_t) {}
  // Templates, so that neither a pointer turns into a bool nor an unsigned into an ambiguity.
  template <std::same_as<bool> T>
  Json(T v) : value_(v) {}
  template <std::integral T>
  requires(!std::same_as<T, bool> && !std::same_as<T, char>) Json(T v)
      : value_(static_cast<int64_t>(v)) {}
  Json(double v) : value_(v) {}
  Json(const char* v) : value_(std::string(v)) {}
  Json(std::string v) : value_(std::move(v)) {}
  Json(std::string_view v) : value_(std::string(v)) {}
  Json(List v) : value_(std::move(v)) {}
  Json(Object v) : value_(std::move(v)) {}
  static Json list() { return Json(List{}); }
  static Json object() { return Json(Object{}); }
  template <class T>
  static Json list_of(const std::vector<T>& items) {
    List l;
    for (const auto& i : items) l.emplace_back(T(i));
    return Json(std::move(l));
  }

  /// Comments (// and /* */) are allowed. Throws DataError: "WHERE: line 3, column 7: ...". Nesting
  /// over 200 levels and a key that stands twice in one object are refused.
  static Json parse(std::string_view text, const std::string& where);
  /// One line, or indented. Numbers keep all their digits; NaN and infinities become null.
  std::string dump(int indent = -1) const;

  Type type() const { return static_cast<Type>(value_.index()); }
  const char* type_name() const;
  bool is_null() const { return type() == Type::null; }
  bool is_bool() const { return type() == Type::boolean; }
  bool is_integer() const { return type() == Type::integer; }
  bool is_number() const { return is_integer() || type() == Type::number; }
  bool is_string() const { return type() == Type::string; }
  bool is_list() const { return type() == Type::list; }
  bool is_object() const { return type() == Type::object; }

  /// Throw DataError "expected a number, found a string" when the type is another. as_int refuses
  /// fractions and overflow.
  bool as_bool() const;
  int as_int() const;
  int64_t as_int64() const;
  double as_double() const;
  const std::string& as_string() const;
  const List& as_list() const;
  List& as_list();
  const Object& as_object() const;
  Object& as_object();

  size_t size() const;  ///< of a list or object; 0 otherwise
  /// Member of an object; null pointer when absent or not an object.
  const Json* find(std::string_view key) const;
  Json* find(std::string_view key);
  /// Member that must exist; throws DataError naming it.
  const Json& at(std::string_view key) const;
  const Json& at(size_t index) const;
  /// Member, made if absent; a null value becomes an object.
  Json& operator[](std::string_view key);
  void push_back(Json v);  ///< a null value becomes a list
  bool erase(std::string_view key);
  /// Value of a member, or a default where it is absent or null. Throw DataError naming the key on
  /// another type.
  std::string get(std::string_view key, const std::string& otherwise) const;
  std::string get(std::string_view key, const char* otherwise) const;
  int get(std::string_view key, int otherwise) const;
  double get(std::string_view key, double otherwise) const;
  int64_t get(std::string_view key, int64_t otherwise) const;
  bool get(std::string_view key, bool otherwise) const;
  bool operator==(const Json& other) const;

 private:
  std::variant<std::monostate, bool, int64_t, double, std::string, List, Object> value_;
};

}  // namespace ocellus
