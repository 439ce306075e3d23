#include "ocellus/core/regularizers.hpp"

#include <string>

namespace ocellus {
namespace {

constexpr std::string_view suffix = "_regularizer";
constexpr double usual = 0.01;  // Keras' default of both factors

}  // namespace

ActivityRegularizing::~ActivityRegularizing() = default;

std::optional<Regularizer> parse_regularizer(const Json& value) {
  if (value.is_string()) {
    const std::string& name = value.as_string();
    if (name == "l1" || name == "L1") return Regularizer{usual, 0};
    if (name == "l2" || name == "L2") return Regularizer{0, usual};
    if (name == "l1_l2") return Regularizer{usual, usual};
    return {};
  }
  const Json* config = value.is_object() ? value.find("config") : nullptr;
  if (!config || !config->is_object()) return {};
  const std::string name = value.get("class_name", "");
  if (name == "L1") return Regularizer{config->get("l1", usual), 0};
  if (name == "L2") return Regularizer{0, config->get("l2", usual)};
  if (name == "L1L2") return Regularizer{config->get("l1", 0.0), config->get("l2", 0.0)};
  return {};
}

bool is_regularizer_key(std::string_view key) { return key.ends_with(suffix); }

bool regularizes(std::string_view key, std::string_view parameter) {
  if (!is_regularizer_key(key)) return false;
  const std::string stem(key.substr(0, key.size() - suffix.size()));
  return parameter == stem || parameter == stem + "_kernel";
}

}  // namespace ocellus
