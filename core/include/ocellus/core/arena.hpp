#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ocellus/opencl/device.hpp"

namespace ocellus {

/// One parameter's place in the arenas.
struct Segment {
  std::string name;  ///< "conv1/kernel"
  int arena = 0;
  uint32_t offset = 0, count = 0;  ///< elements
  float rate_factor = 1;           ///< multiplies the learning rate
  bool decay = false;              ///< weight decay applies (kernels)
  bool frozen = false;
};

/// Where the trainable parameters of a network lie. Gradients and optimizer slots mirror it.
struct OCELLUS_API ArenaLayout {
  std::vector<uint32_t> elements;  ///< an arena; each fits one device buffer
  std::vector<Segment> segments;

  /// Consecutive segments that an optimizer may treat alike.
  struct Run {
    int arena = 0;
    uint32_t offset = 0, count = 0;
    float rate_factor = 1;
    bool decay = false;
  };
  /// Runs cover all segments that are not frozen (alignment gaps between them included: they hold
  /// zeros). Without `split_decay` (no weight decay is in use) decay is false everywhere, so that
  /// the runs are longer.
  std::vector<Run> runs(bool split_decay = true) const;
};

/// Buffers with the layout: values, gradients, or one slot.
struct OCELLUS_API Arenas {
  std::vector<opencl::Buffer> buffers;
  static Arenas make(opencl::Device& device, const ArenaLayout& layout, const std::string& what);
  void zero(opencl::Queue& queue) const;
};

}  // namespace ocellus
