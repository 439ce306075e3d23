#include "ocellus/opencl/movement.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "matrix.hpp"
#include "ocellus_opencl_kernels.hpp"

namespace ocellus::opencl {
namespace {

Kernel kernel(Queue& queue, const char* name) {
  Device& device = queue.device();
  return device.kernel(kernels::movement_cl(), name, family_options(device));
}

Arguments& add(Arguments& a, const Operand& o) {
  return a.add(o.buffer).add(o.offset).add(o.stride);
}

/// One axis of a transposition: its extent, and its distance in x and in y.
struct PermutedAxis {
  uint32_t extent = 1, x_stride = 0, y_stride = 0;
};

/// The axes in the order of y, without those of extent 1, neighbours that stay neighbours joined;
/// at least one.
std::vector<PermutedAxis> permuted_axes(std::span<const int> shape, std::span<const int> order) {
  std::vector<uint32_t> x_strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) x_strides[i - 1] = x_strides[i] * shape[i];
  std::vector<PermutedAxis> axes;
  for (int axis : order) {
    const PermutedAxis next{static_cast<uint32_t>(shape[axis]), x_strides[axis], 0};
    if (next.extent == 1) continue;
    if (!axes.empty() && axes.back().x_stride == next.extent * next.x_stride)
      axes.back() = {axes.back().extent * next.extent, next.x_stride, 0};
    else
      axes.push_back(next);
  }
  if (axes.empty()) axes.push_back({1, 1, 0});
  uint32_t stride = 1;
  for (size_t i = axes.size(); i-- > 0;) {
    axes[i].y_stride = stride;
    stride *= axes[i].extent;
  }
  return axes;
}

/// Up to four outer axes as the kernels take them (OUTER_PARAMETERS), right-aligned.
size_t append_outer(Arguments& arguments, const std::vector<PermutedAxis>& axes) {
  std::array<PermutedAxis, 4> outer;
  std::ranges::copy_backward(axes, outer.end());
  for (size_t i = 1; i < 4; ++i) arguments.add(outer[i].extent);
  for (const PermutedAxis& axis : outer) arguments.add(axis.x_stride);
  for (const PermutedAxis& axis : outer) arguments.add(axis.y_stride);
  size_t items = 1;
  for (const PermutedAxis& axis : axes) items *= axis.extent;
  return items;
}

void check_order(std::span<const int> shape, std::span<const int> order) {
  std::array<bool, 5> seen{};
  bool good = shape.size() == order.size() && !shape.empty() && shape.size() <= 5;
  for (size_t i = 0; good && i < order.size(); ++i) {
    good = order[i] >= 0 && order[i] < static_cast<int>(order.size()) && !seen[order[i]];
    if (good) seen[order[i]] = true;
  }
  if (!good) throw Error("transpose takes 1 to 5 axes and an order that names each of them once");
}

}  // namespace

void copy_matrix(Queue& queue, const Operand& from, const Operand& to, int rows, int columns,
                 bool accumulate) {
  const auto width = static_cast<uint32_t>(columns);
  const bool one_row = from.stride == width && to.stride == width;
  const MatrixSplit s = one_row ? split_matrix(queue.device(), 1, size_t(rows) * columns)
                                : split_matrix(queue.device(), rows, columns);
  Arguments a;
  s.append(a);
  add(add(a, from), to).add(int32_t{accumulate});
  kernel(queue, "copy_matrix").launch(queue, s.range, a);
}

void transpose(Queue& queue, const Operand& x, const Operand& y, std::span<const int> shape,
               std::span<const int> order) {
  check_order(shape, order);
  if (std::ranges::any_of(shape, [](int extent) { return extent == 0; })) return;
  std::vector<PermutedAxis> axes = permuted_axes(shape, order);
  const PermutedAxis inner = axes.back();  // contiguous in y
  axes.pop_back();
  Arguments a;
  if (inner.x_stride == 1) {
    size_t items = 1;
    for (const PermutedAxis& axis : axes) items *= axis.extent;
    const MatrixSplit s = split_matrix(queue.device(), items, inner.extent);
    s.append(a);
    append_outer(a, axes);
    a.add(x.buffer).add(x.offset).add(y.buffer).add(y.offset);
    return kernel(queue, "permute_runs").launch(queue, s.range, a);
  }
  const auto contiguous = std::ranges::find(axes, 1u, &PermutedAxis::x_stride);
  const PermutedAxis other = *contiguous;
  axes.erase(contiguous);
  a.add(other.extent).add(inner.extent).add(inner.x_stride).add(other.y_stride);
  const size_t items = append_outer(a, axes);
  a.add(x.buffer).add(x.offset).add(y.buffer).add(y.offset);
  Range range;
  if (queue.device().family() == KernelFamily::tiled)
    range.local = {16, group_size(queue.device()) / 16, 1};
  range.global = {(other.extent + 15) / 16 * range.local[0],
                  (inner.extent + 15) / 16 * range.local[1], items};
  kernel(queue, "transpose_blocks").launch(queue, range, a);
}

void gather_rows(Queue& queue, const Operand& from, const Buffer& index, const Operand& out,
                 int count, int columns, const GatherOptions& options) {
  const MatrixSplit s = split_matrix(queue.device(), count, columns);
  Arguments a;
  s.append(a);
  add(add(a, from).add(index), out);
  if (options.from_u8) a.add(options.scale).add(options.shift);
  kernel(queue, options.from_u8 ? "gather_rows_u8" : "gather_rows").launch(queue, s.range, a);
}

void convert_u8(Queue& queue, const Operand& from, const Operand& out, int rows, int channels,
                std::span<const float> scale, std::span<const float> shift,
                std::span<const int> order) {
  const auto count = static_cast<size_t>(channels);
  if (scale.size() != count || shift.size() != count || order.size() != count)
    throw Error(
        fmt::format("{} channels need as many scales ({}), shifts ({}) and source channels ({})",
                    count, scale.size(), shift.size(), order.size()));
  const MatrixSplit s = split_matrix(queue.device(), 1, rows, 4);
  const Kernel convert = kernel(queue, "convert_u8");
  for (size_t first = 0; first < count; first += 4) {
    const size_t n = std::min<size_t>(4, count - first);
    std::array<uint32_t, 4> sources{};
    std::array<float, 4> scales{}, shifts{};
    for (size_t i = 0; i < n; ++i)
      sources[i] = order[first + i], scales[i] = scale[first + i], shifts[i] = shift[first + i];
    Arguments a;
    s.append(a);
    a.add(static_cast<uint32_t>(n));
    add(a, from).add(out.buffer).add(static_cast<uint32_t>(out.offset + first)).add(out.stride);
    for (uint32_t source : sources) a.add(source);
    for (float v : scales) a.add(v);
    for (float v : shifts) a.add(v);
    convert.launch(queue, s.range, a);
  }
}

void gather_windows(Queue& queue, const WindowGather& g, const Operand& images,
                    const Buffer& image_index, const Buffer& origins, const Operand& patches,
                    const Buffer& patch_origins, const Operand& out) {
  if (patches && !patch_origins) throw Error("patches need their origins");
  const MatrixSplit s =
      split_matrix(queue.device(), size_t(g.items) * g.out_h * g.out_w, g.channels);
  Arguments a;
  s.append(a);
  a.add(g.out_h).add(g.out_w).add(g.image_h).add(g.image_w).add(g.patch_h).add(g.patch_w).add(
      g.fill);
  add(add(add(a, images).add(image_index).add(origins), patches).add(patch_origins), out);
  kernel(queue, "gather_windows").launch(queue, s.range, a);
}

void scatter_patches(Queue& queue, const WindowGather& g, const Operand& images,
                     const Buffer& image_index, const Operand& patches, const Buffer& patch_origins,
                     const Operand& out) {
  WindowGather whole = g;  // the window is the whole image
  whole.out_h = g.image_h, whole.out_w = g.image_w;
  gather_windows(queue, whole, images, image_index, {}, patches, patch_origins, out);
}

void pad(Queue& queue, const PadProblem& p, const Operand& x, const Operand& y, bool accumulate) {
  const int large_h = p.h + p.top + p.bottom, large_w = p.w + p.left + p.right;
  const MatrixSplit s =
      split_matrix(queue.device(), size_t(p.batch) * large_h * large_w, p.channels);
  Arguments a;
  s.append(a);
  a.add(p.h).add(p.w).add(p.top).add(p.left).add(large_h).add(large_w).add(p.value);
  add(add(a, x), y).add(int32_t{accumulate});
  kernel(queue, "pad").launch(queue, s.range, a);
}

void crop(Queue& queue, const PadProblem& p, const Operand& y, const Operand& x, bool accumulate) {
  const MatrixSplit s = split_matrix(queue.device(), size_t(p.batch) * p.h * p.w, p.channels);
  Arguments a;
  s.append(a);
  a.add(p.h)
      .add(p.w)
      .add(p.top)
      .add(p.left)
      .add(p.h + p.top + p.bottom)
      .add(p.w + p.left + p.right);
  add(add(a, y), x).add(int32_t{accumulate});
  kernel(queue, "crop").launch(queue, s.range, a);
}

}  // namespace ocellus::opencl
