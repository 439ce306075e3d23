#pragma once

#include <string>
#include <vector>

#include "ocellus/opencl/axis.hpp"

namespace ocellus {

/// A layer that maps each element by itself. Core runs such layers with generated kernels (no
/// LayerOp is asked for) and fuses them into the layer before. Expressions are OpenCL C valid for
/// float and floatN (see opencl::Stage).
struct Pointwise {
  enum class Kind {
    none,
    identity,  ///< y = x, element by element; the output may have another shape (Flatten, Reshape):
               ///< core makes it a view
    affine,    ///< y = x * scale[c] + shift[c], both computed from parameters and states
    expression,  ///< y = f(x), or f(x0, x1) for a merge of two inputs; more inputs are folded from
                 ///< the left
  };
  Kind kind = Kind::none;
  /// expression: over x (or x0, x1), e.g. "fmax(x, 0.0f)".
  std::string expression;
  /// dy/dx (or dy/dx0, dy/dx1) over x (x0, x1) and y, e.g. {"y > 0.0f ? (T)(1.0f) : (T)(0.0f)"}.
  /// What they mention must be declared with LayerPlan::saves_inputs / saves_outputs. Empty: not
  /// differentiable.
  std::vector<std::string> derivatives;
  /// affine: per-channel expressions over p0, p1, ... = parameters, then states, in plan order,
  /// e.g. scale "p0 * rsqrt(p3 + 0.001f)", shift "p1 - p2 * p0 * rsqrt(p3 + 0.001f)".
  std::string scale, shift;

  static Pointwise identity() { return {Kind::identity, {}, {}, {}, {}}; }
  static Pointwise map(std::string f, std::string df) {
    return {Kind::expression, std::move(f), {std::move(df)}, {}, {}};
  }
  static Pointwise merge(std::string f, std::string d0, std::string d1) {
    return {Kind::expression, std::move(f), {std::move(d0), std::move(d1)}, {}, {}};
  }
  static Pointwise affine(std::string scale, std::string shift) {
    return {Kind::affine, {}, {}, std::move(scale), std::move(shift)};
  }
  explicit operator bool() const { return kind != Kind::none; }
};

/// How far an output pixel sees, along one spatial axis.
struct WindowAxis {
  int kernel = 1, stride = 1, dilation = 1;
  int pad_before = 0, pad_after = 0;  ///< negative: cropped
  int upsample = 1;                   ///< output pixels an input pixel: stride is 1 / upsample
  int extent() const { return (kernel - 1) * dilation + 1; }
  bool operator==(const WindowAxis&) const = default;
};
inline WindowAxis window_axis(const opencl::Axis& a) {
  return {a.kernel, a.stride, a.dilation, a.pad_before, a.pad_after(), 1};
}

/// What part of its input one output pixel of a layer depends on. Receptive fields, the crop behind
/// a unit and incremental evaluation follow from it. Contract: forward(x) == forward_halo(pad(x,
/// fill)).
struct Window {
  enum class Kind {
    global,     ///< everything (Dense, Flatten, global pooling); also what silence means
    pointwise,  ///< the same pixel
    aligned,    ///< the same pixel of every input: merges; core unites the boxes
    local,      ///< the window of h and w
  };
  enum class Fill {
    zero,
    negative_infinity,  ///< max pooling
    excluded,  ///< average pooling: padding is not counted; halo forward also gets origins and the
               ///< full extent
  };
  Kind kind = Kind::global;
  WindowAxis h, w;
  Fill fill = Fill::zero;

  static Window pointwise() { return {Kind::pointwise, {}, {}, Fill::zero}; }
  static Window aligned() { return {Kind::aligned, {}, {}, Fill::zero}; }
  static Window local(const opencl::Axis& h, const opencl::Axis& w, Fill fill = Fill::zero) {
    return {Kind::local, window_axis(h), window_axis(w), fill};
  }
};

/// Pixels on each side of an image.
struct Border {
  int top = 0, bottom = 0, left = 0, right = 0;
  bool operator==(const Border&) const = default;
};

/// A final node that turns logits into probabilities. "Logits" are the input of such a node, found
/// by this trait.
enum class Probability { none, softmax, sigmoid };

}  // namespace ocellus
