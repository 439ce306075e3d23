#pragma once

#include <string>
#include <type_traits>

#include "ocellus/core/layer.hpp"
#include "ocellus/core/schema.hpp"

/// Many layers exist for images (N, H, W, C), with parameters of type Size, and for sequences (N,
/// L, C), with parameters of type int. A sequence is computed as an image of one row.
namespace ocellus::layers {

/// Rank of what a layer takes whose parameters are `Extent`s: Size or int.
template <class Extent>
inline constexpr int rank_of = std::is_same_v<Extent, Size> ? 4 : 3;

/// `n` along each axis.
template <class Extent>
constexpr Extent each(int n) {
  if constexpr (std::is_same_v<Extent, Size>)
    return {n, n};
  else
    return n;
}

inline Size image_size(Size s) { return s; }
inline Size image_size(int n) { return {1, n}; }

/// (N, L, C) as (N, 1, L, C); an image as it is.
inline Shape as_image(const Shape& s) { return s.rank() == 3 ? Shape{s[0], 1, s[1], s[2]} : s; }
/// The way back: the image as a tensor of rank 3 or 4.
inline Shape from_image(const Shape& s, int rank) {
  return rank == 3 ? Shape{s[0], s[2], s[3]} : s;
}

/// From b, [vertical, horizontal] or [[top, bottom], [left, right]]; for sequences (rank 3) from b
/// or [before, after]. Throws UsageError that names `parameter` where it is none of these.
Border border_of(const char* parameter, const Json& value, int rank);

/// A window that slides over an image.
struct ImageWindow {
  opencl::Axis h, w;
};

/// Throws ShapeError when both are over 1, which Keras refuses.
void check_window(Size strides, Size dilation);

/// The window of a layer whose input 0 is `image`, with the request's border. `padding` is "valid",
/// "same" or "causal" (outputs see no later input); with a halo the input holds the padding
/// already. Throws ShapeError when the window is larger than the input, and
/// where check_window() does.
ImageWindow image_window(const Shape& image, Size kernel, Size strides, Size dilation,
                         const std::string& padding, const PlanRequest& request);

}  // namespace ocellus::layers
