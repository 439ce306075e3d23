#pragma once

#include <memory>

#include "ocellus/core/layer.hpp"

namespace ocellus {

struct AugmentArgs {
  Tensor images;   ///< in, (N, H, W, C)
  Tensor output;   ///< out, (N, H', W', C); never the same memory
  Tensor targets;  ///< in and out: dense targets, when the augmenter mixes them
  Tensor weights;  ///< in and out
  RunContext run;  ///< the same (seed, step, sample) gives the same change
};

class OCELLUS_API AugmenterOp {
 public:
  virtual ~AugmenterOp();
  virtual void run(opencl::Queue& queue, const AugmentArgs& args) = 0;
};

/// Changes a training batch at random. Core also wraps an image-only augmenter as a layer: identity
/// in inference.
class OCELLUS_API Augmenter {
 public:
  using Interface = Augmenter;
  static constexpr Kind kind = Kind::augmenter;
  virtual ~Augmenter();
  virtual bool image_only() const { return true; }
  virtual Shape output(const Shape& images) const { return images; }
  virtual std::unique_ptr<AugmenterOp> prepare(opencl::Device& device,
                                               const Shape& images) const = 0;
};

/// An image-only augmenter as a layer: works in training, the identity in inference. Networks find
/// augmenters by name where no layer has it. Throws UsageError for one that is not image-only;
/// plan() throws ShapeError for one that changes the size.
OCELLUS_API std::shared_ptr<const Layer> as_layer(std::shared_ptr<const Augmenter> augmenter);

}  // namespace ocellus
