#include "augmentation.hpp"

#include "ocellus/core/error.hpp"

namespace ocellus::training {

namespace {
/// Random streams of augmenters, away from those of the network's nodes.
constexpr uint32_t first_stream = 1u << 24;
}  // namespace

Augmentation::Augmentation(const Registry& registry, opencl::Device& device,
                           const std::vector<std::pair<std::string, Json>>& augmenters,
                           const Shape& item)
    : device_(device), item_(item) {
  for (const auto& [name, parameters] : augmenters) {
    names_.push_back(name);
    augmenters_.push_back(registry.create<Augmenter>(name, parameters, "augmenter '" + name + "'"));
  }
}

Augmentation::Chain& Augmentation::chain(int n) {
  const auto it = chains_.find(n);
  if (it != chains_.end()) return it->second;
  Chain c;
  Shape shape = item_.batched(n);
  for (size_t i = 0; i < augmenters_.size(); ++i) {
    try {
      c.ops.push_back(augmenters_[i]->prepare(device_, shape));
      c.inputs.push_back(Tensor::make(device_, shape, "images before " + names_[i]));
      shape = augmenters_[i]->output(shape);
    } catch (const ShapeError& e) {
      throw ShapeError("augmenter '" + names_[i] + "': " + e.what());
    }
  }
  return chains_.emplace(n, std::move(c)).first->second;
}

void Augmentation::next(Batches& data, Batch& batch, const Tensor& images, RunContext run) {
  if (augmenters_.empty()) {
    data.next(batch, images);
    return;
  }
  Chain& c = chain(images.shape[0]);
  data.next(batch, c.inputs[0]);
  opencl::Queue& queue = device_.compute();
  for (size_t i = 0; i < c.ops.size(); ++i) {
    AugmentArgs args;
    args.images = c.inputs[i];
    args.output = i + 1 < c.ops.size() ? c.inputs[i + 1] : images;
    args.targets = batch.targets;
    args.weights = batch.weights;
    args.run = run;
    args.run.samples = batch.samples;
    args.run.node = first_stream + static_cast<uint32_t>(i);
    queue.set_label(names_[i]);
    c.ops[i]->run(queue, args);
  }
  batch.images = images;
}

}  // namespace ocellus::training
