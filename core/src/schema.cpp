#include "ocellus/core/schema.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <cmath>

#include "ocellus/core/text.hpp"

namespace ocellus {
namespace {

using Type = ParameterInfo::Type;

const char* base_text(Type type) {
  switch (type) {
    case Type::boolean:
      return "true or false";
    case Type::integer:
      return "integer";
    case Type::number:
      return "number";
    case Type::string:
      return "string";
    case Type::size:
      return "size HxW";
    case Type::interval:
      return "range LOW..HIGH";
    case Type::layer:
      return "name of a layer";
    case Type::class_name:
      return "class (name or index)";
    case Type::path:
      return "path";
    case Type::seed:
      return "seed";
    case Type::json:
      return "any value";
  }
  return "value";
}

// Whole text or nothing: "3x" is no number.
template <class T>
std::optional<T> number_of(std::string_view text) {
  text = trim(text);
  T v{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return v;
}

std::optional<Json> size_of_text(std::string_view text) {
  const size_t x = text.find('x');
  const auto h = number_of<int>(text.substr(0, x));
  const auto w = x == std::string_view::npos ? h : number_of<int>(text.substr(x + 1));
  if (!h || !w) return std::nullopt;
  return Json(Json::List{*h, *w});
}

std::optional<Json> interval_of_text(std::string_view text) {
  const size_t dots = text.find("..");
  if (dots == std::string_view::npos) {
    const auto v = number_of<double>(text);
    return v ? std::optional<Json>(*v) : std::nullopt;
  }
  const auto low = number_of<double>(text.substr(0, dots)),
             high = number_of<double>(text.substr(dots + 2));
  if (!low || !high) return std::nullopt;
  return Json(Json::List{*low, *high});
}

// The forms that a value may have are brought to one here; nothing where it has none of them.
std::optional<Json> normal_size(const Json& v) {
  if (v.is_string()) return size_of_text(v.as_string());
  if (v.is_integer()) return Json(Json::List{v, v});
  if (v.is_list() && v.size() == 2 && v.at(0).is_integer() && v.at(1).is_integer()) return v;
  return std::nullopt;
}

std::optional<Json> normal_interval(const Json& v) {
  if (v.is_string()) {
    const auto parsed = interval_of_text(v.as_string());
    return parsed ? normal_interval(*parsed) : std::nullopt;
  }
  if (v.is_number()) return Json(Json::List{-std::abs(v.as_double()), std::abs(v.as_double())});
  if (v.is_list() && v.size() == 2 && v.at(0).is_number() && v.at(1).is_number() &&
      v.at(0).as_double() <= v.at(1).as_double())
    return v;
  return std::nullopt;
}

std::optional<Json> normal_scalar(Type type, const Json& v) {
  switch (type) {
    case Type::boolean:
      return v.is_bool() ? std::optional(v) : std::nullopt;
    case Type::integer:
    case Type::seed:
      // 3.0 is what some writers make of 3.
      if (v.type() == Json::Type::number && v.as_double() == std::floor(v.as_double()) &&
          std::abs(v.as_double()) < 9e15)
        return Json(v.as_int64());
      return v.is_integer() ? std::optional(v) : std::nullopt;
    case Type::number:
      return v.is_number() && std::isfinite(v.as_double()) ? std::optional(v) : std::nullopt;
    case Type::class_name:
      if (v.is_integer()) return Json(fmt::format("{}", v.as_int64()));
      [[fallthrough]];
    case Type::string:
    case Type::layer:
    case Type::path:
      return v.is_string() ? std::optional(v) : std::nullopt;
    case Type::size:
      return normal_size(v);
    case Type::interval:
      return normal_interval(v);
    case Type::json:
      return v;
  }
  return std::nullopt;
}

bool in_bounds(const ParameterInfo& p, const Json& v) {
  if (v.is_list())
    return std::all_of(v.as_list().begin(), v.as_list().end(),
                       [&](const Json& i) { return in_bounds(p, i); });
  if (!v.is_number()) return true;
  return !(p.minimum && v.as_double() < *p.minimum) && !(p.maximum && v.as_double() > *p.maximum);
}

bool is_choice(const ParameterInfo& p, const Json& v) {
  if (p.choices.empty()) return true;
  const std::string text = v.is_string() ? v.as_string() : v.dump();
  return std::find(p.choices.begin(), p.choices.end(), text) != p.choices.end();
}

[[noreturn]] void refuse(const ParameterInfo& p, const Json& found, const std::string& where,
                         const std::string& hint = {}) {
  std::string text = found.dump();
  if (text.size() > 80) text = text.substr(0, 77) + "...";
  throw UsageError(fmt::format("{}: parameter '{}': expected {}, found {}{}", where, p.name,
                               p.type_text(), text, hint));
}

Json check_scalar(const ParameterInfo& p, const Json& v, const std::string& where) {
  const std::optional<Json> normal = normal_scalar(p.type, v);
  if (!normal || !in_bounds(p, *normal)) refuse(p, v, where);
  if (!is_choice(p, *normal)) {
    const std::string near = v.is_string() ? nearest(v.as_string(), p.choices) : std::string();
    refuse(p, v, where, near.empty() ? "" : fmt::format("; did you mean '{}'?", near));
  }
  return *normal;
}

Json scalar_of_text(const ParameterInfo& p, const std::string& text, const std::string& where) {
  switch (p.type) {
    case Type::boolean:
      if (text == "true" || text == "yes" || text == "on" || text == "1") return true;
      if (text == "false" || text == "no" || text == "off" || text == "0") return false;
      break;
    case Type::integer:
    case Type::seed:
      if (const auto v = number_of<int64_t>(text)) return *v;
      break;
    case Type::number:
      if (const auto v = number_of<double>(text)) return *v;
      break;
    case Type::json:
      // A bare word is a string: nobody wants to quote quotes in a shell.
      try {
        return Json::parse(text, where);
      } catch (const DataError&) {
        return text;
      }
    default:
      return text;
  }
  refuse(p, text, where);
}

}  // namespace

std::string ParameterInfo::type_text() const {
  std::string text =
      choices.empty() ? base_text(type) : fmt::format("one of {}", fmt::join(choices, ", "));
  if (list) text = "list of " + text;
  if (minimum && maximum)
    text += fmt::format(", {} to {}", *minimum, *maximum);
  else if (minimum)
    text += fmt::format(", at least {}", *minimum);
  else if (maximum)
    text += fmt::format(", at most {}", *maximum);
  if (nullable) text += " or null";
  return text;
}

const ParameterInfo* Schema::find(std::string_view name) const {
  for (const ParameterInfo& p : parameters)
    if (p.name == name) return &p;
  return nullptr;
}

Json Schema::check_value(const ParameterInfo& p, const Json& value,
                         const std::string& where) const {
  if (value.is_null() && p.nullable) return value;
  if (!p.list) return check_scalar(p, value, where);
  if (!value.is_list()) refuse(p, value, where);
  Json list = Json::list();
  for (const Json& v : value.as_list()) list.push_back(check_scalar(p, v, where));
  return list;
}

Json Schema::check(const Json& given, const std::string& where) const {
  if (!given.is_object() && !given.is_null())
    throw UsageError(
        fmt::format("{}: expected an object of parameters, found {}", where, given.dump()));
  if (given.is_object()) {
    std::vector<std::string> names;
    for (const ParameterInfo& p : parameters) names.push_back(p.name);
    for (const auto& [key, value] : given.as_object())
      if (!find(key))
        throw UsageError(
            names.empty()
                ? fmt::format("{}: unknown parameter '{}'; it takes none", where, key)
                : fmt::format("{}: unknown parameter '{}'{}", where, key, suggestion(key, names)));
  }
  Json checked = Json::object();
  for (const ParameterInfo& p : parameters) {
    const Json* value = given.find(p.name);
    if (!value && p.is_required)
      throw UsageError(fmt::format("{}: parameter '{}' is missing ({}: {})", where, p.name,
                                   p.type_text(), p.help));
    checked[p.name] = check_value(p, value ? *value : p.default_value, where);
  }
  return checked;
}

Json Schema::from_text(const ParameterInfo& p, const std::string& text,
                       const std::string& where) const {
  if (p.nullable && (text == "null" || text == "none")) return {};
  if (!p.list) return check_value(p, scalar_of_text(p, text, where), where);
  Json list = Json::list();
  if (!trim(text).empty())
    for (const std::string& part : split(text, ','))
      list.push_back(scalar_of_text(p, std::string(trim(part)), where));
  return check_value(p, list, where);
}

namespace schema {

Json to_json(const bool& v) { return v; }
Json to_json(const int& v) { return v; }
Json to_json(const int64_t& v) { return v; }
Json to_json(const double& v) { return v; }
Json to_json(const std::string& v) { return v; }
Json to_json(const Size& v) { return Json::List{v.h, v.w}; }
Json to_json(const Interval& v) { return Json::List{v.low, v.high}; }
Json to_json(const LayerName& v) { return v.value; }
Json to_json(const ClassName& v) { return v.value; }
Json to_json(const Path& v) { return v.value; }
Json to_json(const Seed& v) { return v.value; }
Json to_json(const Json& v) { return v; }

void from_json(const Json& j, bool& v) { v = j.as_bool(); }
void from_json(const Json& j, int& v) { v = j.as_int(); }
void from_json(const Json& j, int64_t& v) { v = j.as_int64(); }
void from_json(const Json& j, double& v) { v = j.as_double(); }
void from_json(const Json& j, std::string& v) { v = j.as_string(); }
void from_json(const Json& j, Size& v) { v = {j.at(size_t{0}).as_int(), j.at(size_t{1}).as_int()}; }
void from_json(const Json& j, Interval& v) {
  v = {j.at(size_t{0}).as_double(), j.at(size_t{1}).as_double()};
}
void from_json(const Json& j, LayerName& v) { v.value = j.as_string(); }
void from_json(const Json& j, ClassName& v) { v.value = j.as_string(); }
void from_json(const Json& j, Path& v) { v.value = j.as_string(); }
void from_json(const Json& j, Seed& v) { v.value = j.as_int64(); }
void from_json(const Json& j, Json& v) { v = j; }

Type type_of(const bool*) { return Type::boolean; }
Type type_of(const int*) { return Type::integer; }
Type type_of(const int64_t*) { return Type::integer; }
Type type_of(const double*) { return Type::number; }
Type type_of(const std::string*) { return Type::string; }
Type type_of(const Size*) { return Type::size; }
Type type_of(const Interval*) { return Type::interval; }
Type type_of(const LayerName*) { return Type::layer; }
Type type_of(const ClassName*) { return Type::class_name; }
Type type_of(const Path*) { return Type::path; }
Type type_of(const Seed*) { return Type::seed; }
Type type_of(const Json*) { return Type::json; }

}  // namespace schema
}  // namespace ocellus
