#include "clipping.hpp"

#include <algorithm>

#include "ocellus_core_kernels.hpp"

namespace ocellus::training {

Clipping::Clipping(opencl::Device& device, const ArenaLayout& layout, double norm)
    : norm_(static_cast<float>(norm)),
      elements_(layout.elements),
      clip_(device.kernel(kernels::training_cl(), "clip_gradients")) {
  size_t workspace = 1;
  for (const uint32_t n : elements_) {
    squares_.emplace_back(device, opencl::Reduce::Op::sum_squares, 1, static_cast<int>(n));
    workspace = std::max(workspace, squares_.back().workspace_bytes());
  }
  sums_ =
      device.allocate(std::max<size_t>(elements_.size(), 1) * sizeof(float), "norms of gradients");
  workspace_ = device.allocate(workspace, "norms of gradients");
}

void Clipping::run(opencl::Queue& queue, const Arenas& gradients) {
  queue.set_label("clip gradients");
  for (size_t a = 0; a < elements_.size(); ++a)
    squares_[a].run(queue, {gradients.buffers[a], 0, elements_[a]},
                    {sums_, static_cast<uint32_t>(a), 1}, workspace_);
  for (size_t a = 0; a < elements_.size(); ++a)
    clip_(queue, opencl::Range::of(elements_[a], 64), gradients.buffers[a], elements_[a], sums_,
          static_cast<int32_t>(elements_.size()), norm_);
}

}  // namespace ocellus::training
