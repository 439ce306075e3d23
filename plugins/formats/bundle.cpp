#include "ocellus/core/plugin.hpp"

namespace ocellus::keras {
void register_keras_hdf5(Registrar& r);
}

namespace {
void register_types(ocellus::Registrar& r) { ocellus::keras::register_keras_hdf5(r); }
}  // namespace

OCELLUS_PLUGIN("formats", "Model formats", OCELLUS_VERSION, "Apache-2.0", register_types)
