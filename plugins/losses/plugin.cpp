#include "ocellus/core/plugin.hpp"

#include "kernel_loss.hpp"

namespace {
void register_types(ocellus::Registrar& r) {
  ocellus::losses::register_categorical_crossentropy(r);
  ocellus::losses::register_binary_crossentropy(r);
  ocellus::losses::register_mean_error(r);
  ocellus::losses::register_accuracy(r);
}
}  // namespace

OCELLUS_PLUGIN("losses", "Losses and metrics", OCELLUS_VERSION, "Apache-2.0", register_types)
