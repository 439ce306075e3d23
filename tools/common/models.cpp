#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "ocellus/core/error.hpp"
#include "ocellus/core/sample.hpp"
#include "ocellus/core/text.hpp"
#include "tool.hpp"

namespace ocellus::tools {

namespace {

// "224x224x3", also "224,224,3".
std::vector<int> parse_shape(const std::string& text) {
  std::vector<int> shape;
  if (text.empty()) return shape;
  std::string extents = text;
  std::replace(extents.begin(), extents.end(), ',', 'x');
  for (const std::string& extent : split(extents, 'x')) {
    int n = 0;
    const char* const end = extent.data() + extent.size();
    const auto [stop, error] = std::from_chars(extent.data(), end, n);
    if (error != std::errc() || stop != end || n < 1)
      throw UsageError(
          fmt::format("--input-shape: expected extents such as 224x224x3, found '{}'", text));
    shape.push_back(n);
  }
  return shape;
}

// Whether the address names an architecture, which alone has parameters.
bool is_zoo_name(const Registry& registry, const std::string& address) {
  const size_t end = std::min(address.find_first_of("( "), address.size());
  return !std::filesystem::exists(address) &&
         registry.find(Kind::architecture, address.substr(0, end));
}

}  // namespace

void Tool::declare_model() {
  line.flag("weights", model_.weights,
            "file whose weights the model takes; imagenet: the published ones of a zoo name");
  line.flag("by_name", model_.matching.by_name,
            "weights go to the layers of their names, not by position");
  line.flag("skip_mismatch", model_.matching.skip_mismatch,
            "weights that do not fit are left out with a warning");
  line.flag("no_top", model_.no_top, "a zoo name without its classifier");
  line.flag("classes", model_.classes, "number of classes of a zoo name").min(1);
  line.flag("input_shape", model_.input_shape,
            "height x width x channels of a zoo name, or where a file leaves them open: 224x224x3");
  line.flag(
      "preprocess", preprocess,
      "how pixels reach the network, instead of what the model says: none, unit, tf, torch, caffe, "
      "or scale=1/255,mean=0.5,std=0.2,order=bgr,resize=crop");
  line.flag("trust", trust, "read a model file without the trial read in a process of its own");
}

ModelDocument Tool::open_model(const std::string& address, const Json& architecture) {
  if (device_) throw Error("internal: a model is opened after the device");
  ModelRequest request;
  request.address = address;
  request.architecture = architecture;
  request.weights = model_.weights;
  request.matching = model_.matching;
  request.input_shape = parse_shape(model_.input_shape);
  request.trust = trust;
  if (is_zoo_name(registry(), address)) {
    Json& parameters = request.architecture;
    if (model_.classes) parameters["classes"] = model_.classes;
    if (model_.no_top) parameters["include_top"] = false;
    if (!request.input_shape.empty())
      parameters["input_shape"] = Json::list_of(request.input_shape);
  } else if (model_.classes || model_.no_top) {
    throw UsageError(
        fmt::format("{}: {} is a parameter of architectures; the layers of this model are given",
                    address, model_.classes ? "--classes" : "--no-top"));
  }
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
  if (document.sample) check_sample(*network, *document.sample, document.graph.name);
  return network;
}

}  // namespace ocellus::tools
