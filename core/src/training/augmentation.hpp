#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ocellus/core/augmenter.hpp"
#include "ocellus/core/batches.hpp"

namespace ocellus::training {

/// The augmenters of a training, one after another, between the batches and the network.
class Augmentation {
 public:
  Augmentation(const Registry& registry, opencl::Device& device,
               const std::vector<std::pair<std::string, Json>>& augmenters, const Shape& item);
  /// The next batch of `data`, changed, into `images`, whose batch is the number of items.
  void next(Batches& data, Batch& batch, const Tensor& images, RunContext run);

 private:
  struct Chain {
    std::vector<std::unique_ptr<AugmenterOp>> ops;
    std::vector<Tensor> inputs;  ///< of each op
  };
  Chain& chain(int n);

  opencl::Device& device_;
  Shape item_;
  std::vector<std::string> names_;
  std::vector<std::shared_ptr<const Augmenter>> augmenters_;
  std::map<int, Chain> chains_;  ///< by batch
};

}  // namespace ocellus::training
