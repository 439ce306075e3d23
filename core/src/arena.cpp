#include "ocellus/core/arena.hpp"

#include <algorithm>

namespace ocellus {

std::vector<ArenaLayout::Run> ArenaLayout::runs(bool split_decay) const {
  std::vector<const Segment*> order;
  for (const Segment& s : segments) order.push_back(&s);
  std::ranges::sort(order, {}, [](const Segment* s) { return std::pair(s->arena, s->offset); });

  std::vector<Run> runs;
  bool open = false;  // whether the last run reaches up to the segment before
  for (const Segment* s : order) {
    if (s->frozen) {
      open = false;
      continue;
    }
    const bool decay = split_decay && s->decay;
    if (open && runs.back().arena == s->arena && runs.back().rate_factor == s->rate_factor &&
        runs.back().decay == decay) {
      runs.back().count = s->offset + s->count - runs.back().offset;
    } else {
      runs.push_back({s->arena, s->offset, s->count, s->rate_factor, decay});
    }
    open = true;
  }
  return runs;
}

Arenas Arenas::make(opencl::Device& device, const ArenaLayout& layout, const std::string& what) {
  Arenas arenas;
  for (const uint32_t n : layout.elements)
    arenas.buffers.push_back(device.allocate(std::max<size_t>(n, 1) * sizeof(float), what));
  return arenas;
}

void Arenas::zero(opencl::Queue& queue) const {
  for (const opencl::Buffer& b : buffers) queue.fill(b, 0, b.bytes());
}

}  // namespace ocellus
