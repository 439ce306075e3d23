#include "ocellus/core/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "ocellus/core/error.hpp"

namespace ocellus {
namespace {

constexpr size_t max_depth = 200;

// Builds a Json from the parser's events: so objects keep their order and depth is checked while it
// grows.
class Builder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool null() override { return put(Json()); }
  bool boolean(bool v) override { return put(v); }
  bool number_integer(number_integer_t v) override { return put(v); }
  bool number_unsigned(number_unsigned_t v) override {
    if (v > static_cast<number_unsigned_t>(std::numeric_limits<int64_t>::max()))
      return put(static_cast<double>(v));
    return put(static_cast<int64_t>(v));
  }
  bool number_float(number_float_t v, const string_t&) override { return put(v); }
  bool string(string_t& v) override { return put(std::move(v)); }
  bool binary(binary_t&) override { return false; }
  bool key(string_t& v) override {
    keys_.back() = std::move(v);
    return true;
  }
  bool start_object(size_t) override { return open(Json::object()); }
  bool start_array(size_t) override { return open(Json::list()); }
  bool end_object() override {
    std::vector<std::string_view> names;
    for (const auto& [name, value] : open_.back().as_object()) names.push_back(name);
    std::sort(names.begin(), names.end());
    if (const auto twice = std::adjacent_find(names.begin(), names.end()); twice != names.end()) {
      error = fmt::format("the key '{}' stands twice in one object", *twice);
      return false;
    }
    return close();
  }
  bool end_array() override { return close(); }
  bool parse_error(size_t, const std::string&, const nlohmann::json::exception& e) override {
    error = e.what();
    // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error ...": the
    // place is what helps.
    if (const size_t at = error.find("line "); at != std::string::npos) error.erase(0, at);
    return false;
  }

  Json result;
  std::string error;

 private:
  bool open(Json container) {
    if (open_.size() == max_depth) {
      error = fmt::format("nested more than {} levels deep", max_depth);
      return false;
    }
    open_.push_back(std::move(container));
    keys_.emplace_back();
    return true;
  }
  bool close() {
    Json done = std::move(open_.back());
    open_.pop_back();
    keys_.pop_back();
    return put(std::move(done));
  }
  bool put(Json v) {
    if (open_.empty())
      result = std::move(v);
    else if (open_.back().is_list())
      open_.back().as_list().push_back(std::move(v));
    else
      open_.back().as_object().emplace_back(std::move(keys_.back()), std::move(v));
    return true;
  }
  std::vector<Json> open_;
  std::vector<std::string> keys_;
};

std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string number_text(double v) {
  if (!std::isfinite(v)) return "null";
  std::string text = fmt::format("{}", v);
  // A number stays a number when it is read again, not an integer.
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

bool is_flat(const Json& v) {
  if (v.is_list())
    return std::none_of(v.as_list().begin(), v.as_list().end(),
                        [](const Json& i) { return i.is_list() || i.is_object(); });
  return v.size() == 0;
}

void write(const Json& v, int indent, int level, std::string& out) {
  // Lists of plain values stay on one line: a kernel size over three lines helps nobody.
  const bool lines = indent >= 0 && !is_flat(v);
  const auto new_line = [&](int l) {
    if (lines) out.append("\n").append(static_cast<size_t>(indent) * l, ' ');
  };
  const char* comma = lines ? "," : indent >= 0 ? ", " : ",";
  switch (v.type()) {
    case Json::Type::null:
      out += "null";
      break;
    case Json::Type::boolean:
      out += v.as_bool() ? "true" : "false";
      break;
    case Json::Type::integer:
      out += fmt::format("{}", v.as_int64());
      break;
    case Json::Type::number:
      out += number_text(v.as_double());
      break;
    case Json::Type::string:
      out += quoted(v.as_string());
      break;
    case Json::Type::list: {
      out += '[';
      bool first = true;
      for (const Json& i : v.as_list()) {
        if (!std::exchange(first, false)) out += comma;
        new_line(level + 1);
        write(i, indent, level + 1, out);
      }
      new_line(level);
      out += ']';
      break;
    }
    case Json::Type::object: {
      out += '{';
      bool first = true;
      for (const auto& [key, value] : v.as_object()) {
        if (!std::exchange(first, false)) out += comma;
        new_line(level + 1);
        out += quoted(key);
        out += indent >= 0 ? ": " : ":";
        write(value, indent, level + 1, out);
      }
      new_line(level);
      out += '}';
      break;
    }
  }
}

const char* with_article(Json::Type type) {
  constexpr const char* names[] = {"null",     "a boolean", "an integer", "a number",
                                   "a string", "a list",    "an object"};
  return names[static_cast<size_t>(type)];
}

[[noreturn]] void mismatch(const char* expected, const Json& found) {
  throw DataError(fmt::format("expected {}, found {}", expected, with_article(found.type())));
}

template <class T>
T& held(auto& value, const char* expected, const Json& self) {
  if (auto* v = std::get_if<std::remove_const_t<T>>(&value)) return *v;
  mismatch(expected, self);
}

// Runs `read` on the member `key`, or gives the default where it is absent or null.
template <class T>
T member_or(const Json& object, std::string_view key, T otherwise, auto read) {
  const Json* v = object.find(key);
  if (!v || v->is_null()) return otherwise;
  try {
    return read(*v);
  } catch (const DataError& e) {
    throw DataError(fmt::format("'{}': {}", key, e.what()));
  }
}

}  // namespace

Json Json::parse(std::string_view text, const std::string& where) {
  Builder builder;
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &builder,
                                 nlohmann::json::input_format_t::json, true, true))
    throw DataError(fmt::format("{}: {}", where, builder.error));
  return std::move(builder.result);
}

std::string Json::dump(int indent) const {
  std::string out;
  write(*this, indent, 0, out);
  return out;
}

const char* Json::type_name() const {
  constexpr const char* names[] = {"null",   "boolean", "integer", "number",
                                   "string", "list",    "object"};
  return names[value_.index()];
}

bool Json::as_bool() const { return held<const bool>(value_, "true or false", *this); }

int64_t Json::as_int64() const {
  if (const auto* v = std::get_if<int64_t>(&value_)) return *v;
  if (const auto* v = std::get_if<double>(&value_)) {
    if (*v == std::floor(*v) && std::abs(*v) < 9007199254740992.0) return static_cast<int64_t>(*v);
    throw DataError(fmt::format("expected an integer, found {}", *v));
  }
  mismatch("an integer", *this);
}

int Json::as_int() const {
  const int64_t v = as_int64();
  if (v < std::numeric_limits<int>::min() || v > std::numeric_limits<int>::max())
    throw DataError(fmt::format("{} is too large an integer", v));
  return static_cast<int>(v);
}

double Json::as_double() const {
  if (const auto* v = std::get_if<int64_t>(&value_)) return static_cast<double>(*v);
  return held<const double>(value_, "a number", *this);
}

const std::string& Json::as_string() const {
  return held<const std::string>(value_, "a string", *this);
}
const Json::List& Json::as_list() const { return held<const List>(value_, "a list", *this); }
Json::List& Json::as_list() { return held<List>(value_, "a list", *this); }
const Json::Object& Json::as_object() const {
  return held<const Object>(value_, "an object", *this);
}
Json::Object& Json::as_object() { return held<Object>(value_, "an object", *this); }

size_t Json::size() const {
  if (const auto* l = std::get_if<List>(&value_)) return l->size();
  if (const auto* o = std::get_if<Object>(&value_)) return o->size();
  return 0;
}

const Json* Json::find(std::string_view key) const {
  const auto* o = std::get_if<Object>(&value_);
  if (!o) return nullptr;
  for (const auto& [name, value] : *o)
    if (name == key) return &value;
  return nullptr;
}

Json* Json::find(std::string_view key) { return const_cast<Json*>(std::as_const(*this).find(key)); }

const Json& Json::at(std::string_view key) const {
  if (!is_object()) mismatch("an object", *this);
  if (const Json* v = find(key)) return *v;
  throw DataError(fmt::format("'{}' is missing", key));
}

const Json& Json::at(size_t index) const {
  const List& l = as_list();
  if (index >= l.size())
    throw DataError(fmt::format("a list of {} has no item {}", l.size(), index));
  return l[index];
}

Json& Json::operator[](std::string_view key) {
  if (is_null()) value_ = Object{};
  if (Json* v = find(key)) return *v;
  return as_object().emplace_back(std::string(key), Json()).second;
}

void Json::push_back(Json v) {
  if (is_null()) value_ = List{};
  as_list().push_back(std::move(v));
}

bool Json::erase(std::string_view key) {
  auto* o = std::get_if<Object>(&value_);
  return o && std::erase_if(*o, [&](const auto& member) { return member.first == key; }) > 0;
}

std::string Json::get(std::string_view key, const std::string& otherwise) const {
  return member_or<std::string>(*this, key, otherwise, [](const Json& j) { return j.as_string(); });
}
std::string Json::get(std::string_view key, const char* otherwise) const {
  return get(key, std::string(otherwise));
}
int Json::get(std::string_view key, int otherwise) const {
  return member_or<int>(*this, key, otherwise, [](const Json& j) { return j.as_int(); });
}
double Json::get(std::string_view key, double otherwise) const {
  return member_or<double>(*this, key, otherwise, [](const Json& j) { return j.as_double(); });
}
int64_t Json::get(std::string_view key, int64_t otherwise) const {
  return member_or<int64_t>(*this, key, otherwise, [](const Json& j) { return j.as_int64(); });
}
bool Json::get(std::string_view key, bool otherwise) const {
  return member_or<bool>(*this, key, otherwise, [](const Json& j) { return j.as_bool(); });
}

bool Json::operator==(const Json& other) const { return value_ == other.value_; }

}  // namespace ocellus
