// The short JSON form of a model: one line a layer.
#include <fmt/format.h>

#include "ocellus/core/error.hpp"
#include "ocellus/core/graph_builder.hpp"
#include "ocellus/core/model.hpp"
#include "ocellus/core/regularizers.hpp"
#include "ocellus/core/text.hpp"

namespace ocellus {
namespace {

class ShortModel {
 public:
  ShortModel(const Registry& registry, const Json& j, std::string where)
      : registry_(registry), json_(j), where_(std::move(where)), builder_(j.get("name", "model")) {}

  GraphRecord read() {
    static const std::vector<std::string> keys = {"name",    "input",   "inputs",       "layers",
                                                  "outputs", "classes", "preprocessing"};
    for (const auto& [key, value] : json_.as_object())
      if (std::find(keys.begin(), keys.end(), key) == keys.end())
        throw UsageError(fmt::format("{}: unknown key '{}'{}", where_, key, suggestion(key, keys)));
    read_inputs();
    const Json::List& layers = json_.at("layers").as_list();
    for (size_t i = 0; i < layers.size(); ++i)
      read_layer(layers[i], fmt::format("{}: layer {}", where_, i + 1));
    std::vector<TensorRef> outputs;
    if (const Json* names = json_.find("outputs"))
      for (const Json& name : names->as_list())
        outputs.push_back(builder_.output_of(name.as_string()));
    return builder_.finish(std::move(outputs));
  }

 private:
  static std::vector<int> shape_of(const Json& j) {
    std::vector<int> shape;
    for (const Json& extent : j.as_list()) shape.push_back(extent.as_int());
    return shape;
  }

  void read_inputs() {
    if (const Json* many = json_.find("inputs")) {
      for (const auto& [name, shape] : many->as_object()) builder_.input(shape_of(shape), name);
    } else {
      builder_.input(shape_of(json_.at("input")));
    }
  }

  // "Flatten", or ["Conv2D", {"filters": 8, ..., "name": "conv1", "inputs": ["a"], "trainable":
  // false}].
  void read_layer(const Json& j, const std::string& where) {
    const bool bare = j.is_string();
    if (!bare && !(j.is_list() && (j.size() == 1 || j.size() == 2) && j.at(size_t{0}).is_string()))
      throw UsageError(fmt::format("{}: expected \"Type\" or [\"Type\", {{parameters}}], found {}",
                                   where, j.dump()));
    const std::string type = bare ? j.as_string() : j.at(size_t{0}).as_string();
    Json given = j.is_list() && j.size() == 2 ? j.at(1) : Json::object();
    if (!given.is_object())
      throw UsageError(
          fmt::format("{}: the parameters of {} are no object: {}", where, type, given.dump()));
    const std::string name = given.get("name", "");
    const bool trainable = given.get("trainable", true);
    std::vector<TensorRef> inputs;
    if (const Json* names = given.find("inputs"))
      for (const Json& i : names->as_list()) inputs.push_back(builder_.output_of(i.as_string()));
    else
      inputs.push_back(builder_.last());
    for (const char* key : {"name", "trainable", "inputs"}) given.erase(key);
    const Json foreign = take_regularizers(given, where);
    check_parameters(type, given, where);
    builder_.add(type, std::move(given.as_object()), std::move(inputs), name);
    builder_.record().trainable = trainable;
    builder_.record().foreign = foreign;
  }

  // Takes "kernel_regularizer" and its like, which are the Trainer's and not the layer's.
  static Json take_regularizers(Json& given, const std::string& where) {
    Json taken = Json::object();
    for (const auto& [key, value] : given.as_object()) {
      if (!is_regularizer_key(key)) continue;
      if (!parse_regularizer(value))
        throw UsageError(fmt::format(
            "{}: {} = {}: expected \"l1\", \"l2\", \"l1_l2\" or {{\"class_name\": \"L2\", "
            "\"config\": {{\"l2\": 1e-4}}}}",
            where, key, value.dump()));
      taken[key] = value;
    }
    for (const auto& [key, value] : taken.as_object()) given.erase(key);
    return taken;
  }

  // A misspelt word is told here, with its line, and not when the network is built.
  void check_parameters(const std::string& type, const Json& given,
                        const std::string& where) const {
    const TypeInfo& info = [&]() -> const TypeInfo& {
      try {
        return registry_.get(Kind::layer, type);
      } catch (const PluginError& e) {
        throw PluginError(fmt::format("{}: {}", where, e.what()));
      } catch (const UsageError& e) {
        throw UsageError(fmt::format("{}: {}", where, e.what()));
      }
    }();
    info.schema.check(given, fmt::format("{} ({})", where, type));
  }

  const Registry& registry_;
  const Json& json_;
  std::string where_;
  GraphBuilder builder_;
};

}  // namespace

GraphRecord parse_short_model(const Registry& registry, const Json& j, const std::string& where) {
  try {
    return ShortModel(registry, j, where).read();
  } catch (const DataError& e) {
    // A person wrote it: a wrong type or a missing key is a mistake in use.
    const std::string what = e.what();
    throw UsageError(what.starts_with(where) ? what : fmt::format("{}: {}", where, what));
  }
}

}  // namespace ocellus
