#include "ocellus/opencl/resample.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "matrix.hpp"
#include "ocellus_opencl_kernels.hpp"

namespace ocellus::opencl {
namespace {

void add_tap(ResampleAxis& a, int index, double weight) {
  a.index.push_back(index);
  a.weight.push_back(static_cast<float>(weight));
}

void check(const ResampleAxis& a) {
  const auto inside = [&](int32_t i) { return i >= 0 && i < a.in; };
  if (a.in < 1 || a.out < 1 || a.begin.size() != static_cast<size_t>(a.out) + 1 ||
      a.index.size() != a.weight.size() || !std::ranges::all_of(a.index, inside) ||
      !std::ranges::is_sorted(a.begin) || a.begin.front() != 0 ||
      a.begin.back() != static_cast<int32_t>(a.index.size()))
    throw Error(fmt::format("resampling cannot take an axis of {} to {} pixels", a.in, a.out));
}

template <class V>
Buffer upload(Device& device, const std::vector<V>& values) {
  // A kernel argument wants a buffer even where there are no taps at all.
  const Buffer b = device.allocate(std::max<size_t>(1, values.size()) * sizeof(V), "resampling");
  if (!values.empty()) device.compute().write(b, 0, values.data(), values.size() * sizeof(V));
  return b;
}

/// An axis on the device.
struct Taps {
  Buffer begin, index, weight;
  Taps(Device& device, const ResampleAxis& a)
      : begin(upload(device, a.begin)),
        index(upload(device, a.index)),
        weight(upload(device, a.weight)) {}
};

}  // namespace

ResampleAxis ResampleAxis::nearest(int in, int out) {
  ResampleAxis a{in, out, {0}, {}, {}};
  for (int64_t o = 0; o < out; ++o) {
    add_tap(a, static_cast<int>((2 * o + 1) * in / (2 * int64_t{out})), 1);
    a.begin.push_back(static_cast<int32_t>(a.index.size()));
  }
  return a;
}

ResampleAxis ResampleAxis::linear(int in, int out) {
  ResampleAxis a{in, out, {0}, {}, {}};
  for (int o = 0; o < out; ++o) {
    const double at = std::clamp((o + 0.5) * in / out - 0.5, 0.0, in - 1.0);
    const int low = static_cast<int>(at);
    const double part = at - low;
    add_tap(a, low, 1 - part);
    if (part > 0) add_tap(a, low + 1, part);
    a.begin.push_back(static_cast<int32_t>(a.index.size()));
  }
  return a;
}

ResampleAxis ResampleAxis::within(int start, int all) const {
  ResampleAxis a{all, out, {0}, {}, {}};
  for (int o = 0; o < out; ++o) {
    for (int32_t t = begin[o]; t < begin[o + 1]; ++t)
      if (const int i = index[t] + start; i >= 0 && i < all) add_tap(a, i, weight[t]);
    a.begin.push_back(static_cast<int32_t>(a.index.size()));
  }
  return a;
}

ResampleAxis ResampleAxis::transposed() const {
  ResampleAxis a{out, in, {0}, {}, {}};
  std::vector<std::vector<std::pair<int, float>>> taps(in);
  for (int o = 0; o < out; ++o)
    for (int32_t t = begin[o]; t < begin[o + 1]; ++t) taps[index[t]].emplace_back(o, weight[t]);
  for (const auto& list : taps) {
    for (const auto& [o, w] : list) add_tap(a, o, w);
    a.begin.push_back(static_cast<int32_t>(a.index.size()));
  }
  return a;
}

struct Resample::State {
  int batch, channels;
  int in_h, in_w, out_h, out_w;
  Taps h, w;
  float fill;
  bool accumulate;
  Kernel kernel;
};

Resample::Resample(Device& device, int batch, int channels, const ResampleAxis& h,
                   const ResampleAxis& w, float fill, bool accumulate) {
  check(h);
  check(w);
  state_.reset(
      new State{batch,
                channels,
                h.in,
                w.in,
                h.out,
                w.out,
                {device, h},
                {device, w},
                fill,
                accumulate,
                device.kernel(kernels::resample_cl(), "resample", family_options(device))});
}
Resample::~Resample() = default;
Resample::Resample(Resample&&) noexcept = default;

void Resample::run(Queue& queue, const Operand& x, const Operand& y) const {
  const State& s = *state_;
  const MatrixSplit split =
      split_matrix(queue.device(), size_t(s.batch) * s.out_h * s.out_w, s.channels, 4);
  Arguments a;
  split.append(a);
  a.add(s.in_h).add(s.in_w).add(s.out_h).add(s.out_w);
  for (const Taps* t : {&s.h, &s.w}) a.add(t->begin).add(t->index).add(t->weight);
  for (const Operand* o : {&x, &y}) a.add(o->buffer).add(o->offset).add(o->stride);
  a.add(s.fill).add(int32_t{s.accumulate});
  s.kernel.launch(queue, split.range, a);
}

}  // namespace ocellus::opencl
