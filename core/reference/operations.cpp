// References of the layers that stand for operations in graphs: arithmetic, slices, reductions.
#include <algorithm>
#include <cmath>
#include <map>

#include "reference/layers.hpp"
#include "reference/primitives.hpp"

namespace ocellus::reference {
namespace {

using Tensors = std::vector<ReferenceTensor>;

double apply(const std::string& operation, double a, double b) {
  if (operation.starts_with("reverse_")) return apply(operation.substr(8), b, a);
  if (operation == "add") return a + b;
  if (operation == "subtract") return a - b;
  if (operation == "multiply") return a * b;
  if (operation == "divide") return a / b;
  if (operation == "power") return std::pow(a, b);
  if (operation == "maximum") return std::max(a, b);
  if (operation == "minimum") return std::min(a, b);
  return NAN;
}

}  // namespace

std::vector<ReferenceTensor> constant_operation(const ReferenceCall& call) {
  ReferenceTensor y = call.inputs[0];
  const std::string operation = call.parameters.at("operation").as_string();
  const Json& value = call.parameters.at("value");
  for (size_t i = 0; i < y.values.size(); ++i)
    y.values[i] =
        apply(operation, y.values[i],
              value.is_list() ? value.at(i % value.size()).as_double() : value.as_double());
  return {y};
}

std::vector<ReferenceTensor> unary_operation(const ReferenceCall& call) {
  static const std::map<std::string, std::function<double(double)>> functions = {
      {"abs", [](double x) { return std::abs(x); }},
      {"ceil", [](double x) { return std::ceil(x); }},
      {"cos", [](double x) { return std::cos(x); }},
      {"erf", [](double x) { return std::erf(x); }},
      {"exp", [](double x) { return std::exp(x); }},
      {"expm1", [](double x) { return std::expm1(x); }},
      {"floor", [](double x) { return std::floor(x); }},
      {"log", [](double x) { return std::log(x); }},
      {"log1p", [](double x) { return std::log1p(x); }},
      {"negative", [](double x) { return -x; }},
      {"reciprocal", [](double x) { return 1 / x; }},
      {"round", [](double x) { return std::nearbyint(x); }},
      {"rsqrt", [](double x) { return 1 / std::sqrt(x); }},
      {"sign", [](double x) { return (x > 0) - (x < 0); }},
      {"sin", [](double x) { return std::sin(x); }},
      {"sqrt", [](double x) { return std::sqrt(x); }},
      {"square", [](double x) { return x * x; }},
  };
  const auto& f = functions.at(call.parameters.at("operation").as_string());
  ReferenceTensor y = call.inputs[0];
  for (double& v : y.values) v = f(v);
  return {y};
}

/// Collects, axis by axis, the indices that a Python range visits.
std::vector<ReferenceTensor> slice(const ReferenceCall& call) {
  const ReferenceTensor& x = call.inputs[0];
  const auto at = [&](const char* key, int axis) {
    const Json& list = call.parameters.at(key);
    return axis < static_cast<int>(list.size()) ? list.at(size_t(axis)) : Json();
  };
  std::vector<std::vector<int>> taken(x.shape.rank());
  for (int i = 0; i < x.shape[0]; ++i) taken[0].push_back(i);
  for (int a = 1; a < x.shape.rank(); ++a) {
    const int n = x.shape[a];
    const int step = at("stride", a - 1).is_null() ? 1 : at("stride", a - 1).as_int();
    const auto index = [&](const char* key, int otherwise) {
      const Json v = at(key, a - 1);
      return v.is_null() ? otherwise : v.as_int() < 0 ? v.as_int() + n : v.as_int();
    };
    const int begin = index("begin", step > 0 ? 0 : n - 1), end = index("end", step > 0 ? n : -1);
    for (int i = step < 0 ? std::min(begin, n - 1) : begin; step > 0 ? i < end : i > end; i += step)
      if (i >= 0 && i < n) taken[a].push_back(i);
  }
  std::vector<int> extents, kept;
  for (int a = 0; a < x.shape.rank(); ++a) {
    extents.push_back(static_cast<int>(taken[a].size()));
    const auto& dropped = call.parameters.at("squeeze").as_list();
    if (std::none_of(dropped.begin(), dropped.end(), [&](const Json& d) {
          return d.as_int() == a || d.as_int() + x.shape.rank() == a;
        }))
      kept.push_back(extents.back());
  }
  ReferenceTensor y = filled(Shape(extents));
  for (size_t i = 0; i < y.values.size(); ++i) {
    std::vector<int> place = place_of(y.shape, i);
    for (size_t a = 0; a < place.size(); ++a) place[a] = taken[a][place[a]];
    y.values[i] = x.values[index_of(x.shape, place)];
  }
  y.shape = Shape(kept);
  return {y};
}

std::vector<ReferenceTensor> reduction(const ReferenceCall& call, Reduced kind) {
  const ReferenceTensor& x = call.inputs[0];
  const int rank = x.shape.rank();
  std::vector<bool> reduced(rank);
  const Json& axes = call.parameters.at("axes");
  const auto mark = [&](int axis) { reduced[axis < 0 ? axis + rank : axis] = true; };
  if (axes.is_list())
    for (const Json& a : axes.as_list()) mark(a.as_int());
  else if (!axes.is_null())
    mark(axes.as_int());
  else
    for (int a = 1; a < rank; ++a) mark(a);
  Shape ones = x.shape;
  std::vector<int> kept;
  for (int a = 0; a < rank; ++a) {
    if (reduced[a]) ones.set(a, 1);
    if (!reduced[a] || call.parameters.get("keepdims", false)) kept.push_back(ones[a]);
  }
  const bool sums = kind == Reduced::mean || kind == Reduced::sum;
  ReferenceTensor y = filled(ones, sums ? 0 : kind == Reduced::max ? -HUGE_VAL : HUGE_VAL);
  const double terms = static_cast<double>(x.values.size()) / static_cast<double>(y.values.size());
  for (size_t i = 0; i < x.values.size(); ++i) {
    std::vector<int> place = place_of(x.shape, i);
    for (int a = 0; a < rank; ++a)
      if (reduced[a]) place[a] = 0;
    double& to = y.values[index_of(ones, place)];
    to = sums                   ? to + x.values[i] / (kind == Reduced::mean ? terms : 1)
         : kind == Reduced::max ? std::max(to, x.values[i])
                                : std::min(to, x.values[i]);
  }
  y.shape = Shape(kept);
  return {y};
}

/// Every element of every input by its own coordinates: an extent of 1 is repeated, missing axes
/// stand behind the batch.
std::vector<ReferenceTensor> merge(const ReferenceCall& call, Merged kind) {
  int rank = 0;
  for (const ReferenceTensor& x : call.inputs) rank = std::max(rank, x.shape.rank());
  std::vector<int> extents(rank, 1);
  const auto axis = [&](const ReferenceTensor& x, int a) {
    return a == 0 ? 0
                  : a - (rank - x.shape.rank());  // 0 or less: a missing axis, but for the batch
  };
  for (const ReferenceTensor& x : call.inputs)
    for (int a = 0; a < rank; ++a)
      if (a == 0 || axis(x, a) > 0) extents[a] = std::max(extents[a], x.shape[axis(x, a)]);
  ReferenceTensor y = filled(Shape(extents));
  const auto n = static_cast<double>(call.inputs.size());
  for (size_t i = 0; i < y.values.size(); ++i) {
    const std::vector<int> place = place_of(y.shape, i);
    for (size_t k = 0; k < call.inputs.size(); ++k) {
      const ReferenceTensor& x = call.inputs[k];
      std::vector<int> at(x.shape.rank());
      for (int a = 0; a < rank; ++a)
        if (a == 0 || axis(x, a) > 0) at[axis(x, a)] = x.shape[axis(x, a)] == 1 ? 0 : place[a];
      const double v = x.values[index_of(x.shape, at)];
      double& to = y.values[i];
      if (k == 0)
        to = kind == Merged::average ? v / n : v;
      else if (kind == Merged::sum)
        to += v;
      else if (kind == Merged::average)
        to += v / n;
      else if (kind == Merged::difference)
        to -= v;
      else if (kind == Merged::product)
        to *= v;
      else if (kind == Merged::quotient)
        to /= v;
      else
        to = kind == Merged::largest ? std::max(to, v) : std::min(to, v);
    }
  }
  return {y};
}

}  // namespace ocellus::reference
