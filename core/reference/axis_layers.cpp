// References of the layers that look along axes: normalizations, softmax, PReLU, noise.
#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "reference/layers.hpp"
#include "reference/primitives.hpp"

namespace ocellus::reference {
namespace {

using Tensors = std::vector<ReferenceTensor>;

/// Axes of a parameter that is null, a number or a list.
std::vector<int> axes_of(const Json& value, const Shape& shape) {
  std::vector<int> axes;
  const auto take = [&](const Json& v) {
    axes.push_back(v.as_int() < 0 ? v.as_int() + shape.rank() : v.as_int());
  };
  if (value.is_list())
    for (const Json& v : value.as_list()) take(v);
  else if (!value.is_null())
    take(value);
  return axes;
}

/// Index, in a tensor that has these axes alone, of a place.
size_t along(const Shape& shape, const std::vector<int>& axes, const std::vector<int>& place) {
  size_t i = 0;
  for (int a : axes) i = i * shape[a] + place[a];
  return i;
}

/// The elements of each group that shares all coordinates but those along `axes`.
std::vector<std::vector<size_t>> groups_along(const Shape& shape, const std::vector<int>& axes) {
  std::map<std::vector<int>, std::vector<size_t>> groups;
  for (size_t i = 0; i < size_t(shape.elements()); ++i) {
    std::vector<int> place = place_of(shape, i);
    for (int a : axes) place[a] = 0;
    groups[place].push_back(i);
  }
  std::vector<std::vector<size_t>> list;
  for (auto& [place, group] : groups) list.push_back(std::move(group));
  return list;
}

/// Mean 0 (where `centered`) and variance 1 of each group.
void normalize(ReferenceTensor& y, const std::vector<std::vector<size_t>>& groups, double epsilon,
               bool centered = true) {
  for (const auto& group : groups) {
    const auto n = static_cast<double>(group.size());
    double mean = 0, variance = 0;
    for (size_t i : group) mean += centered ? y.values[i] / n : 0;
    for (size_t i : group) variance += std::pow(y.values[i] - mean, 2) / n;
    for (size_t i : group) y.values[i] = (y.values[i] - mean) / std::sqrt(variance + epsilon);
  }
}

/// y * gamma + beta, both of the extents of `axes`.
void scale_and_shift(ReferenceTensor& y, const ReferenceCall& call, const std::vector<int>& axes) {
  const bool scale = call.parameters.get("scale", true),
             center = call.parameters.get("center", true);
  for (size_t i = 0; i < y.values.size(); ++i) {
    const size_t w = along(y.shape, axes, place_of(y.shape, i));
    if (scale) y.values[i] *= call.weights[0].values[w];
    if (center) y.values[i] += call.weights[scale].values[w];
  }
}

}  // namespace

Tensors layer_normalization(const ReferenceCall& call) {
  ReferenceTensor y = call.inputs[0];
  const std::vector<int> axes = axes_of(call.parameters.at("axis"), y.shape);
  normalize(y, groups_along(y.shape, axes), call.parameters.at("epsilon").as_double());
  scale_and_shift(y, call, axes);
  return {y};
}

Tensors group_normalization(const ReferenceCall& call) {
  ReferenceTensor y = call.inputs[0];
  const int channels = y.shape.channels();
  int count = call.parameters.at("groups").as_int();
  if (count == -1) count = channels;
  std::vector<std::vector<size_t>> groups(size_t(y.shape[0]) * count);
  const size_t item = y.values.size() / y.shape[0];
  for (size_t i = 0; i < y.values.size(); ++i)
    groups[i / item * count + i % channels / (channels / count)].push_back(i);
  normalize(y, groups, call.parameters.at("epsilon").as_double());
  scale_and_shift(y, call, {y.shape.rank() - 1});
  return {y};
}

Tensors rms_normalization(const ReferenceCall& call) {
  ReferenceTensor y = call.inputs[0];
  const std::vector<int> axes = axes_of(call.parameters.at("axis"), y.shape);
  normalize(y, groups_along(y.shape, axes), call.parameters.at("epsilon").as_double(), false);
  for (size_t i = 0; i < y.values.size(); ++i)
    y.values[i] *= call.weights[0].values[along(y.shape, axes, place_of(y.shape, i))];
  return {y};
}

Tensors unit_normalization(const ReferenceCall& call) {
  ReferenceTensor y = call.inputs[0];
  for (const auto& group : groups_along(y.shape, axes_of(call.parameters.at("axis"), y.shape))) {
    double sum = 0;
    for (size_t i : group) sum += y.values[i] * y.values[i];
    for (size_t i : group) y.values[i] /= std::sqrt(std::max(sum, 1e-12));
  }
  return {y};
}

Tensors dot(const ReferenceCall& call) {
  const Json& given = call.parameters.at("axes");
  int axes[2];
  std::vector<std::vector<int>> outer(2);  // the other axes of each input
  ReferenceTensor in[2] = {call.inputs[0], call.inputs[1]};
  std::vector<int> extents = {in[0].shape[0]};
  for (size_t n : {0, 1}) {
    axes[n] = axes_of(given.is_list() ? given.at(n) : given, in[n].shape)[0];
    if (call.parameters.get("normalize", false))
      for (const auto& group : groups_along(in[n].shape, {axes[n]})) {
        double sum = 0;
        for (size_t i : group) sum += in[n].values[i] * in[n].values[i];
        for (size_t i : group) in[n].values[i] /= std::sqrt(std::max(sum, 1e-12));
      }
    for (int a = 1; a < in[n].shape.rank(); ++a)
      if (a != axes[n]) {
        outer[n].push_back(a);
        extents.push_back(in[n].shape[a]);
      }
  }
  if (extents.size() == 1) extents.push_back(1);
  ReferenceTensor z = filled(Shape(extents));
  for (size_t i = 0; i < z.values.size(); ++i) {
    const std::vector<int> place = place_of(z.shape, i);
    size_t next = 1;
    std::vector<int> at[2];
    for (size_t n : {0, 1}) {
      at[n].assign(in[n].shape.rank(), 0);
      at[n][0] = place[0];
      for (int a : outer[n]) at[n][a] = place[next++];
    }
    for (int k = 0; k < in[0].shape[axes[0]]; ++k) {
      at[0][axes[0]] = at[1][axes[1]] = k;
      z.values[i] +=
          in[0].values[index_of(in[0].shape, at[0])] * in[1].values[index_of(in[1].shape, at[1])];
    }
  }
  return {z};
}

Tensors axes_softmax(const ReferenceCall& call) {
  ReferenceTensor y = call.inputs[0];
  for (const auto& group : groups_along(y.shape, axes_of(call.parameters.at("axis"), y.shape))) {
    double top = -HUGE_VAL, sum = 0;
    for (size_t i : group) top = std::max(top, y.values[i]);
    for (size_t i : group) sum += std::exp(y.values[i] - top);
    for (size_t i : group) y.values[i] = std::exp(y.values[i] - top) / sum;
  }
  return {y};
}

Tensors prelu(const ReferenceCall& call) {
  ReferenceTensor y = call.inputs[0];
  Shape slopes = y.shape.with_batch(1);
  for (int a : axes_of(call.parameters.at("shared_axes"), y.shape)) slopes.set(a, 1);
  for (size_t i = 0; i < y.values.size(); ++i) {
    std::vector<int> place = place_of(y.shape, i);
    for (int a = 0; a < y.shape.rank(); ++a)
      if (slopes[a] == 1) place[a] = 0;
    if (y.values[i] < 0) y.values[i] *= call.weights[0].values[index_of(slopes, place)];
  }
  return {y};
}

Tensors repeat_vector(const ReferenceCall& call) {
  const ReferenceTensor& x = call.inputs[0];
  const int n = call.parameters.at("n").as_int(), d = x.shape[1];
  ReferenceTensor y = filled({x.shape[0], n, d});
  for (size_t i = 0; i < y.values.size(); ++i)
    y.values[i] = x.values[i / (size_t(n) * d) * d + i % d];
  return {y};
}

Tensors noise(const ReferenceCall& call, Noise kind) {
  ReferenceTensor y = call.inputs[0];
  if (!call.training) return {y};
  const double rate = kind == Noise::gaussian ? 0 : call.parameters.at("rate").as_double();
  const bool normal_numbers = kind == Noise::gaussian || kind == Noise::gaussian_dropout;
  const size_t item = y.values.size() / y.shape[0], channels = y.shape.channels();
  const double low = -1.6732632423543772 * 1.0507009873554805;
  const double a = 1 / std::sqrt((1 - rate) * (1 + rate * low * low)), b = -a * low * rate;
  for (size_t i = 0; i < y.values.size(); ++i) {
    const size_t n = i / item;
    const int sample = call.samples.empty() ? static_cast<int>(n) : call.samples[n];
    const auto element = static_cast<uint32_t>(kind == Noise::spatial ? i % channels : i % item);
    double& v = y.values[i];
    const auto draw = normal_numbers ? normal : uniform;
    const double u = draw(call.seed, call.step, call.node, sample, element);
    // The device compares in float.
    const bool dropped = u < static_cast<float>(rate);
    switch (kind) {
      case Noise::gaussian:
        v += call.parameters.at("stddev").as_double() * u;
        break;
      case Noise::gaussian_dropout:
        v *= 1 + std::sqrt(rate / (1 - rate)) * u;
        break;
      case Noise::alpha:
        v = a * (dropped ? low : v) + b;
        break;
      case Noise::spatial:
        v = dropped ? 0 : v / (1 - rate);
        break;
    }
  }
  return {y};
}

}  // namespace ocellus::reference
