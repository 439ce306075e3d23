#include "mutation.hpp"

#include <algorithm>

#include "ocellus/core/error.hpp"

namespace ocellus::fuzz {

void damage(std::vector<std::byte>& bytes, Dice& dice) {
  if (bytes.empty()) return;
  const size_t at = dice.below(bytes.size());
  const auto from = bytes.begin() + static_cast<ptrdiff_t>(at);
  const size_t length = std::min(bytes.size() - at, 1 + dice.below(64));
  switch (dice.below(8)) {
    case 0:
      bytes.resize(at);
      return;
    case 1:
      bytes.erase(from, from + static_cast<ptrdiff_t>(length));
      return;
    case 2: {
      const std::vector<std::byte> part(from, from + static_cast<ptrdiff_t>(length));
      bytes.insert(bytes.begin() + static_cast<ptrdiff_t>(dice.below(bytes.size())), part.begin(),
                   part.end());
      return;
    }
    case 3:
      std::fill_n(from, length, static_cast<std::byte>(dice.one_in(2) ? 0xff : 0));
      return;
    default:
      for (size_t i = 1 + dice.below(6); i > 0; --i)
        bytes[dice.below(bytes.size())] ^= static_cast<std::byte>(1 + dice.below(255));
  }
}

void damage(std::string& text, Dice& dice) {
  static const std::vector<std::string> texts = {"",
                                                 "/",
                                                 "..",
                                                 "../../x",
                                                 "a/b/c",
                                                 "/absolute",
                                                 "conv2d",
                                                 "relu",
                                                 "same",
                                                 "linear",
                                                 "\xff\xfe",
                                                 "none",
                                                 "valid",
                                                 "input_1",
                                                 "kernel",
                                                 "-1",
                                                 "1e999",
                                                 "null",
                                                 "__lambda__",
                                                 "channels_first",
                                                 "softmax",
                                                 "Lambda",
                                                 std::string("a\0b", 3)};
  switch (dice.below(5)) {
    case 0:
      text = dice.of(texts);
      break;
    case 1:
      text.insert(dice.below(text.size() + 1), dice.of(texts));
      break;
    case 2:
      if (!text.empty()) text.erase(dice.below(text.size()), 1 + dice.below(4));
      break;
    case 3:
      if (!text.empty()) text[dice.below(text.size())] = static_cast<char>(dice.below(256));
      break;
    default:
      text = std::string(1 + dice.below(dice.one_in(20) ? 70000 : 40), 'x');
  }
}

namespace {

// All values below `json`, it included.
void collect(Json& json, std::vector<Json*>& all) {
  all.push_back(&json);
  if (json.is_list())
    for (Json& item : json.as_list()) collect(item, all);
  if (json.is_object())
    for (auto& [key, value] : json.as_object()) collect(value, all);
}

Json any_value(Dice& dice) {
  static const std::vector<Json> values = {
      Json(),
      Json(true),
      Json(false),
      Json(0),
      Json(1),
      Json(-1),
      Json(2),
      Json(3),
      Json(7),
      Json(65536),
      Json(2147483647),
      Json(int64_t{1} << 40),
      Json(-7),
      Json(0.5),
      Json(1e300),
      Json(-1e-300),
      Json(""),
      Json("relu"),
      Json("same"),
      Json::list(),
      Json::object(),
      Json(Json::List{3, 3}),
      Json(Json::List{nullptr, 8, 8, 3}),
      Json(Json::List{Json(Json::List{1, 2}), Json(Json::List{3, 4})}),
      Json(Json::List{"input_1", 0, 0}),
      Json(Json::List{1, 1, 1, 1, 1, 1, 1}),
      Json(Json::Object{{"class_name", "Dense"}, {"config", Json::object()}})};
  return dice.of(values);
}

void damage_list(Json::List& list, Dice& dice) {
  if (list.empty()) return void(list.push_back(any_value(dice)));
  const size_t i = dice.below(list.size()), j = dice.below(list.size());
  switch (dice.below(5)) {
    case 0:
      list.erase(list.begin() + static_cast<ptrdiff_t>(i));
      break;
    case 1:
      list.push_back(Json(list[i]));
      break;
    case 2:
      std::swap(list[i], list[j]);
      break;
    case 3:
      list.insert(list.begin() + static_cast<ptrdiff_t>(i), any_value(dice));
      break;
    default:
      list[i] = Json(list[j]);
  }
}

void damage_object(Json::Object& object, Dice& dice) {
  if (object.empty()) return void(object.emplace_back("name", any_value(dice)));
  const size_t i = dice.below(object.size()), j = dice.below(object.size());
  switch (dice.below(4)) {
    case 0:
      object.erase(object.begin() + static_cast<ptrdiff_t>(i));
      break;
    case 1:
      std::swap(object[i].second, object[j].second);
      break;
    case 2:
      damage(object[i].first, dice);
      break;
    default:
      object[i].second = any_value(dice);
  }
}

}  // namespace

void damage(Json& json, Dice& dice) {
  std::vector<Json*> all;
  collect(json, all);
  Json& target = *dice.of(all);
  if (dice.one_in(4)) {
    const Json other = dice.one_in(2) ? any_value(dice) : *dice.of(all);
    target = other;
  } else if (target.is_list()) {
    damage_list(target.as_list(), dice);
  } else if (target.is_object()) {
    damage_object(target.as_object(), dice);
  } else if (target.is_string()) {
    std::string text = target.as_string();
    damage(text, dice);
    target = Json(text);
  } else {
    target = any_value(dice);
  }
}

void damage_document(std::string& text, Dice& dice) {
  if (!dice.one_in(5) && text.starts_with("{")) {
    try {
      Json json = Json::parse(text, "fuzz");
      for (size_t i = 1 + dice.below(3); i > 0; --i) damage(json, dice);
      text = json.dump();
      return;
    } catch (const Error&) {  // damaged already
    }
  }
  damage(text, dice);
}

}  // namespace ocellus::fuzz
