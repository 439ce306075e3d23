#include "strided_layer.hpp"

#include <fmt/format.h>

namespace ocellus::layers {

Strides strides_of(const Shape& shape) {
  Strides strides(shape.rank());
  int distance = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    strides[i] = shape[i] == 1 ? 0 : distance;
    distance *= shape[i];
  }
  return strides;
}

std::vector<int> axes_of(const std::vector<int>& axes, const Shape& shape) {
  std::vector<int> found;
  for (int axis : axes) {
    const int a = axis < 0 ? axis + shape.rank() : axis;
    if (a < 1 || a >= shape.rank())
      throw ShapeError(fmt::format("{} has no axis {} behind the batch", shape.str(), axis));
    found.push_back(a);
  }
  std::sort(found.begin(), found.end());
  if (std::adjacent_find(found.begin(), found.end()) != found.end())
    throw ShapeError("names an axis twice");
  return found;
}

std::vector<int> integers_of(const Json& value, const std::string& parameter) {
  std::vector<int> list;
  const auto take = [&](const Json& v) {
    if (v.type() != Json::Type::integer)
      throw UsageError(
          fmt::format("parameter '{}': expected an integer or a list of integers, found {}",
                      parameter, value.dump()));
    list.push_back(v.as_int());
  };
  if (value.is_list())
    for (const Json& v : value.as_list()) take(v);
  else
    take(value);
  return list;
}

Shape with_ones(Shape shape, const std::vector<int>& axes) {
  for (int a : axes) shape.set(a, 1);
  return shape;
}

LayerPlan op_plan(const PlanRequest& request, const Shape& output) {
  LayerPlan p;
  p.request = request;
  p.outputs = {output};
  return p;
}

}  // namespace ocellus::layers
