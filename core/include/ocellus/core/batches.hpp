#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "ocellus/core/dataset.hpp"
#include "ocellus/core/tensor.hpp"
#include "ocellus/core/preprocessing.hpp"

namespace ocellus {

/// A batch on the device. Tensors have the full batch size; only the first `count` items are valid in the last, short batch,
/// whose other items have weight 0.
struct Batch {
  Tensor images;   ///< f32, preprocessed
  Tensor targets;  ///< i32 (N) or f32 (N, K)
  Tensor weights;  ///< f32 (N)
  opencl::Buffer samples;  ///< int32 (N): global sample index
  int count = 0;
};

struct BatchOptions {
  int batch = 32;
  bool shuffle = false;
  uint64_t seed = 0;
  Preprocessing preprocessing;
  std::vector<int64_t> subset;  ///< indices into the data set; empty: all
};

/// Feeds a data set to the device batch by batch: read and uploaded ahead on a thread and the transfer queue; small u8 data sets stay
/// on the device and are gathered there. Order depends on (seed, epoch) alone.
class OCELLUS_API Batches {
 public:
  Batches(opencl::Device& device, std::shared_ptr<const Dataset> data, BatchOptions options);
  ~Batches();
  int64_t size() const;             ///< items
  int64_t batches_per_epoch() const;
  /// Starts an epoch at a batch (resuming).
  void start(int64_t epoch, int64_t first_batch = 0);
  /// The next batch; false at the end of the epoch. The batch is valid until the next call of next().
  bool next(Batch& batch);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ocellus
