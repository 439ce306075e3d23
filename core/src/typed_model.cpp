// Models typed on the command line: "28x28x1: conv3(32) conv3(64) pool dense(10)". docs/formats.md
// holds the grammar.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>

#include "ocellus/core/error.hpp"
#include "ocellus/core/graph_builder.hpp"
#include "ocellus/core/model.hpp"
#include "ocellus/core/text.hpp"

namespace ocellus {
namespace {

struct Word {
  std::string text;               // "conv5x3(16, s2, padding=same)"
  std::string name;               // "conv5x3"
  std::vector<std::string> args;  // {"16", "s2", "padding=same"}
  size_t column = 0;              // of its first character, from 1
};

bool is_open(char c) { return c == '(' || c == '['; }
bool is_close(char c) { return c == ')' || c == ']'; }
bool is_space(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }
bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

// Splits at separators that stand outside of brackets.
std::vector<std::pair<std::string, size_t>> split_outside(std::string_view text,
                                                          auto is_separator) {
  std::vector<std::pair<std::string, size_t>> parts;
  int depth = 0;
  size_t begin = 0;
  for (size_t i = 0; i <= text.size(); ++i) {
    if (i == text.size() || (depth == 0 && is_separator(text[i]))) {
      parts.emplace_back(text.substr(begin, i - begin), begin);
      begin = i + 1;
    } else if (is_open(text[i])) {
      ++depth;
    } else if (is_close(text[i])) {
      --depth;
    }
  }
  return parts;
}

std::optional<int> integer(std::string_view text) {
  int v = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return v;
}

// "3" or "5x3", as [3, 3] or [5, 3].
std::optional<Json> size_of(std::string_view text) {
  const size_t x = text.find('x');
  const auto h = integer(text.substr(0, x));
  const auto w = x == std::string_view::npos ? h : integer(text.substr(x + 1));
  if (!h || !w || *h < 1 || *w < 1) return std::nullopt;
  return Json(Json::List{*h, *w});
}

// What a short word stands for. `positional` are the parameters that bare arguments fill, in this
// order.
struct ShortWord {
  const char* name;
  const char* type;
  const char*
      size_parameter;  // takes the number behind the name: conv3, pool2; null: none may stand there
  const char* default_size;
  std::vector<std::string> positional;
};

const std::vector<ShortWord>& short_words() {
  static const std::vector<ShortWord> words = {
      {"conv", "Conv2D", "kernel_size", "3", {"filters"}},
      {"dense", "Dense", nullptr, nullptr, {"units"}},
      {"pool", "MaxPooling2D", "pool_size", "2", {}},
      {"avgpool", "AveragePooling2D", "pool_size", "2", {}},
      {"gap", "GlobalAveragePooling2D", nullptr, nullptr, {}},
      {"gmp", "GlobalMaxPooling2D", nullptr, nullptr, {}},
      {"flatten", "Flatten", nullptr, nullptr, {}},
      {"dropout", "Dropout", nullptr, nullptr, {"rate"}},
      {"bn", "BatchNormalization", nullptr, nullptr, {}},
      {"pad", "ZeroPadding2D", "padding", "1", {}},
  };
  return words;
}

class TypedModel {
 public:
  TypedModel(const Registry& registry, const std::string& text)
      : registry_(registry), text_(text), builder_("typed") {}

  GraphRecord parse() {
    const size_t colon = text_.find(':');
    if (colon == std::string::npos)
      throw UsageError(fmt::format("typed model: no ':' after the input's shape in '{}'", text_));
    read_input(std::string(trim(std::string_view(text_).substr(0, colon))));
    read_words(colon + 1);
    if (words_.empty()) throw UsageError("typed model: no layer stands after the ':'");
    for (at_ = 0; at_ < words_.size(); ++at_) add(words_[at_]);
    return builder_.finish();
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    const Word& w = words_[at_];
    throw UsageError(
        fmt::format("typed model: word {} '{}' (column {}): {}", at_ + 1, w.text, w.column, what));
  }

  void read_input(const std::string& text) {
    std::vector<int> shape;
    for (const std::string& extent : split(text, 'x')) {
      const auto v = integer(trim(extent));
      if (!v || *v < 1)
        throw UsageError(fmt::format(
            "typed model: expected the input's shape before ':', such as 28x28x1, found '{}'",
            text));
      shape.push_back(*v);
    }
    if (shape.size() >= static_cast<size_t>(Shape::max_rank))
      throw UsageError(fmt::format("typed model: the input's shape '{}' has more than {} extents",
                                   text, Shape::max_rank - 1));
    rank_ = static_cast<int>(shape.size());
    builder_.input(shape);
  }

  void read_words(size_t begin) {
    for (auto& [text, at] : split_outside(std::string_view(text_).substr(begin), is_space)) {
      if (text.empty()) continue;
      Word w;
      w.text = text;
      w.column = begin + at + 1;
      const size_t open = text.find('(');
      w.name = text.substr(0, open);
      words_.push_back(w);
      at_ = words_.size() - 1;
      if (open == std::string::npos) {
        if (std::any_of(text.begin(), text.end(), [](char c) { return is_open(c) || is_close(c); }))
          refuse("brackets do not match");
        continue;
      }
      if (text.back() != ')') refuse("a ')' is missing");
      const std::string_view inside =
          std::string_view(text).substr(open + 1, text.size() - open - 2);
      if (trim(inside).empty()) continue;
      for (auto& [argument, where] : split_outside(inside, [](char c) { return c == ','; }))
        words_.back().args.emplace_back(trim(argument));
    }
  }

  bool is_activation(const Word& w) const {
    static const std::vector<std::string> layers = {"Activation", "ReLU", "LeakyReLU",
                                                    "PReLU",      "ELU",  "Softmax"};
    return std::find(layers.begin(), layers.end(), w.name) != layers.end() ||
           registry_.find(Kind::activation, w.name);
  }
  bool next_is(auto what) const { return at_ + 1 < words_.size() && what(words_[at_ + 1]); }

  // A short word and the size behind it ("conv5x3": conv, "5x3").
  static std::pair<const ShortWord*, std::string> find_short(const std::string& name) {
    const size_t digit = std::min(name.find_first_of("0123456789"), name.size());
    for (const ShortWord& s : short_words())
      if (name.substr(0, digit) == s.name) return {&s, name.substr(digit)};
    return {nullptr, {}};
  }

  void add(const Word& w) {
    if (registry_.find(Kind::layer, w.name)) return add_layer(w, w.name, Json::object(), {});
    if (const auto [s, size] = find_short(w.name); s) {
      Json parameters = Json::object();
      if (s->size_parameter) {
        const auto value = size_of(size.empty() ? s->default_size : size);
        if (!value)
          refuse(fmt::format("'{}' is no size; write {}3 or {}5x3", size, s->name, s->name));
        parameters[s->size_parameter] = *value;
      } else if (!size.empty()) {
        refuse(fmt::format("'{}' takes no size; write {}", s->name,
                           s->positional.empty() ? s->name : fmt::format("{}({})", s->name, size)));
      }
      return add_layer(w, s->type, std::move(parameters), s->positional);
    }
    if (is_activation(w))
      return add_layer(w, "Activation", Json(Json::Object{{"activation", w.name}}), {});
    std::vector<std::string> known;
    for (const ShortWord& s : short_words()) known.push_back(s.name);
    for (const Kind kind : {Kind::activation, Kind::layer})
      for (const TypeInfo* t : registry_.all(kind)) known.push_back(t->name);
    // The size is no part of the word: 'cnv3' is near to 'conv'.
    const std::string letters = w.name.substr(0, w.name.find_first_of("0123456789"));
    const std::string near = nearest(letters.empty() ? w.name : letters, known);
    refuse(fmt::format("unknown word{}", near.empty() ? suggestion(w.name, known)
                                                      : fmt::format("; did you mean '{}'?", near)));
  }

  void add_layer(const Word& w, const std::string& type, Json parameters,
                 std::vector<std::string> positional) {
    const TypeInfo& info = registry_.get(Kind::layer, type);
    const bool short_word = !positional.empty() || type != w.name;
    if (!short_word)
      for (const ParameterInfo& p : info.schema.parameters) positional.push_back(p.name);
    size_t next = 0;
    for (const std::string& argument : w.args)
      read_argument(info, argument, positional, next, short_word, parameters);
    if (short_word && type == "Dense" && rank_ > 1) builder_.add("Flatten");
    bool open_activation = false;  // goes behind the batch normalization that follows
    if (short_word && (type == "Conv2D" || type == "Dense"))
      open_activation = complete(type, parameters);
    check(info, parameters);
    track_rank(type, parameters);
    builder_.add(type, std::move(parameters.as_object()));
    if (type == "BatchNormalization" && std::exchange(pending_relu_, false) &&
        !next_is([&](const Word& n) { return is_activation(n); }))
      builder_.add("Activation", {{"activation", "relu"}});
    pending_relu_ = open_activation;
  }

  // What a person need not write: "same" padding, relu, and the softmax of the last layer. True
  // when relu waits for a `bn`.
  bool complete(const std::string& type, Json& parameters) {
    if (type == "Conv2D" && !parameters.find("padding")) parameters["padding"] = "same";
    if (parameters.find("activation") || next_is([&](const Word& n) { return is_activation(n); }))
      return false;
    if (type == "Dense" && at_ + 1 == words_.size()) {
      const Json* units = parameters.find("units");
      parameters["activation"] =
          units && units->is_integer() && units->as_int() == 1 ? "sigmoid" : "softmax";
      return false;
    }
    if (next_is([](const Word& n) { return n.name == "bn"; })) return true;
    parameters["activation"] = "relu";
    return false;
  }

  // "32" (the next positional parameter), "key=value", and in short words "s2" or "s2x1" (strides),
  // "d2" (dilation), "same", "valid", "tanh".
  void read_argument(const TypeInfo& info, const std::string& argument,
                     const std::vector<std::string>& positional, size_t& next, bool short_word,
                     Json& parameters) {
    std::string key, value = argument;
    if (const size_t equals = argument.find('='); equals != std::string::npos) {
      key = trim(std::string_view(argument).substr(0, equals));
      value = trim(std::string_view(argument).substr(equals + 1));
    } else if (short_word && (value == "same" || value == "valid")) {
      key = "padding";
    } else if (short_word && value.size() > 1 && (value[0] == 's' || value[0] == 'd') &&
               is_digit(value[1])) {
      key = value[0] == 's' ? "strides" : "dilation_rate";
      value.erase(0, 1);
    } else if (info.takes_activation && registry_.find(Kind::activation, value)) {
      key = "activation";
    } else if (next < positional.size()) {
      key = positional[next++];
    } else {
      refuse(fmt::format("'{}' fits no parameter of {}", argument, info.name));
    }
    const ParameterInfo* p = info.schema.find(key);
    if (!p) {
      std::vector<std::string> names;
      for (const ParameterInfo& i : info.schema.parameters) names.push_back(i.name);
      refuse(fmt::format("{} has no parameter '{}'{}", info.name, key, suggestion(key, names)));
    }
    try {
      parameters[key] = value.starts_with('[')
                            ? info.schema.check_value(*p, Json::parse(value, key), info.name)
                            : info.schema.from_text(*p, value, info.name);
    } catch (const Error& e) {
      refuse(e.what());
    }
  }

  void check(const TypeInfo& info, const Json& parameters) const {
    try {
      info.schema.check(parameters, info.name);
    } catch (const UsageError& e) {
      refuse(e.what());
    }
  }

  // Rank of an item, so that `dense` knows whether it must flatten; layers of strangers are taken
  // to keep it.
  void track_rank(const std::string& type, const Json& parameters) {
    const bool keeps = parameters.get("keepdims", false);
    if (type == "Flatten" || type == "Dense" || (type.starts_with("Global") && !keeps)) rank_ = 1;
    if (type == "Reshape") rank_ = static_cast<int>(parameters.at("target_shape").size());
  }

  const Registry& registry_;
  const std::string& text_;
  GraphBuilder builder_;
  std::vector<Word> words_;
  size_t at_ = 0;
  int rank_ = 1;
  bool pending_relu_ = false;
};

}  // namespace

GraphRecord parse_typed_model(const Registry& registry, const std::string& text) {
  return TypedModel(registry, text).parse();
}

}  // namespace ocellus
