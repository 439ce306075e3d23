#include "ocellus/core/batches.hpp"

#include <fmt/format.h>

#include <limits>
#include <numeric>

#include "ocellus/core/error.hpp"
#include "ocellus/core/random.hpp"
#include "training/batch_source.hpp"

namespace ocellus {

struct Batches::State {
  training::BatchTask task;
  BatchOptions options;
  bool resident = false;
  std::unique_ptr<training::BatchSource> source;
  int64_t next = 0;  ///< number of the next batch
  bool started = false;
  Tensor own_images;  ///< made when a caller gives no place of its own

  int64_t size() const { return static_cast<int64_t>(task.items.size()); }
  int64_t batches() const { return (size() + task.batch - 1) / task.batch; }
  int next_count() const {
    return static_cast<int>(std::clamp<int64_t>(size() - next * task.batch, 0, task.batch));
  }

  // One item tells what targets and weights look like.
  void look_at_first() {
    Samples first;
    task.data->read({&task.items[0], 1}, first);
    task.has_targets = !first.targets.empty();
    task.weighted = !first.weights.empty();
    task.sparse =
        task.has_targets && first.targets.type() == DType::i32 && first.targets.shape().rank() == 1;
    if (task.has_targets && !task.sparse) {
      if (first.targets.type() != DType::f32)
        throw DataError(fmt::format("targets must be classes (N) or f32, not {} {}",
                                    to_string(first.targets.type()), first.targets.shape().str()));
      task.target = first.targets.shape().without_batch();
    }
  }

  bool fits() const {
    const double bytes = static_cast<double>(task.item.elements()) * static_cast<double>(size()) *
                         static_cast<double>(bytes_of(task.item_type));
    const opencl::DeviceInfo& info = task.device.info();
    return bytes <= static_cast<double>(task.device.memory_ceiling()) / 4 &&
           bytes <= static_cast<double>(info.max_allocation) &&
           bytes < std::numeric_limits<int32_t>::max();
  }
};

Batches::Batches(opencl::Device& device, std::shared_ptr<const Dataset> data, BatchOptions options)
    : state_(new State{{device, std::move(data), options.subset}, std::move(options)}) {
  State& s = *state_;
  training::BatchTask& t = s.task;
  if (s.options.batch < 1) throw UsageError(fmt::format("a batch of {}", s.options.batch));
  if (t.items.empty()) {
    t.items.resize(static_cast<size_t>(t.data->size()));
    std::iota(t.items.begin(), t.items.end(), int64_t{0});
  }
  if (t.items.empty()) throw DataError("the data set is empty");
  if (t.items.size() > static_cast<size_t>(std::numeric_limits<int32_t>::max()))
    throw DataError("more than 2^31 items");
  t.batch = s.options.batch;
  t.item = t.data->item_shape();
  t.item_type = t.data->item_type();
  s.options.preprocessing.affine(t.item.channels(), t.scale, t.shift, t.order);
  s.look_at_first();
  s.resident = !s.options.stream && s.fits();
  s.source = s.resident ? training::make_resident(t) : training::make_streaming(t);
}

Batches::~Batches() = default;

int64_t Batches::size() const { return state_->size(); }
int64_t Batches::batches_per_epoch() const { return state_->batches(); }
Shape Batches::target_shape() const {
  return state_->task.has_targets ? state_->task.targets(state_->task.batch) : Shape{};
}
bool Batches::sparse_targets() const { return state_->task.sparse; }
bool Batches::resident() const { return state_->resident; }
int Batches::next_count() const { return state_->next_count(); }

void Batches::start(int64_t epoch, int64_t first_batch) {
  State& s = *state_;
  std::vector<int32_t> order(s.task.items.size());
  if (s.options.shuffle) {
    const std::vector<int64_t> shuffled =
        Random(s.options.seed, static_cast<uint64_t>(epoch)).permutation(s.size());
    std::copy(shuffled.begin(), shuffled.end(), order.begin());
  } else {
    std::iota(order.begin(), order.end(), 0);
  }
  s.next = first_batch;
  s.started = true;
  s.source->start(order, first_batch);
}

bool Batches::next(Batch& batch, const Tensor& images) {
  State& s = *state_;
  if (!s.started) throw Error("Batches::next() before start()");
  const int count = s.next_count();
  if (count == 0) return false;
  if (!images && !s.own_images)
    s.own_images =
        Tensor::make(s.task.device, s.task.item.batched(s.task.batch), "images of a batch");
  const Tensor& to = images ? images : s.own_images;
  if (to.shape.without_batch() != s.task.item ||
      (to.shape[0] != s.task.batch && to.shape[0] != count))
    throw ShapeError(fmt::format("the data hold images {}, the place for a batch of them is {}",
                                 s.task.item.str(), to.shape.str()));
  s.source->next(s.next, count, to, batch);
  batch.count = count;
  ++s.next;
  return true;
}

}  // namespace ocellus
