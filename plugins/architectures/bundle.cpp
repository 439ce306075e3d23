#include <string>

#include "architectures.hpp"
#include "ocellus/core/plugin.hpp"

namespace ocellus::architectures {

GraphBuilder begin(const char* name, const std::vector<int>& shape, int smallest) {
  const std::string where = std::string(name) + ": parameter 'input_shape': ";
  if (shape.size() != 3)
    throw UsageError(where + "expected height, width, channels, such as [28, 28, 1]");
  if (shape[0] < smallest || shape[1] < smallest)
    throw UsageError(where + "the image must have at least " + std::to_string(smallest) + " x " +
                     std::to_string(smallest) + " pixels");
  GraphBuilder b(name);
  b.input(shape);
  return b;
}

namespace {
void register_types(Registrar& r) {
  register_cifar_small(r);
  register_lenet5(r);
  register_mnist_cnn(r);
}
}  // namespace
}  // namespace ocellus::architectures

OCELLUS_PLUGIN("architectures", "Small architectures", OCELLUS_VERSION, "Apache-2.0",
               ocellus::architectures::register_types)
