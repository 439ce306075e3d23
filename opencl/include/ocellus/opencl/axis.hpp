#pragma once

#include <algorithm>

namespace ocellus::opencl {

/// One spatial axis of a window operation (convolution, pooling), sizes in pixels.
/// Output o covers inputs o*stride - pad_before + i*dilation, i in [0, kernel); what lies outside
/// [0, in) is padding.
struct Axis {
  int in = 1, out = 1;
  int kernel = 1, stride = 1, dilation = 1;
  int pad_before = 0;

  int extent() const { return (kernel - 1) * dilation + 1; }
  int pad_after() const { return std::max(0, (out - 1) * stride + extent() - in - pad_before); }

  /// Keras' "valid": out = floor((in - extent) / stride) + 1; not positive when the window does not
  /// fit.
  static Axis valid(int in, int kernel, int stride = 1, int dilation = 1) {
    Axis a{in, 0, kernel, stride, dilation, 0};
    a.out = in < a.extent() ? 0 : (in - a.extent()) / stride + 1;
    return a;
  }
  /// Keras' "same": out = ceil(in / stride), the odd pixel of padding goes after.
  static Axis same(int in, int kernel, int stride = 1, int dilation = 1) {
    Axis a{in, (in + stride - 1) / stride, kernel, stride, dilation, 0};
    a.pad_before = std::max(0, (a.out - 1) * stride + a.extent() - in) / 2;
    return a;
  }
  bool operator==(const Axis&) const = default;
};

}  // namespace ocellus::opencl
