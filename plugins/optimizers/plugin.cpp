#include "ocellus/core/plugin.hpp"

#include "update.hpp"

namespace {
void register_types(ocellus::Registrar& r) {
  ocellus::optimizers::register_sgd(r);
  ocellus::optimizers::register_adam(r);
  ocellus::optimizers::register_rmsprop(r);
  ocellus::optimizers::register_schedules(r);
}
}  // namespace

OCELLUS_PLUGIN("optimizers", "Optimizers and schedules", OCELLUS_VERSION, "Apache-2.0",
               register_types)
