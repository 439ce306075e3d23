#pragma once

#include <optional>
#include <span>
#include <vector>

#include "ocellus/core/network.hpp"

namespace ocellus {

/// How an output pixel sees the network's input along one axis: pixel o depends on inputs start + o
/// * jump + [0, size). Araujo, Norris and Sim, "Computing receptive fields of convolutional neural
/// networks", Distill 2019.
struct FieldAxis {
  double size = 1;  ///< input pixels
  double jump = 1;  ///< input pixels between the fields of neighbours; below 1 behind an upsampling
  double start =
      0;  ///< first input pixel of output 0's field; its negative is the effective padding
  bool operator==(const FieldAxis&) const = default;
};

struct ReceptiveField {
  bool global = false;  ///< depends on the entire input; the axes mean nothing then
  FieldAxis h, w;
};

/// The part of an image of `height` x `width` that output pixel (y, x) depends on: rows [top,
/// bottom), columns [left, right).
struct PixelBox {
  int top = 0, left = 0, bottom = 0, right = 0;
};
OCELLUS_API PixelBox clipped(const ReceptiveField& field, int y, int x, int height, int width);

/// Field of a call whose inputs have these: the union of theirs, seen through its window. None
/// where they disagree in jump.
OCELLUS_API std::optional<ReceptiveField> field_behind(const Window& window,
                                                       std::span<const ReceptiveField> inputs);

/// Fields of all nodes, from the layers' Window traits. Where paths meet, the field is the union of
/// theirs. Throws ShapeError naming the layers when paths disagree in jump.
OCELLUS_API std::vector<ReceptiveField> receptive_fields(const Network& network);

}  // namespace ocellus
