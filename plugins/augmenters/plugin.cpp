#include "ocellus/core/plugin.hpp"

#include "row_kernel.hpp"

namespace {
void register_types(ocellus::Registrar& r) {
  ocellus::augmenters::register_random_flip(r);
  ocellus::augmenters::register_random_translation(r);
}
}  // namespace

OCELLUS_PLUGIN("augmenters", "Augmenters", OCELLUS_VERSION, "Apache-2.0", register_types)
