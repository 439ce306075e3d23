// Layers that slide a window over images (N, H, W, C) or, the same without height, over sequences
// (N, L, C).
#include <algorithm>

#include "reference/layers.hpp"
#include "reference/primitives.hpp"

namespace ocellus::reference {
namespace {

using opencl::Axis;
using Tensors = std::vector<ReferenceTensor>;

/// A sequence as an image of one row, and the way back.
ReferenceTensor image(ReferenceTensor t) {
  if (t.shape.rank() == 3) t.shape = {t.shape[0], 1, t.shape[1], t.shape[2]};
  return t;
}
Tensors as_before(ReferenceTensor y, const ReferenceCall& call) {
  if (call.inputs[0].shape.rank() == 3) y.shape = {y.shape[0], y.shape[2], y.shape[3]};
  return {y};
}

/// Entry of a size along axis 0 (rows) or 1 (columns): [h, w] for images, a number for sequences.
int along(const Json& size, size_t axis) {
  if (size.is_list()) return size.at(axis).as_int();
  return axis == 0 ? 1 : size.as_int();
}

Axis axis_of(const ReferenceCall& call, size_t i, const Json& kernel, const Json& strides,
             const Json& dilation) {
  const int in = image(call.inputs[0]).shape[1 + static_cast<int>(i)], k = along(kernel, i),
            s = along(strides, i), d = along(dilation, i);
  const std::string& padding = call.parameters.at("padding").as_string();
  if (padding == "same") return Axis::same(in, k, s, d);
  if (padding != "causal") return Axis::valid(in, k, s, d);
  const int before = (k - 1) * d;
  return {in, (in + before - (k - 1) * d - 1) / s + 1, k, s, d, before};
}

ReferenceTensor with_bias(ReferenceTensor y, const ReferenceCall& call, size_t kernels) {
  if (call.weights.size() == kernels) return y;
  return channel_affine(y, std::vector<double>(y.shape.channels(), 1),
                        call.weights[kernels].values);
}

/// A kernel as (h, w, in / groups, out); one of a sequence has no h.
ReferenceTensor kernel_of(const ReferenceTensor& k, int h, int w, int groups) {
  const int in = k.shape[-2], out = k.shape[-1];
  return {groups == 1 ? Shape{h, w, in, out} : Shape{h, w, in / groups, out * groups}, k.values};
}

ReferenceTensor windowed(const ReferenceCall& call, const ReferenceTensor& kernel, int groups) {
  const Json& p = call.parameters;
  return convolve(image(call.inputs[0]), kernel,
                  axis_of(call, 0, p.at("kernel_size"), p.at("strides"), p.at("dilation_rate")),
                  axis_of(call, 1, p.at("kernel_size"), p.at("strides"), p.at("dilation_rate")),
                  groups);
}

}  // namespace

Tensors convolution(const ReferenceCall& call) {
  const Json& size = call.parameters.at("kernel_size");
  const ReferenceTensor kernel = kernel_of(call.weights[0], along(size, 0), along(size, 1), 1);
  return as_before(
      with_bias(windowed(call, kernel, call.parameters.at("groups").as_int()), call, 1), call);
}

Tensors depthwise_convolution(const ReferenceCall& call) {
  const Json& size = call.parameters.at("kernel_size");
  const int channels = call.inputs[0].shape[-1];
  const ReferenceTensor kernel =
      kernel_of(call.weights[0], along(size, 0), along(size, 1), channels);
  return as_before(with_bias(windowed(call, kernel, channels), call, 1), call);
}

Tensors separable_convolution(const ReferenceCall& call) {
  const Json& size = call.parameters.at("kernel_size");
  const int channels = call.inputs[0].shape[-1];
  const ReferenceTensor middle = windowed(
      call, kernel_of(call.weights[0], along(size, 0), along(size, 1), channels), channels);
  const Axis h = Axis::valid(middle.shape[1], 1), w = Axis::valid(middle.shape[2], 1);
  return as_before(with_bias(convolve(middle, kernel_of(call.weights[1], 1, 1, 1), h, w), call, 2),
                   call);
}

// Scatters into the whole map, then crops it: Keras' definition.
Tensors transposed_convolution(const ReferenceCall& call) {
  const Json &p = call.parameters, &extra = p.at("output_padding");
  const ReferenceTensor x = image(call.inputs[0]);
  const bool same = p.at("padding").as_string() == "same";
  int taps[2], stride[2], dilation[2], out[2], crop[2];
  for (size_t i = 0; i < 2; ++i) {
    taps[i] = along(p.at("kernel_size"), i);
    stride[i] = along(p.at("strides"), i);
    dilation[i] = along(p.at("dilation_rate"), i);
    const int in = x.shape[1 + static_cast<int>(i)], k = (taps[i] - 1) * dilation[i] + 1;
    const int s = stride[i];
    if (extra.is_null() || (i == 0 && !extra.is_list()))
      out[i] = same ? in * s : (in - 1) * s + std::max(k, s);
    else
      out[i] = (in - 1) * s + (same ? k % 2 : k) + along(extra, i);
    crop[i] = same ? std::max(0, (in - 1) * s + k - out[i]) / 2 : 0;
  }
  const int filters = call.weights[0].shape[-2], channels = x.shape[3];
  ReferenceTensor y = filled({x.shape[0], out[0], out[1], filters});
  for (int n = 0; n < x.shape[0]; ++n)
    for (int i = 0; i < x.shape[1] * x.shape[2]; ++i)
      for (int t = 0; t < taps[0] * taps[1]; ++t) {
        const int a = i / x.shape[2] * stride[0] - crop[0] + t / taps[1] * dilation[0],
                  b = i % x.shape[2] * stride[1] - crop[1] + t % taps[1] * dilation[1];
        if (a < 0 || a >= out[0] || b < 0 || b >= out[1]) continue;
        for (int f = 0; f < filters; ++f)
          for (int c = 0; c < channels; ++c)
            y.values[((n * out[0] + a) * out[1] + b) * filters + f] +=
                x.values[(n * x.shape[1] * x.shape[2] + i) * channels + c] *
                call.weights[0].values[(t * filters + f) * channels + c];
      }
  return as_before(with_bias(y, call, 1), call);
}

namespace {

Tensors pooling(const ReferenceCall& call, Pool mode) {
  const Json &size = call.parameters.at("pool_size"), &given = call.parameters.at("strides");
  const Json& strides = given.is_null() ? size : given;
  const Json ones = size.is_list() ? Json(Json::List{1, 1}) : Json(1);
  return as_before(pool(image(call.inputs[0]), mode, axis_of(call, 0, size, strides, ones),
                        axis_of(call, 1, size, strides, ones)),
                   call);
}

Tensors global_pooling(const ReferenceCall& call, Pool mode) {
  const ReferenceTensor x = image(call.inputs[0]);
  const Shape& s = x.shape;
  ReferenceTensor y = pool(x, mode, Axis::valid(s[1], s[1]), Axis::valid(s[2], s[2]));
  if (call.parameters.at("keepdims").as_bool()) return as_before(y, call);
  y.shape = Shape{s[0], s[3]};
  return {y};
}

}  // namespace

Tensors max_pooling(const ReferenceCall& call) { return pooling(call, Pool::max); }
Tensors average_pooling(const ReferenceCall& call) { return pooling(call, Pool::average); }
Tensors global_max_pooling(const ReferenceCall& call) { return global_pooling(call, Pool::max); }
Tensors global_average_pooling(const ReferenceCall& call) {
  return global_pooling(call, Pool::average);
}

}  // namespace ocellus::reference
