#include <algorithm>
#include <cmath>

#include "reference/layers.hpp"
#include "reference/primitives.hpp"

namespace ocellus::reference {
namespace {

/// A parameter that is a number, or a list with one for every channel.
std::vector<double> per_channel(const Json& value, int channels) {
  std::vector<double> list;
  for (int c = 0; c < channels; ++c)
    list.push_back(value.is_list() ? value.at(size_t(c)).as_double() : value.as_double());
  return list;
}

/// Axis `axis` of x at the end, or the last axis of x at `axis`.
ReferenceTensor rotated(const ReferenceTensor& x, int axis, bool to_end) {
  std::vector<int> order;  // of y's axes
  const int last = x.shape.rank() - 1;
  for (int i = 0; i <= last; ++i)
    if (i != (to_end ? axis : last)) order.push_back(i);
  order.insert(order.begin() + (to_end ? last : axis), to_end ? axis : last);
  std::vector<int> extents;
  for (int a : order) extents.push_back(x.shape[a]);
  ReferenceTensor y{Shape(extents), std::vector<double>(x.values.size())};
  for (size_t i = 0; i < y.values.size(); ++i) {
    const std::vector<int> place = place_of(y.shape, i);
    std::vector<int> from(place.size());
    for (size_t a = 0; a < place.size(); ++a) from[static_cast<size_t>(order[a])] = place[a];
    size_t at = 0;
    for (int a = 0; a <= last; ++a) at = at * x.shape[a] + from[static_cast<size_t>(a)];
    y.values[i] = x.values[at];
  }
  return y;
}

}  // namespace

/// Outputs, then, where the batch is normalized by its own statistics, the new moving mean and
/// variance.
std::vector<ReferenceTensor> batch_normalization(const ReferenceCall& call) {
  const Json& p = call.parameters;
  int axis = p.get("axis", -1);
  if (axis < 0) axis += call.inputs[0].shape.rank();
  const ReferenceTensor x = rotated(call.inputs[0], axis, true);
  const bool has_scale = p.get("scale", true), has_center = p.get("center", true);
  const size_t states = has_scale + has_center;
  std::vector<double> mean = call.weights[states].values,
                      variance = call.weights[states + 1].values;
  std::vector<ReferenceTensor> results(1);
  if (call.training) {
    const double keep = p.get("momentum", 0.99);
    const std::vector<double> old_mean = mean, old_variance = variance;
    moments(x, mean, variance);
    for (size_t i : {states, states + 1}) results.push_back(call.weights[i]);
    for (size_t c = 0; c < mean.size(); ++c) {
      results[1].values[c] = keep * old_mean[c] + (1 - keep) * mean[c];
      results[2].values[c] = keep * old_variance[c] + (1 - keep) * variance[c];
    }
  }
  std::vector<double> scale(mean.size()), shift(mean.size());
  for (size_t c = 0; c < mean.size(); ++c) {
    scale[c] = (has_scale ? call.weights[0].values[c] : 1) /
               std::sqrt(variance[c] + p.get("epsilon", 1e-3));
    shift[c] = (has_center ? call.weights[has_scale].values[c] : 0) - mean[c] * scale[c];
  }
  results[0] = rotated(channel_affine(x, scale, shift), axis, false);
  return results;
}

std::vector<ReferenceTensor> normalization(const ReferenceCall& call) {
  ReferenceTensor y = call.inputs[0];
  const Json &p = call.parameters, &axis = p.at("axis");
  const bool given = !p.at("mean").is_null(), invert = p.get("invert", false);
  std::vector<int> axes;
  const auto take = [&](const Json& a) {
    axes.push_back(a.as_int() < 0 ? a.as_int() + y.shape.rank() : a.as_int());
  };
  if (axis.is_list())
    for (const Json& a : axis.as_list()) take(a);
  else if (!axis.is_null())
    take(axis);
  const int channels = y.shape.channels();
  const std::vector<double> mean = given ? per_channel(p.at("mean"), channels)
                                         : call.weights[0].values,
                            variance = given ? per_channel(p.at("variance"), channels)
                                             : call.weights[1].values;
  for (size_t i = 0; i < y.values.size(); ++i) {
    const std::vector<int> place = place_of(y.shape, i);
    size_t s = 0;
    for (int a : axes) s = s * y.shape[a] + place[a];
    const double deviation = std::max(std::sqrt(variance[s]), 1e-7);
    y.values[i] = invert ? mean[s] + y.values[i] * deviation : (y.values[i] - mean[s]) / deviation;
  }
  return {y};
}

std::vector<ReferenceTensor> rescaling(const ReferenceCall& call) {
  const int channels = call.inputs[0].shape.channels();
  return {channel_affine(call.inputs[0], per_channel(call.parameters.at("scale"), channels),
                         per_channel(call.parameters.at("offset"), channels))};
}

std::vector<ReferenceTensor> dropout(const ReferenceCall& call) {
  ReferenceTensor y = call.inputs[0];
  // The device compares in float.
  const float rate = static_cast<float>(call.parameters.at("rate").as_double());
  if (!call.training || rate == 0) return {y};
  const size_t item = y.shape.without_batch().elements();
  const Json* noise_shape = call.parameters.find("noise_shape");
  const bool whole_items = noise_shape && noise_shape->is_list();
  for (size_t i = 0; i < y.values.size(); ++i) {
    const int n = static_cast<int>(i / item), sample = call.samples.empty() ? n : call.samples[n];
    const double u = uniform(call.seed, call.step, call.node, sample,
                             whole_items ? 0 : static_cast<uint32_t>(i % item));
    y.values[i] = u >= rate ? y.values[i] / (1.0 - rate) : 0;
  }
  return {y};
}

}  // namespace ocellus::reference
