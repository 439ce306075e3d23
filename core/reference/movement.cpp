// Layers that move pixels: borders, other extents, other axes; and the normalization over channels.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "reference/layers.hpp"
#include "reference/primitives.hpp"

namespace ocellus::reference {
namespace {

using Tensors = std::vector<ReferenceTensor>;

/// y (n, h, w, c) = f(n, i, j, c) for an image, of one row where the input is a sequence.
template <class F>
Tensors filled_by(const ReferenceCall& call, int h, int w, const F& f) {
  const Shape& x = call.inputs[0].shape;
  const int batch = x[0], channels = x[-1];
  ReferenceTensor y = filled({batch, h, w, channels});
  auto value = y.values.begin();
  for (int n = 0; n < batch; ++n)
    for (int i = 0; i < h; ++i)
      for (int j = 0; j < w; ++j)
        for (int c = 0; c < channels; ++c) *value++ = f(n, i, j, c);
  if (x.rank() == 3) y.shape = {batch, w, channels};
  return {y};
}

struct Image {
  const ReferenceTensor& x;
  int h, w;
  explicit Image(const ReferenceTensor& t)
      : x(t), h(t.shape.rank() == 3 ? 1 : t.shape[1]), w(t.shape[-2]) {}
  /// The pixel, or `outside`.
  double at(int n, int i, int j, int c, double outside) const {
    if (i < 0 || i >= h || j < 0 || j >= w) return outside;
    return x.values[((n * h + i) * w + j) * x.shape[-1] + c];
  }
};

/// Zeros (sign 1) put round an image, or pixels (sign -1) taken off.
Tensors with_border(const ReferenceCall& call, const Json& p, int sign) {
  const Image x(call.inputs[0]);
  const bool sequence = call.inputs[0].shape.rank() == 3;
  const auto side = [&](size_t axis, size_t end) {
    if (sequence && axis == 0) return 0;
    const Json& j = p.is_list() && !sequence ? p.at(axis) : p;
    return sign * (j.is_list() ? j.at(end).as_int() : j.as_int());
  };
  return filled_by(
      call, side(0, 0) + x.h + side(0, 1), side(1, 0) + x.w + side(1, 1),
      [&](int n, int i, int j, int c) { return x.at(n, i - side(0, 0), j - side(1, 0), c, 0); });
}

/// One axis seen through a box of `box` pixels that begins at `start`: the pixels that output o
/// mixes, and the share of the second.
struct Place {
  int low, high;
  double share;
  Place(int o, int out, int box, int start, bool linear) {
    const double at = (o + 0.5) * box / out;
    const double centre = linear ? std::clamp(at - 0.5, 0.0, box - 1.0) : std::floor(at);
    low = static_cast<int>(centre);
    high = std::min(low + 1, box - 1);
    share = centre - low;
    low += start, high += start;
  }
};

struct Box {
  int h, w, top = 0, left = 0;
};

Tensors resampled(const ReferenceCall& call, int h, int w, const Box& box, bool linear,
                  double fill) {
  const Image x(call.inputs[0]);
  return filled_by(call, h, w, [&](int n, int i, int j, int c) {
    const Place a(i, h, box.h, box.top, linear), b(j, w, box.w, box.left, linear);
    const auto row = [&](int y) {
      return (1 - b.share) * x.at(n, y, b.low, c, fill) + b.share * x.at(n, y, b.high, c, fill);
    };
    return (1 - a.share) * row(a.low) + a.share * row(a.high);
  });
}

}  // namespace

Tensors zero_padding(const ReferenceCall& call) {
  return with_border(call, call.parameters.at("padding"), 1);
}
Tensors cropping(const ReferenceCall& call) {
  return with_border(call, call.parameters.at("cropping"), -1);
}

Tensors up_sampling(const ReferenceCall& call) {
  const Image x(call.inputs[0]);
  const Json &size = call.parameters.at("size"),
             *interpolation = call.parameters.find("interpolation");
  const int h = size.is_list() ? size.at(size_t{0}).as_int() : 1,
            w = size.is_list() ? size.at(size_t{1}).as_int() : size.as_int();
  return resampled(call, x.h * h, x.w * w, {x.h, x.w},
                   interpolation && interpolation->as_string() == "bilinear", 0);
}

Tensors resizing(const ReferenceCall& call) {
  const Image x(call.inputs[0]);
  const Json& p = call.parameters;
  const int h = p.at("height").as_int(), w = p.at("width").as_int();
  Box box{x.h, x.w};
  if (p.at("crop_to_aspect_ratio").as_bool()) {
    box.h = std::clamp(x.w * h / w, 1, x.h);
    box.w = std::clamp(x.h * w / h, 1, x.w);
    box.top = (x.h - box.h) / 2;
    box.left = (x.w - box.w) / 2;
  } else if (p.at("pad_to_aspect_ratio").as_bool()) {
    box.top = -std::max(0, x.w * h / w - x.h) / 2;
    box.left = -std::max(0, x.h * w / h - x.w) / 2;
    box.h -= 2 * box.top;
    box.w -= 2 * box.left;
  }
  return resampled(call, h, w, box, p.at("interpolation").as_string() == "bilinear",
                   p.at("fill_value").as_double());
}

Tensors permute(const ReferenceCall& call) {
  const ReferenceTensor& x = call.inputs[0];
  std::vector<int> order = {0}, extents;
  for (const Json& axis : call.parameters.at("dims").as_list()) order.push_back(axis.as_int());
  for (int axis : order) extents.push_back(x.shape[axis]);
  ReferenceTensor y{Shape(extents), x.values};
  for (size_t e = 0; e < x.values.size(); ++e) {
    // Coordinates of element e of y, and with them its place in x.
    std::vector<int> at(order.size());
    for (size_t i = order.size(), rest = e; i-- > 0; rest /= extents[i])
      at[order[i]] = static_cast<int>(rest % extents[i]);
    size_t from = 0;
    for (size_t i = 0; i < at.size(); ++i) from = from * x.shape[static_cast<int>(i)] + at[i];
    y.values[e] = x.values[from];
  }
  return {y};
}

Tensors local_response_normalization(const ReferenceCall& call) {
  const ReferenceTensor& x = call.inputs[0];
  const Json& p = call.parameters;
  const int channels = x.shape.channels(), radius = p.at("depth_radius").as_int();
  ReferenceTensor y = x;
  for (int i = 0; i < static_cast<int>(x.values.size()); ++i) {
    const int row = i / channels * channels;
    double sum = 0;
    for (int k = std::max(row, i - radius); k <= std::min(row + channels - 1, i + radius); ++k)
      sum += x.values[k] * x.values[k];
    y.values[i] /= std::pow(p.at("bias").as_double() + p.at("alpha").as_double() * sum,
                            p.at("beta").as_double());
  }
  return {y};
}

}  // namespace ocellus::reference
