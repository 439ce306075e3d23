#include <algorithm>

#include "batch_source.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/opencl/movement.hpp"

namespace ocellus::training {

bool BatchTask::reorders() const {
  for (size_t i = 0; i < order.size(); ++i)
    if (order[i] != static_cast<int>(i)) return true;
  return false;
}

bool BatchTask::uniform() const {
  const auto same = [](const std::vector<float>& v) {
    return std::ranges::all_of(v, [&](float x) { return x == v.front(); });
  };
  return same(scale) && same(shift);
}

std::vector<float> valid_weights(int batch, int count) {
  std::vector<float> weights(batch, 0.0f);
  std::fill_n(weights.begin(), count, 1.0f);
  return weights;
}

ChannelAffine::ChannelAffine(const BatchTask& task) : task_(task) {
  const Shape channels{task.item.channels()};
  scale_ = Tensor::make(task.device, channels, "preprocessing");
  shift_ = Tensor::make(task.device, channels, "preprocessing");
  upload(task.device.compute(), Array(channels, task.scale), scale_);
  upload(task.device.compute(), Array(channels, task.shift), shift_);
}

void ChannelAffine::run(opencl::Queue& queue, const Tensor& images) {
  if (task_.uniform() && task_.scale[0] == 1 && task_.shift[0] == 0) return;
  const int pixels = images.shape.pixels();
  auto it = kernels_.find(pixels);
  if (it == kernels_.end()) {
    opencl::PointwiseProblem p;
    p.rows = pixels;
    p.columns = images.shape.channels();
    p.inputs = {opencl::PointwiseProblem::Input::matrix,
                opencl::PointwiseProblem::Input::per_column,
                opencl::PointwiseProblem::Input::per_column};
    p.outputs = {"x0 * x1 + x2"};
    p.name = "preprocess";
    it = kernels_.emplace(pixels, opencl::Pointwise(task_.device, p)).first;
  }
  const opencl::Operand in[] = {images.operand(), scale_.operand(), shift_.operand()},
                        out[] = {images.operand()};
  it->second.run(queue, in, out);
}

namespace {

class ResidentSource : public BatchSource {
 public:
  explicit ResidentSource(const BatchTask& task)
      : task_(task),
        affine_(task),
        pixels_(static_cast<int>(task.item.elements())),
        images_(Tensor::make(task.device, task.item.batched(count_items()), "the data set's images",
                             task.item_type)),
        ones_(Tensor::make(task.device, Shape{task.batch}, "weights of a batch")),
        short_(Tensor::make(task.device, Shape{task.batch}, "weights of a batch")),
        samples_(task.device.allocate(task.batch * sizeof(int32_t), "samples of a batch")) {
    opencl::Queue& queue = task_.device.compute();
    upload(queue, Array(ones_.shape, valid_weights(task_.batch, task_.batch)), ones_);
    if (task_.has_targets) {
      const DType type = task_.sparse ? DType::i32 : DType::f32;
      targets_ =
          Tensor::make(task_.device, task_.targets(count_items()), "the data set's targets", type);
      batch_targets_ =
          Tensor::make(task_.device, task_.targets(task_.batch), "targets of a batch", type);
    }
    if (task_.weighted)
      weights_ = Tensor::make(task_.device, Shape{count_items()}, "the data set's weights");
    load(queue);
  }

  void start(std::span<const int32_t> order, int64_t) override {
    // Padded to whole batches with an item that exists.
    const size_t whole = (order.size() + task_.batch - 1) / task_.batch * task_.batch;
    std::vector<int32_t> padded(order.begin(), order.end());
    padded.resize(whole, order.empty() ? 0 : order[0]);
    if (!order_)
      order_ =
          task_.device.allocate(std::max<size_t>(whole, 1) * sizeof(int32_t), "order of an epoch");
    task_.device.compute().write(order_, 0, padded.data(), padded.size() * sizeof(int32_t));
  }

  void next(int64_t index, int count, const Tensor& images, Batch& batch) override {
    opencl::Queue& queue = task_.device.compute();
    queue.set_label("batch");
    queue.copy(order_, static_cast<size_t>(index) * task_.batch * sizeof(int32_t), samples_, 0,
               task_.batch * sizeof(int32_t));
    const int n = images.shape[0];
    const bool convert = task_.item_type == DType::u8, uniform = task_.uniform();
    opencl::GatherOptions options;
    options.from_u8 = convert;
    if (convert && uniform) {
      options.scale = task_.scale[0];
      options.shift = task_.shift[0];
    }
    opencl::gather_rows(queue, images_.matrix(pixels_), samples_, images.matrix(pixels_), n,
                        pixels_, options);
    if (!convert || !uniform) affine_.run(queue, images);
    if (task_.has_targets) {
      // Classes travel as the bits that they are.
      const int columns = task_.sparse ? 1 : static_cast<int>(task_.target.elements());
      opencl::gather_rows(queue, targets_.matrix(columns), samples_, batch_targets_.matrix(columns),
                          task_.batch, columns);
    }
    batch.images = images;
    batch.targets = batch_targets_;
    batch.samples = samples_;
    batch.weights = weights(queue, count);
  }

 private:
  int count_items() const { return static_cast<int>(task_.items.size()); }

  void load(opencl::Queue& queue) {
    constexpr size_t chunk = 1024;
    Samples samples;
    for (size_t first = 0; first < task_.items.size(); first += chunk) {
      const int n = static_cast<int>(std::min(chunk, task_.items.size() - first));
      task_.data->read({&task_.items[first], static_cast<size_t>(n)}, samples);
      if (task_.reorders()) reorder(samples.images);
      upload(queue, samples.images, images_.items(static_cast<int>(first), n));
      if (task_.has_targets)
        upload(queue, samples.targets, targets_.items(static_cast<int>(first), n));
      if (task_.weighted)
        upload(queue, samples.weights, weights_.items(static_cast<int>(first), n));
    }
  }

  void reorder(Array& images) const {
    const size_t size = bytes_of(images.type()), channels = task_.order.size(),
                 pixel = size * channels;
    std::vector<std::byte> old(pixel);
    for (size_t at = 0; at < images.bytes().size(); at += pixel) {
      std::copy_n(images.bytes().begin() + at, pixel, old.begin());
      for (size_t c = 0; c < channels; ++c)
        std::copy_n(old.begin() + task_.order[c] * size, size,
                    images.bytes().begin() + at + c * size);
    }
  }

  Tensor weights(opencl::Queue& queue, int count) {
    if (!task_.weighted && count == task_.batch) return ones_;
    if (!task_.weighted) {
      upload(queue, Array(short_.shape, valid_weights(task_.batch, count)), short_);
    } else {
      opencl::gather_rows(queue, weights_.matrix(1), samples_, short_.matrix(1), task_.batch, 1);
      queue.fill(short_.buffer, count * sizeof(float), (task_.batch - count) * sizeof(float));
    }
    return short_;
  }

  const BatchTask& task_;
  ChannelAffine affine_;
  int pixels_;
  Tensor images_, targets_, weights_, batch_targets_, ones_, short_;
  opencl::Buffer order_, samples_;
};

}  // namespace

std::unique_ptr<BatchSource> make_resident(const BatchTask& task) {
  return std::make_unique<ResidentSource>(task);
}

}  // namespace ocellus::training
