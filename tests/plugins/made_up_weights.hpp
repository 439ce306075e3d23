#pragma once

#include <cmath>
#include <vector>

#include "ocellus/core/network.hpp"

/// Weights for networks of any size, the same here and in Keras (make_zoo_fixtures.py): kernels
/// with He's variance, statistics of batch normalization away from 0 and 1.
namespace ocellus::test {

/// splitmix64 of a counter, 24 bits of it: uniform() in make_zoo_fixtures.py.
inline std::vector<float> uniform(int layer, int weight, int64_t count) {
  const uint64_t first = static_cast<uint64_t>((layer + 1) * 16 + weight) << 32;
  std::vector<float> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i) {
    uint64_t z = (first + i) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    values[i] = static_cast<float>(z >> 40) * 0x1p-24f;
  }
  return values;
}

/// value() in make_zoo_fixtures.py.
inline Array made_up(const NetworkLayer& layer, int number, int index, const ParameterSpec& spec) {
  std::vector<float> values = uniform(number, index, spec.shape.elements());
  const auto extents = spec.shape.extents();
  int fan_in = 1;
  const size_t summed =
      layer.type == "DepthwiseConv2D" ? 2 : std::max<size_t>(extents.size(), 1) - 1;
  for (size_t a = 0; a < summed; ++a) fan_in *= extents[a];
  const auto limit = static_cast<float>(std::sqrt(6.0 / fan_in));
  for (float& u : values) {
    if (spec.name == "kernel" || spec.name == "depthwise_kernel")
      u = (2 * u - 1) * limit;
    else if (spec.name == "gamma" || spec.name == "moving_variance" || spec.name == "variance")
      u = 0.5f + u;
    else
      u = spec.name == "count" ? 0 : u - 0.5f;
  }
  return Array(spec.shape, std::move(values));
}

inline std::vector<ParameterSpec> weights_of(const NetworkLayer& layer) {
  std::vector<ParameterSpec> all = layer.plan.parameters;
  all.insert(all.end(), layer.plan.states.begin(), layer.plan.states.end());
  return all;
}

inline std::vector<WeightsRecord> made_up_weights(const Network& network) {
  std::vector<WeightsRecord> records;
  int number = 0;
  for (const NetworkLayer& layer : network.layers()) {
    const std::vector<ParameterSpec> specs = weights_of(layer);
    if (specs.empty()) continue;
    WeightsRecord record{layer.name, {}, {}};
    for (size_t i = 0; i < specs.size(); ++i) {
      record.names.push_back(specs[i].name);
      record.values.push_back(made_up(layer, number, static_cast<int>(i), specs[i]));
    }
    records.push_back(std::move(record));
    ++number;
  }
  return records;
}

}  // namespace ocellus::test
