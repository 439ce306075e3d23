#include <cmath>

#include "kernels_check/checks.hpp"
#include "ocellus/opencl/convolution.hpp"
#include "ocellus/opencl/expanded_depthwise.hpp"

namespace ocellus::test {

using namespace opencl;

void check_convolution(Checker& c, int channels, int filters, int stride, bool depthwise) {
  ConvolutionProblem p;
  p.batch = 2, p.in_channels = channels, p.out_channels = filters;
  if (depthwise) p.groups = channels;
  const int group_in = channels / p.groups, group_out = filters / p.groups;
  p.h = Axis::same(6, 3, stride), p.w = Axis::same(7, 3, stride);
  const int in = p.batch * p.h.in * p.w.in, out = p.batch * p.h.out * p.w.out,
            weights = 9 * group_in * filters;
  const auto x = noise(in * channels, 1), w = noise(weights, 2), dy = noise(out * filters, 3);
  Doubles y(out * filters), dx(in * channels), dw(weights);
  for (int o = 0; o < out; ++o)
    for (int tap = 0; tap < 9; ++tap) {
      const int i = o / p.w.out % p.h.out * stride - p.h.pad_before + tap / 3,
                j = o % p.w.out * stride - p.w.pad_before + tap % 3;
      if (i < 0 || i >= p.h.in || j < 0 || j >= p.w.in) continue;
      const int pixel = (o / p.w.out / p.h.out * p.h.in + i) * p.w.in + j;
      for (int ci = 0; ci < channels; ++ci)
        for (int co = 0; co < filters; ++co) {
          if (ci / group_in != co / group_out) continue;
          const int at = (tap * group_in + ci % group_in) * filters + co;
          y[o * filters + co] += double(x[pixel * channels + ci]) * w[at];
          dx[pixel * channels + ci] += double(dy[o * filters + co]) * w[at];
          dw[at] += double(x[pixel * channels + ci]) * dy[o * filters + co];
        }
    }
  GuardedMatrix dev_x = c.matrix(in, channels, x), dev_w = c.matrix(1, weights, w),
                dev_dy = c.matrix(out, filters, dy);
  const auto name = [&](const char* pass, const std::string& algorithm) {
    return fmt::format("{} {} {} {} to {}/{}", depthwise ? "depthwise" : "convolution", pass,
                       algorithm, channels, filters, stride);
  };
  for (const std::string& algorithm : ConvolutionForward::algorithms(c.device(), p)) {
    if (c.skips(algorithm)) continue;
    GuardedMatrix result = c.matrix(out, filters);
    const ConvolutionForward plan(c.device(), p, algorithm);
    const Buffer packed = c.scratch(plan.packed_bytes());
    plan.pack(c.queue(), dev_w, packed);
    plan.run(c.queue(), dev_x, dev_w, packed, result, {}, c.scratch(plan.workspace_bytes()));
    c.check(name("forward", algorithm), result, y, 9 * channels);
  }
  for (const std::string& algorithm : ConvolutionBackwardData::algorithms(c.device(), p)) {
    if (c.skips(algorithm)) continue;
    GuardedMatrix result = c.matrix(in, channels);
    const ConvolutionBackwardData plan(c.device(), p, algorithm);
    const Buffer packed = c.scratch(plan.packed_bytes());
    plan.pack(c.queue(), dev_w, packed);
    plan.run(c.queue(), dev_dy, dev_w, packed, result, c.scratch(plan.workspace_bytes()));
    c.check(name("data", algorithm), result, dx, 9 * filters);
  }
  for (const std::string& algorithm : ConvolutionBackwardWeights::algorithms(c.device(), p)) {
    if (c.skips(algorithm)) continue;
    GuardedMatrix result = c.matrix(1, weights);
    const ConvolutionBackwardWeights plan(c.device(), p, algorithm);
    plan.run(c.queue(), dev_x, dev_dy, result, c.scratch(plan.workspace_bytes()));
    c.check(name("weights", algorithm), result, dw, out);
  }
}

void check_expanded_depthwise(Checker& c, int stride) {
  const int k = 5, n = 32;
  ConvolutionProblem p;
  p.batch = 2, p.in_channels = p.out_channels = p.groups = n;
  p.h = Axis::same(6, 3, stride), p.w = Axis::same(7, 3, stride);
  const int in = p.batch * p.h.in * p.w.in, out = p.batch * p.h.out * p.w.out;
  const auto x = noise(in * k, 1), w = noise(k * n, 2), taps = noise(9 * n, 3);
  Doubles wide(in * n), y(out * n);
  for (int i = 0; i < in * n; ++i) {
    for (int l = 0; l < k; ++l) wide[i] += double(x[i / n * k + l]) * w[l * n + i % n];
    wide[i] = std::max(wide[i], 0.0);
  }
  for (int o = 0; o < out; ++o)
    for (int tap = 0; tap < 9; ++tap) {
      const int i = o / p.w.out % p.h.out * stride - p.h.pad_before + tap / 3,
                j = o % p.w.out * stride - p.w.pad_before + tap % 3;
      if (i < 0 || i >= p.h.in || j < 0 || j >= p.w.in) continue;
      const int pixel = (o / p.w.out / p.h.out * p.h.in + i) * p.w.in + j;
      for (int ch = 0; ch < n; ++ch) y[o * n + ch] += wide[pixel * n + ch] * taps[tap * n + ch];
    }
  GuardedMatrix dev_x = c.matrix(in, k, x), dev_w = c.matrix(1, k * n, w),
                dev_taps = c.matrix(1, 9 * n, taps), result = c.matrix(out, n);
  const ExpandedDepthwise plan(c.device(), {p, k, {{{Stage::Kind::expression, "fmax(x, 0.0f)"}}}});
  const Buffer packed = c.scratch(plan.packed_bytes());
  plan.pack(c.queue(), dev_w, packed);
  plan.run(c.queue(), dev_x, packed, {}, dev_taps, result, {});
  c.check(fmt::format("expanded depthwise {} to {}/{}", k, n, stride), result, y, 9 * k);
}

}  // namespace ocellus::test
