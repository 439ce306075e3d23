#include "ocellus/core/plugin.hpp"

#include "memory_dataset.hpp"

namespace {
void register_types(ocellus::Registrar& r) {
  ocellus::datasets::register_idx(r);
  ocellus::datasets::register_cifar10(r);
  ocellus::datasets::register_hdf5(r);
  ocellus::datasets::register_folder(r);
}
}  // namespace

OCELLUS_PLUGIN("datasets", "Data sets", OCELLUS_VERSION, "Apache-2.0", register_types)
