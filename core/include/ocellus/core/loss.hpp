#pragma once

#include <memory>

#include "ocellus/core/layer.hpp"

namespace ocellus {

/// What a loss or a metric will be asked for. Targets are classes (i32, (N)) or dense (f32, the
/// prediction's shape).
struct LossRequest {
  Shape prediction;  ///< with batch
  Shape target;
  bool sparse_targets = false;
  bool from_logits = false;  ///< the prediction is the input of the final softmax or sigmoid
};

struct LossArgs {
  Tensor prediction, target;
  Tensor weights;     ///< f32 (N), or empty: all 1
  Tensor per_sample;  ///< out, f32 (N): weight * loss
  Tensor gradient;    ///< out, the prediction's shape: d(sum of per_sample) / d prediction *
                      ///< gradient_scale; empty: not wanted
  float gradient_scale = 1;
};

class OCELLUS_API LossOp {
 public:
  virtual ~LossOp();
  virtual void run(opencl::Queue& queue, const LossArgs& args) = 0;
};

/// A function of (prediction, target) that training makes small.
class OCELLUS_API Loss {
 public:
  using Interface = Loss;
  static constexpr Kind kind = Kind::loss;
  virtual ~Loss();
  /// Whether run() wants logits where the network ends in `final`: a fused, stable form.
  virtual bool wants_logits(Probability final) const;
  virtual std::unique_ptr<LossOp> prepare(opencl::Device& device,
                                          const LossRequest& request) const = 0;
};

/// A number a sample that people read; its weighted mean is reported. LossArgs::gradient is never
/// asked for.
class OCELLUS_API Metric {
 public:
  using Interface = Metric;
  static constexpr Kind kind = Kind::metric;
  virtual ~Metric();
  virtual bool wants_logits(Probability final) const;
  virtual std::unique_ptr<LossOp> prepare(opencl::Device& device,
                                          const LossRequest& request) const = 0;
};

}  // namespace ocellus
