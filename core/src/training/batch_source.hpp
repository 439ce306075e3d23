#pragma once

#include <map>
#include <memory>
#include <span>
#include <vector>

#include "ocellus/core/batches.hpp"
#include "ocellus/opencl/pointwise.hpp"

namespace ocellus::training {

/// What both sources know: which items there are, and what becomes of their pixels.
struct BatchTask {
  opencl::Device& device;
  std::shared_ptr<const Dataset> data;
  std::vector<int64_t>
      items;  ///< indices into the data set; places in it are global sample indices
  int batch = 1;
  Shape item;
  DType item_type = DType::u8;
  Shape target;  ///< without batch; rank 0 with has_targets: a class
  bool has_targets = false, sparse = false, weighted = false;
  std::vector<float> scale, shift;  ///< a channel
  std::vector<int> order;           ///< source channels

  bool reorders() const;  ///< whether `order` changes anything
  bool uniform() const;   ///< whether scale and shift are the same for all channels
  Shape targets(int n) const { return sparse ? Shape{n} : target.batched(n); }
};

/// Gives batches of an epoch in a given order.
class BatchSource {
 public:
  virtual ~BatchSource() = default;
  /// `order` holds places in BatchTask::items; batches from `first_batch` on will be asked for, one
  /// after another.
  virtual void start(std::span<const int32_t> order, int64_t first_batch) = 0;
  /// Batch number `index` of the epoch with `count` valid items. images: where its pixels go, for
  /// all items of the tensor.
  virtual void next(int64_t index, int count, const Tensor& images, Batch& batch) = 0;
};

/// All data lie on the device.
std::unique_ptr<BatchSource> make_resident(const BatchTask& task);
/// A thread reads and uploads ahead.
std::unique_ptr<BatchSource> make_streaming(const BatchTask& task);

/// y = x * scale[c] + shift[c] in place, on f32 images; nothing where that is the identity.
class ChannelAffine {
 public:
  explicit ChannelAffine(const BatchTask& task);
  void run(opencl::Queue& queue, const Tensor& images);

 private:
  const BatchTask& task_;
  Tensor scale_, shift_;
  std::map<int, opencl::Pointwise> kernels_;  ///< by pixels
};

/// Weights 1 for the first `count` items, 0 for the others.
std::vector<float> valid_weights(int batch, int count);

}  // namespace ocellus::training
