#include "ocellus/core/initializers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "ocellus/core/error.hpp"
#include "ocellus/core/text.hpp"

namespace ocellus {
namespace {

enum class Distribution { constant, uniform, normal, truncated };
enum class Fan { none, in, average };

/// value: the constant; the limit of a uniform, or the deviation of a normal, without fans; else
/// the numerator of variance = value / fan.
struct Initializer {
  std::string name;
  Distribution distribution;
  Fan fan;
  double value;
};

const std::vector<Initializer>& table() {
  static const std::vector<Initializer> list = {
      {"zeros", Distribution::constant, Fan::none, 0},
      {"ones", Distribution::constant, Fan::none, 1},
      {"glorot_uniform", Distribution::uniform, Fan::average, 1},
      {"glorot_normal", Distribution::truncated, Fan::average, 1},
      {"he_uniform", Distribution::uniform, Fan::in, 2},
      {"he_normal", Distribution::truncated, Fan::in, 2},
      {"lecun_uniform", Distribution::uniform, Fan::in, 1},
      {"lecun_normal", Distribution::truncated, Fan::in, 1},
      {"random_uniform", Distribution::uniform, Fan::none, 0.05},
      {"random_normal", Distribution::normal, Fan::none, 0.05},
      {"truncated_normal", Distribution::truncated, Fan::none, 0.05},
  };
  return list;
}

double fan_of(const Shape& shape, Fan fan) {
  const int rank = shape.rank();
  if (rank == 0) return 1;
  if (rank == 1) return std::max(1, shape[0]);
  double receptive = 1;
  for (int i = 0; i + 2 < rank; ++i) receptive *= shape[i];
  const double in = receptive * shape[-2], out = receptive * shape[-1];
  return std::max(1.0, fan == Fan::in ? in : (in + out) / 2);
}

double truncated(Random& random) {
  while (true)
    if (const double v = random.normal(); std::abs(v) <= 2) return v;
}

}  // namespace

void initialize(const std::string& name, const Shape& shape, Random& random,
                std::span<float> values) {
  const auto it = std::find_if(table().begin(), table().end(),
                               [&](const Initializer& i) { return i.name == name; });
  if (it == table().end())
    throw UsageError(
        fmt::format("no initializer '{}'{}", name, suggestion(name, initializer_names())));
  double deviation = it->value;
  if (it->fan != Fan::none) deviation = std::sqrt(it->value / fan_of(shape, it->fan));
  const double limit = it->fan == Fan::none ? it->value : std::sqrt(3.0) * deviation;
  // A normal cut at two deviations has 0.8796 of the deviation; with fans the variance asked for is
  // that of the result.
  const double truncated_scale = it->fan == Fan::none ? deviation : deviation / 0.87962566103423978;
  for (float& v : values) {
    switch (it->distribution) {
      case Distribution::constant:
        v = static_cast<float>(it->value);
        break;
      case Distribution::uniform:
        v = static_cast<float>(random.uniform(-limit, limit));
        break;
      case Distribution::normal:
        v = static_cast<float>(deviation * random.normal());
        break;
      case Distribution::truncated:
        v = static_cast<float>(truncated_scale * truncated(random));
        break;
    }
  }
}

const std::vector<std::string>& initializer_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    for (const Initializer& i : table()) list.push_back(i.name);
    return list;
  }();
  return names;
}

}  // namespace ocellus
