#include "ocellus/core/optimizer.hpp"

namespace ocellus {

OptimizerOp::~OptimizerOp() = default;
Optimizer::~Optimizer() = default;
Schedule::~Schedule() = default;

}  // namespace ocellus
