#include "architectures.hpp"
#include "ocellus/core/plugin.hpp"

namespace ocellus::architectures {
namespace {
void register_types(Registrar& r) {
  register_alexnet(r);
  register_cifar_small(r);
  register_densenet(r);
  register_efficientnet(r);
  register_googlenet(r);
  register_inception_v3(r);
  register_lenet5(r);
  register_mnist_cnn(r);
  register_mobilenet(r);
  register_mobilenet_v2(r);
  register_resnet(r);
  register_squeezenet(r);
  register_vgg(r);
}
}  // namespace
}  // namespace ocellus::architectures

OCELLUS_PLUGIN("architectures", "Architectures", OCELLUS_VERSION, "Apache-2.0",
               ocellus::architectures::register_types)
