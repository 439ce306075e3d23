#pragma once

#include <memory>
#include <string>

#include "ocellus/core/loss.hpp"

namespace ocellus::losses {

/// A loss or metric that is one kernel of losses.cl.
struct KernelLoss {
  std::string kernel;
  bool from_logits = false;
  float option = 0;  ///< the kernel's own: label smoothing, k, threshold
};

/// Throws ShapeError, naming `name`, unless the targets fit the prediction: classes (N) for a
/// prediction (N, K), or as many numbers an item.
std::unique_ptr<LossOp> make_loss(opencl::Device& device, const LossRequest& request,
                                  const KernelLoss& loss, const std::string& name);

// Each file registers the types that it holds.
void register_categorical_crossentropy(Registrar& r);
void register_binary_crossentropy(Registrar& r);
void register_mean_error(Registrar& r);
void register_accuracy(Registrar& r);

}  // namespace ocellus::losses
