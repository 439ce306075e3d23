#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "ocellus/core/network.hpp"

namespace ocellus {

struct IncrementalOptions {
  int batch = 32;                           ///< positions evaluated together
  std::vector<std::string> fetches;         ///< tensors wanted at each position; empty: the outputs
  int patch_h = 1, patch_w = 1;             ///< size of the changed window of the input
  std::vector<std::array<int, 2>> origins;  ///< (y, x) of the window, wholly inside the image
};

/// Evaluates a network on many copies of one image that differ in a small window each, recomputing
/// only what the window can change (Nakandala et al., "Krypton", SIGMOD 2019). Exact: the result is
/// that of the full network. What each layer's output depends on is taken from its Window trait, so
/// that a stranger's layers take part; the first layer that sees everything (Flatten, Dense, global
/// pooling) and all after it run in full.
///     Incremental occlude(network, {.batch = 64, .patch_h = 4, .patch_w = 4, .origins = all});
///     upload(queue, image, occlude.image());
///     occlude.run_clean();
///     for (...) { fill occlude.patches(); occlude.run(first, count); read occlude.fetch(); }
class OCELLUS_API Incremental {
 public:
  Incremental(Network& network, IncrementalOptions options);
  ~Incremental();
  Incremental(const Incremental&) = delete;
  Incremental& operator=(const Incremental&) = delete;

  Tensor image() const;  ///< (1, H, W, C), filled by the caller
  void run_clean();      ///< computes the clean activations; again whenever image or weights change
  Tensor clean(size_t index = 0) const;  ///< a fetched tensor for the clean image, batch 1
  /// (batch, patch_h, patch_w, C), filled by the caller: what stands in the window.
  Tensor patches() const;
  /// Evaluates positions [first, first + count), count <= batch. Only enqueues.
  void run(int first, int count);
  Tensor fetch(size_t index = 0) const;  ///< (batch, ...); the first `count` items are valid

  /// Arithmetic per position: incremental, and that of the full network, multiply-adds.
  double multiply_adds() const;
  double full_multiply_adds() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ocellus
