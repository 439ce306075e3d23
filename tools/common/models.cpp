#include <fmt/format.h>

#include "ocellus/core/error.hpp"
#include "tool.hpp"

namespace ocellus::tools {

ModelDocument Tool::open_model(const std::string& address, const Json& architecture) {
  if (device_) throw Error("internal: a model is opened after the device");
  ModelRequest request;
  request.address = address;
  request.architecture = architecture;
  request.trust = trust;
  return ocellus::open_model(registry(), request, terminal);
}

std::unique_ptr<Network> Tool::place(const ModelDocument& document, Placement placement) {
  auto network = std::make_unique<Network>(registry(), document);
  if (!preprocess.empty()) {
    network->preprocessing = Preprocessing::named(preprocess);
  } else if (!network->preprocessing) {
    network->preprocessing = Preprocessing::named("unit");
    terminal.info(fmt::format(
        "preprocessing: {} (assumed, the model says nothing; --preprocess sets another)",
        network->preprocessing->str()));
  }
  network->place(device(), static_cast<uint64_t>(seed.value), placement);
  return network;
}

}  // namespace ocellus::tools
