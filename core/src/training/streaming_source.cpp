#include <array>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>

#include "batch_source.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/opencl/movement.hpp"

namespace ocellus::training {
namespace {

/// A ring of slots between a reading thread, which fills them through the transfer queue, and the
/// compute queue.
class StreamingSource : public BatchSource {
 public:
  explicit StreamingSource(const BatchTask& task) : task_(task), affine_(task) {
    for (Slot& s : slots_) {
      s.pixels = Tensor::make(task.device, task.item.batched(task.batch), "images of a batch",
                              task.item_type);
      if (task.has_targets)
        s.targets = Tensor::make(task.device, task.targets(task.batch), "targets of a batch",
                                 task.sparse ? DType::i32 : DType::f32);
      s.weights = Tensor::make(task.device, Shape{task.batch}, "weights of a batch");
      s.samples = Tensor::make(task.device, Shape{task.batch}, "samples of a batch", DType::i32);
    }
  }
  ~StreamingSource() override { stop(); }

  void start(std::span<const int32_t> order, int64_t first_batch) override {
    stop();
    order_.assign(order.begin(), order.end());
    free_.clear();
    ready_.clear();
    error_ = nullptr;
    current_ = nullptr;
    stopping_ = false;
    // What the epoch before enqueued may still read the slots.
    const opencl::Event before = task_.device.compute().record();
    for (Slot& s : slots_) {
      s.released = before;
      free_.push_back(&s);
    }
    thread_ = std::thread([this, first_batch] { read_ahead(first_batch); });
  }

  void next(int64_t, int, const Tensor& images, Batch& batch) override {
    opencl::Queue& queue = task_.device.compute();
    if (current_) {
      current_->released = queue.record();
      const std::lock_guard lock(mutex_);
      free_.push_back(current_);
      changed_.notify_all();
    }
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return !ready_.empty() || error_; });
      if (ready_.empty()) {
        current_ = nullptr;
        std::rethrow_exception(error_);
      }
      current_ = ready_.front();
      ready_.pop_front();
    }
    queue.set_label("batch");
    queue.wait_for(current_->uploaded);
    const int n = images.shape[0], channels = task_.item.channels();
    const Tensor from = current_->pixels.items(0, n);
    if (task_.item_type == DType::u8) {
      opencl::convert_u8(queue, from.operand(), images.operand(), images.shape.pixels(), channels,
                         task_.scale, task_.shift, task_.order);
    } else {
      opencl::copy_matrix(queue, from.operand(), images.operand(), images.shape.pixels(), channels);
      affine_.run(queue, images);
    }
    batch.images = images;
    batch.targets = current_->targets;
    batch.weights = current_->weights;
    batch.samples = current_->samples.buffer;
  }

 private:
  struct Slot {
    Tensor pixels, targets, weights, samples;
    opencl::Event uploaded, released;
  };

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      changed_.notify_all();
    }
    if (thread_.joinable()) thread_.join();
  }

  void read_ahead(int64_t first_batch) {
    try {
      const size_t n = order_.size();
      for (size_t first = static_cast<size_t>(first_batch) * task_.batch; first < n;
           first += task_.batch) {
        Slot* slot = nullptr;
        {
          std::unique_lock lock(mutex_);
          changed_.wait(lock, [&] { return !free_.empty() || stopping_; });
          if (stopping_) return;
          slot = free_.front();
          free_.pop_front();
        }
        fill(*slot, first, static_cast<int>(std::min<size_t>(task_.batch, n - first)));
        const std::lock_guard lock(mutex_);
        ready_.push_back(slot);
        changed_.notify_all();
      }
    } catch (...) {
      const std::lock_guard lock(mutex_);
      error_ = std::current_exception();
      changed_.notify_all();
    }
  }

  void fill(Slot& slot, size_t first, int count) {
    std::vector<int32_t> places(order_.begin() + first, order_.begin() + first + count);
    places.resize(task_.batch, order_[0]);
    std::vector<int64_t> indices;
    for (const int32_t p : places) indices.push_back(task_.items[p]);
    Samples samples;
    task_.data->read(indices, samples);
    if (task_.item_type == DType::f32 && task_.reorders()) reorder(samples.images);
    std::vector<float> weights = valid_weights(task_.batch, count);
    if (task_.weighted)
      for (int i = 0; i < count; ++i) weights[i] = samples.weights.f32()[i];

    slot.released.wait();
    opencl::Queue& transfer = task_.device.transfer();
    upload(transfer, samples.images, slot.pixels);
    if (task_.has_targets) upload(transfer, samples.targets, slot.targets);
    upload(transfer, Array(slot.weights.shape, std::move(weights)), slot.weights);
    upload(transfer, Array::of_ints(slot.samples.shape, places), slot.samples);
    slot.uploaded = transfer.record();
  }

  void reorder(Array& images) const {
    const size_t channels = task_.order.size();
    std::vector<float> old(channels);
    const std::span<float> x = images.f32();
    for (size_t at = 0; at < x.size(); at += channels) {
      std::copy_n(&x[at], channels, old.begin());
      for (size_t c = 0; c < channels; ++c) x[at + c] = old[task_.order[c]];
    }
  }

  const BatchTask& task_;
  ChannelAffine affine_;
  std::array<Slot, 3> slots_;
  std::vector<int32_t> order_;
  Slot* current_ = nullptr;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Slot*> free_, ready_;
  std::exception_ptr error_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<BatchSource> make_streaming(const BatchTask& task) {
  return std::make_unique<StreamingSource>(task);
}

}  // namespace ocellus::training
