#pragma once

#include <optional>
#include <string_view>

#include "ocellus/core/json.hpp"

namespace ocellus {

/// l1 sum |x| + l2 sum x^2 of a parameter, or of what a layer gives, which training adds to the
/// loss.
struct Regularizer {
  double l1 = 0, l2 = 0;
};

/// A layer that is one itself: what it gives adds to the loss, as a mean over the batch. Any layer
/// may have this interface too.
class OCELLUS_API ActivityRegularizing {
 public:
  virtual ~ActivityRegularizing();
  virtual Regularizer activity() const = 0;
};

/// What Keras writes for one: "l1", "l2", "l1_l2" (factors of 0.01), or {"class_name": "L1", "L2"
/// or "L1L2", "config": {"l1", "l2"}}. Nothing for any other.
OCELLUS_API std::optional<Regularizer> parse_regularizer(const Json& value);
/// Whether a layer's key means one: "kernel_regularizer", "activity_regularizer".
OCELLUS_API bool is_regularizer_key(std::string_view key);
/// Whether the key belongs to the weights of that name: "kernel", or "pointwise_kernel".
OCELLUS_API bool regularizes(std::string_view key, std::string_view parameter);

}  // namespace ocellus
