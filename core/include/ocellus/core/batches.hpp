#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "ocellus/core/dataset.hpp"
#include "ocellus/core/preprocessing.hpp"
#include "ocellus/core/tensor.hpp"

namespace ocellus {

/// A batch on the device. Tensors have the full batch size; only the first `count` items are valid
/// in the last, short batch, whose other items repeat one of the data set and have weight 0.
struct Batch {
  Tensor images;           ///< f32, preprocessed
  Tensor targets;          ///< i32 (N) or f32 (N, K); empty when the data have none
  Tensor weights;          ///< f32 (N)
  opencl::Buffer samples;  ///< int32 (N): global sample index, an item's place in the subset
  int count = 0;
};

struct BatchOptions {
  int batch = 32;
  bool shuffle = false;
  uint64_t seed = 0;
  Preprocessing preprocessing;
  std::vector<int64_t> subset;  ///< indices into the data set; empty: all
  bool stream = false;          ///< read batch by batch even where the data fit on the device
};

/// Feeds a data set to the device batch by batch: read and uploaded ahead on a thread and the
/// transfer queue; data sets of up to a quarter of the device's memory stay there and are gathered
/// there. Order depends on (seed, epoch) alone.
///     batches.start(epoch);
///     for (Batch batch; batches.next(batch);) ...
/// Work is enqueued on the device's compute queue. start() must have been called before next().
class OCELLUS_API Batches {
 public:
  Batches(opencl::Device& device, std::shared_ptr<const Dataset> data, BatchOptions options);
  ~Batches();
  int64_t size() const;  ///< items
  int64_t batches_per_epoch() const;
  /// Of a full batch: (N) for classes, (N, ...) for dense targets; rank 0 when the data have none.
  Shape target_shape() const;
  bool sparse_targets() const;  ///< targets are classes
  bool resident() const;        ///< the data lie on the device
  /// Starts an epoch at a batch (resuming).
  void start(int64_t epoch, int64_t first_batch = 0);
  /// Valid items of the next batch; 0 at the end of the epoch.
  int next_count() const;
  /// The next batch; false at the end of the epoch. The batch is valid until the next call of
  /// next() or start(). Images go to `images` where it is given: f32, contiguous, for the full
  /// batch or for next_count() items (the feed of an Execution). Throws what Dataset::read() threw.
  bool next(Batch& batch, const Tensor& images = {});

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ocellus
