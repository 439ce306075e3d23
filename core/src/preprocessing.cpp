#include "ocellus/core/preprocessing.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "ocellus/core/error.hpp"
#include "ocellus/core/text.hpp"

namespace ocellus {
namespace {

const std::vector<std::string> resize_rules = {"stretch", "crop", "pad"};

// The modes of keras.applications, and the two that small models use. Means and deviations are
// ImageNet's.
const std::vector<Preprocessing>& known_modes() {
  static const std::vector<Preprocessing> modes = {
      {.name = "none"},
      {.name = "unit", .scale = 1 / 255.0},
      {.name = "tf", .scale = 1 / 127.5, .mean = {1}},
      {.name = "torch",
       .scale = 1 / 255.0,
       .mean = {0.485, 0.456, 0.406},
       .deviation = {0.229, 0.224, 0.225}},
      {.name = "caffe", .mean = {103.939, 116.779, 123.68}, .bgr = true},
      {.name = "standard"},
  };
  return modes;
}

// Value of channel c of a list that is empty, holds one value for all, or one a channel.
double of_channel(const std::vector<double>& values, int c, int channels, double otherwise) {
  if (values.empty()) return otherwise;
  if (values.size() == 1) return values[0];
  if (static_cast<int>(values.size()) != channels)
    throw UsageError(fmt::format("the preprocessing is for {} channels, the input has {}",
                                 values.size(), channels));
  return values[static_cast<size_t>(c)];
}

std::vector<double> numbers(const Json& j, std::string_view key) {
  std::vector<double> values;
  if (const Json* list = j.find(key); list && !list->is_null())
    for (const Json& v : list->as_list()) values.push_back(v.as_double());
  return values;
}

std::string list_text(const std::vector<double>& values) {
  return values.size() == 1 ? fmt::format("{:g}", values[0])
                            : fmt::format("({:g})", fmt::join(values, ", "));
}

double number(std::string_view text, const std::string& key) {
  double v = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(v))
    throw UsageError(
        fmt::format("preprocessing: {}: '{}' is not a number (1/255, 0.5)", key, text));
  return v;
}

// "0.5" or "1/255".
double fraction(std::string_view text, const std::string& key) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return number(text, key);
  const double below = number(text.substr(slash + 1), key);
  if (below == 0) throw UsageError(fmt::format("preprocessing: {}: '{}' divides by 0", key, text));
  return number(text.substr(0, slash), key) / below;
}

const std::string& one_of(const std::string& word, const std::vector<std::string>& words,
                          const std::string& key) {
  const auto it = std::find(words.begin(), words.end(), word);
  if (it == words.end())
    throw UsageError(
        fmt::format("preprocessing: no {} '{}'{}", key, word, suggestion(word, words)));
  return *it;
}

// Sets one key; `values` are the words between its '=' and the next key.
void assign(Preprocessing& p, const std::string& key, const std::vector<std::string>& values) {
  static const std::vector<std::string> keys = {"scale", "mean", "std", "order", "resize"};
  one_of(key, keys, "key");
  if (values.size() != 1 && key != "mean" && key != "std")
    throw UsageError(fmt::format("preprocessing: {} takes one value", key));
  if (key == "order") {
    const bool bgr = one_of(values[0], {"rgb", "bgr"}, key) == "bgr";
    if (bgr != p.bgr) {  // a mean belongs to its colour
      std::reverse(p.mean.begin(), p.mean.end());
      std::reverse(p.deviation.begin(), p.deviation.end());
    }
    p.bgr = bgr;
  } else if (key == "resize") {
    p.resize = one_of(values[0], resize_rules, key);
  } else if (key == "scale") {
    p.scale = fraction(values[0], key);
  } else {
    std::vector<double> list;
    for (const std::string& v : values) list.push_back(fraction(v, key));
    if (key == "std" && std::any_of(list.begin(), list.end(), [](double d) { return !(d > 0); }))
      throw UsageError("preprocessing: std must be above 0");
    (key == "mean" ? p.mean : p.deviation) = list;
  }
  if (key != "resize") p.name = "custom";
}

// "scale=1/255,mean=0.5,0.5,0.4,std=0.2,order=bgr,resize=crop"; a name in front is where the keys
// begin from: "torch,resize=crop". The order comes first wherever it stands: it turns the lists of
// the name round, while lists that are written out are the network's.
Preprocessing explicit_form(const std::string& text) {
  Preprocessing p;
  p.name = "custom";
  std::vector<std::pair<std::string, std::vector<std::string>>> keys;  // with their values
  bool first = true;
  for (const std::string& part : split(text, ',')) {
    const std::string word(trim(part));
    if (const size_t equals = word.find('='); equals != std::string::npos)
      keys.push_back({word.substr(0, equals), {word.substr(equals + 1)}});
    else if (!keys.empty())
      keys.back().second.push_back(word);
    else if (first)
      p = Preprocessing::named(word);
    else
      throw UsageError(fmt::format("preprocessing: '{}' is no key=value", word));
    first = false;
  }
  std::ranges::stable_partition(keys, [](const auto& k) { return k.first == "order"; });
  for (const auto& [key, values] : keys) assign(p, key, values);
  return p;
}

}  // namespace

Preprocessing Preprocessing::named(const std::string& name) {
  if (name.find('=') != std::string::npos) return explicit_form(name);
  std::vector<std::string> names;
  for (const Preprocessing& p : known_modes()) {
    if (p.name == name) return p;
    names.push_back(p.name);
  }
  throw UsageError(fmt::format("no preprocessing '{}'{}", name, suggestion(name, names)));
}

Json Preprocessing::to_json() const {
  Json j = Json::object();
  j["name"] = name;
  j["scale"] = scale;
  j["mean"] = Json::list_of(mean);
  j["deviation"] = Json::list_of(deviation);
  j["bgr"] = bgr;
  j["resize"] = resize;
  return j;
}

Preprocessing Preprocessing::from_json(const Json& j) {
  if (j.is_string()) return named(j.as_string());
  static const std::vector<std::string> keys = {"name",      "scale", "mean",
                                                "deviation", "bgr",   "resize"};
  for (const auto& [key, value] : j.as_object())
    if (std::find(keys.begin(), keys.end(), key) == keys.end())
      throw DataError(fmt::format("preprocessing: unknown key '{}'{}", key, suggestion(key, keys)));
  Preprocessing p;
  p.name = j.get("name", "custom");
  p.scale = j.get("scale", 1.0);
  p.mean = numbers(j, "mean");
  p.deviation = numbers(j, "deviation");
  p.bgr = j.get("bgr", false);
  p.resize = j.get("resize", "stretch");
  if (std::find(resize_rules.begin(), resize_rules.end(), p.resize) == resize_rules.end())
    throw DataError(fmt::format("preprocessing: no resize rule '{}'{}", p.resize,
                                suggestion(p.resize, resize_rules)));
  if (std::any_of(p.deviation.begin(), p.deviation.end(), [](double d) { return !(d > 0); }))
    throw DataError("preprocessing: a deviation must be above 0");
  return p;
}

void Preprocessing::affine(int channels, std::vector<float>& scale_out,
                           std::vector<float>& shift_out, std::vector<int>& order_out) const {
  scale_out.clear();
  shift_out.clear();
  order_out.clear();
  for (int c = 0; c < channels; ++c) {
    const double d = of_channel(deviation, c, channels, 1);
    scale_out.push_back(static_cast<float>(scale / d));
    shift_out.push_back(static_cast<float>(-of_channel(mean, c, channels, 0) / d));
    order_out.push_back(bgr ? channels - 1 - c : c);
  }
}

std::string Preprocessing::str() const {
  std::string text = scale == 1  ? "x"
                     : scale < 1 ? fmt::format("x / {:g}", 1 / scale)
                                 : fmt::format("x * {:g}", scale);
  if (!mean.empty()) text += " - " + list_text(mean);
  if (!deviation.empty())
    text = mean.empty() && scale == 1 ? text : "(" + text + ")",
    text += " / " + list_text(deviation);
  return bgr ? "BGR, " + text : text;
}

}  // namespace ocellus
