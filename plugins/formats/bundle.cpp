#include "ocellus/core/plugin.hpp"

namespace ocellus::keras {
void register_keras_archive(Registrar& r);
void register_keras_hdf5(Registrar& r);
void register_keras_json(Registrar& r);
void register_keras_weights(Registrar& r);
}  // namespace ocellus::keras

namespace {
void register_types(ocellus::Registrar& r) {
  ocellus::keras::register_keras_hdf5(r);
  ocellus::keras::register_keras_weights(r);
  ocellus::keras::register_keras_archive(r);
  ocellus::keras::register_keras_json(r);
}
}  // namespace

OCELLUS_PLUGIN("formats", "Model formats", OCELLUS_VERSION, "Apache-2.0", register_types)
