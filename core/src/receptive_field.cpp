#include "ocellus/core/receptive_field.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace ocellus {
namespace {

FieldAxis through(const FieldAxis& in, const WindowAxis& window) {
  const double jump = in.jump / window.upsample;
  return {in.size + (window.extent() - 1) * jump, jump * window.stride,
          in.start - window.pad_before * jump};
}

FieldAxis united(const FieldAxis& a, const FieldAxis& b) {
  const double start = std::min(a.start, b.start);
  return {std::max(a.start + a.size, b.start + b.size) - start, a.jump, start};
}

// The union of what a node's inputs see.
ReceptiveField merged(const Network& network, const NetworkNode& node,
                      const std::vector<ReceptiveField>& fields) {
  ReceptiveField field = fields[node.inputs[0].node];
  for (const NodeOutput& input : node.inputs) {
    const ReceptiveField& other = fields[input.node];
    if (field.global || other.global) {
      field.global = true;
      continue;
    }
    if (field.h.jump != other.h.jump || field.w.jump != other.w.jump)
      throw ShapeError(
          fmt::format("layer '{}': '{}' has a receptive field every {} x {} pixels, '{}' every {} "
                      "x {}: paths that "
                      "meet must agree",
                      node.name, network.tensor_name(node.inputs[0]), field.h.jump, field.w.jump,
                      network.tensor_name(input), other.h.jump, other.w.jump));
    field.h = united(field.h, other.h);
    field.w = united(field.w, other.w);
  }
  return field;
}

// Window of the call itself: a shared layer may be called with other extents, whose `same` padding
// differs.
Window window_of(const Network& network, const NetworkNode& node) {
  PlanRequest request;
  for (const NodeOutput& input : node.inputs) request.inputs.push_back(network.shape(input));
  return network.layers()[node.layer].layer->plan(request).window;
}

}  // namespace

PixelBox clipped(const ReceptiveField& field, int y, int x, int height, int width) {
  if (field.global) return {0, 0, height, width};
  const auto first = [](const FieldAxis& a, int o, int extent) {
    return std::clamp(static_cast<int>(std::floor(a.start + o * a.jump)), 0, extent);
  };
  const auto last = [](const FieldAxis& a, int o, int extent) {
    return std::clamp(static_cast<int>(std::ceil(a.start + o * a.jump + a.size)), 0, extent);
  };
  return {first(field.h, y, height), first(field.w, x, width), last(field.h, y, height),
          last(field.w, x, width)};
}

std::vector<ReceptiveField> receptive_fields(const Network& network) {
  std::vector<ReceptiveField> fields;
  for (const NetworkNode& node : network.nodes()) {
    ReceptiveField& field = fields.emplace_back();
    if (node.inputs.empty()) continue;
    const Window window = window_of(network, node);
    if (window.kind == Window::Kind::global) {
      field.global = true;
      continue;
    }
    field = merged(network, node, fields);
    if (window.kind == Window::Kind::local) {
      field.h = through(field.h, window.h);
      field.w = through(field.w, window.w);
    }
  }
  return fields;
}

}  // namespace ocellus
