#include "ocellus/core/loss.hpp"

namespace ocellus {

LossOp::~LossOp() = default;
Loss::~Loss() = default;
bool Loss::wants_logits(Probability) const { return false; }
Metric::~Metric() = default;
bool Metric::wants_logits(Probability) const { return false; }

}  // namespace ocellus
