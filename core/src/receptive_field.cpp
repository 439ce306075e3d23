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

bool agree(const ReceptiveField& a, const ReceptiveField& b) {
  return a.global || b.global || (a.h.jump == b.h.jump && a.w.jump == b.w.jump);
}

[[noreturn]] void refuse(const Network& network, const NetworkNode& node,
                         const std::vector<ReceptiveField>& inputs) {
  const size_t i = static_cast<size_t>(
      std::find_if(inputs.begin(), inputs.end(),
                   [&](const ReceptiveField& f) { return !agree(inputs[0], f); }) -
      inputs.begin());
  throw ShapeError(fmt::format(
      "layer '{}': '{}' has a receptive field every {} x {} pixels, '{}' every {} x {}: paths that "
      "meet must agree",
      node.name, network.tensor_name(node.inputs[0]), inputs[0].h.jump, inputs[0].w.jump,
      network.tensor_name(node.inputs.at(i)), inputs.at(i).h.jump, inputs.at(i).w.jump));
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

std::optional<ReceptiveField> field_behind(const Window& window,
                                           std::span<const ReceptiveField> inputs) {
  ReceptiveField field = inputs[0];
  field.global =
      window.kind == Window::Kind::global ||
      std::any_of(inputs.begin(), inputs.end(), [](const ReceptiveField& f) { return f.global; });
  if (field.global) return field;
  for (const ReceptiveField& other : inputs) {
    if (!agree(inputs[0], other)) return std::nullopt;
    field.h = united(field.h, other.h);
    field.w = united(field.w, other.w);
  }
  if (window.kind == Window::Kind::local) {
    field.h = through(field.h, window.h);
    field.w = through(field.w, window.w);
  }
  return field;
}

std::vector<ReceptiveField> receptive_fields(const Network& network) {
  std::vector<ReceptiveField> fields;
  for (const NetworkNode& node : network.nodes()) {
    std::vector<ReceptiveField> inputs;
    for (const NodeOutput& input : node.inputs) inputs.push_back(fields[input.node]);
    if (inputs.empty()) {
      fields.emplace_back();
      continue;
    }
    const auto field = field_behind(window_of(network, node), inputs);
    if (!field) refuse(network, node, inputs);
    fields.push_back(*field);
  }
  return fields;
}

}  // namespace ocellus
