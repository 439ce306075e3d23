#include "execution/halves.hpp"

#include "ocellus/opencl/movement.hpp"
#include "ocellus/opencl/profiler.hpp"

namespace ocellus::execution {
namespace {

/// Below, a half is too little work to fill the cores, and reading all weights twice counts.
constexpr int kFewest = 4;

std::unique_ptr<Execution> half(Network& network, ExecutionOptions options, int batch) {
  options.batch = batch;
  options.halves = false;
  return std::make_unique<Execution>(network, std::move(options));
}

/// Items [first, first + part's) of `whole`.
opencl::Operand slice(const Tensor& whole, int first, const Tensor& part) {
  opencl::Operand items = whole.operand();
  items.offset +=
      static_cast<uint32_t>(first * (part.shape.pixels() / part.shape[0])) * items.stride;
  return items;
}

}  // namespace

bool Halves::suit(Network& network, const ExecutionOptions& o) {
  opencl::Device& device = network.device();
  return o.halves && o.batch >= kFewest && o.fuse && !o.training && !o.parameter_gradients &&
         o.gradients.empty() && o.seeds.empty() && o.overrides.empty() &&
         device.family() == opencl::KernelFamily::vector && device.info().compute_units > 1 &&
         !device.profiler().enabled();  // the other queue's launches are not recorded
}

Halves::Halves(Network& network, const ExecutionOptions& options)
    : network_(network),
      options_(options),
      first_(half(network, options, options.batch - options.batch / 2)),
      second_(half(network, options, options.batch / 2)) {
  const auto whole = [&](const Tensor& part, std::vector<Tensor>& to) {
    const Shape shape = part.shape.without_batch().batched(options_.batch);
    to.push_back(Tensor::make(network_.device(), shape, "a batch's inputs and results"));
    memory_ += static_cast<size_t>(shape.elements()) * sizeof(float);
  };
  for (size_t i = 0; i < first_->feed_count(); ++i) whole(first_->feed(i), feeds_);
  for (size_t i = 0; i < first_->fetch_count(); ++i) whole(first_->fetch(i), fetches_);
  for (const Tensor& t : feeds_)  // as an execution's own, they hold no NaN before they are filled
    network_.device().compute().fill(t.buffer, 0, t.buffer.bytes() / 4 * 4);
}

void Halves::copy(Direction direction) const {
  opencl::Queue& queue = network_.device().compute();
  const std::vector<Tensor>& wholes = direction == Direction::in ? feeds_ : fetches_;
  for (size_t i = 0; i < wholes.size(); ++i) {
    int done = 0;
    for (const Execution* run : {first_.get(), second_.get()}) {
      const Tensor part = direction == Direction::in ? run->feed(i) : run->fetch(i);
      const opencl::Operand items = slice(wholes[i], done, part);
      const bool in = direction == Direction::in;
      const opencl::Operand &from = in ? items : part.operand(), &to = in ? part.operand() : items;
      const size_t channels = part.shape.channels();
      if (from.stride == channels && to.stride == channels)
        queue.copy(from.buffer, from.offset * sizeof(float), to.buffer, to.offset * sizeof(float),
                   static_cast<size_t>(part.shape.elements()) * sizeof(float));
      else
        opencl::copy_matrix(queue, from, to, part.shape.pixels(), part.shape.channels());
      done += part.shape[0];
    }
  }
}

void Halves::forward(const RunContext& run) {
  opencl::Queue& compute = network_.device().compute();
  copy(Direction::in);
  // New weights are packed on the way, which both halves share: one after the other then.
  const bool settled = settled_ == network_.version();
  opencl::Queue& beside = settled ? network_.device().transfer() : compute;
  if (settled) beside.wait_for(compute.record());
  first_->forward(compute, run);
  second_->forward(beside, run);
  if (settled) compute.wait_for(beside.record());
  settled_ = network_.version();
  copy(Direction::out);
}

size_t Halves::memory() const { return memory_ + first_->memory() + second_->memory(); }

}  // namespace ocellus::execution
