#pragma once

#include <string>
#include <vector>

#include "ocellus/core/json.hpp"
#include "ocellus/core/results.hpp"

namespace ocellus {

/// u8 (H, W, 1 or 3) for the eye: f32 in 0..1 is scaled and clamped, (H, W) becomes one channel, of
/// other channel counts the first is taken.
Array for_display(const Array& image);

/// A map ready to be coloured: channels summed.
struct ColouredMap {
  Array image;               ///< u8 (H, W, 3)
  double low = 0, high = 0;  ///< values at the ends of the colour bar
  bool constant = false;     ///< one value everywhere, or nothing finite: there is nothing to see
};
/// The scale is the value below which 98 % of |map| lie, so that a few bright pixels do not darken
/// the rest. Signed maps go from blue over white to red, symmetric about zero; others climb one
/// ramp from 0.
ColouredMap colour(const Attribution& attribution);
/// Colours of the ramp from its low to its high end, as CSS, for the colour bar.
std::vector<std::string> ramp_stops(bool is_signed);
/// The colours of `colour()` shown half over the input.
Array overlay(const Array& input, const Array& map);

/// {"src": "data:image/png;base64,...", "w": W, "h": H}
Json inline_png(const Array& image);
/// One picture of all thumbnails, `columns` a row; all must have the first one's shape, which `w`
/// and `h` name.
Json inline_sprite(const std::vector<Array>& thumbnails);

}  // namespace ocellus
