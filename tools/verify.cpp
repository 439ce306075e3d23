// ocellus verify: does this device compute a model as the definitions say, layer by layer?

#include "reference/verify.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "inputs.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/random.hpp"
#include "ocellus/core/sample.hpp"
#include "tool.hpp"

namespace ocellus::tools {
namespace {

using reference::NodeCheck;

// Pixels 0 to 255, preprocessed as the model wants them; what is no image is drawn from -1 to 1.
std::vector<Array> random_inputs(Tool& tool, Network& network, int batch) {
  const AnalysisContext context(tool.registry(), network, tool.terminal, tool.terminal);
  std::vector<float> scale, shift;
  std::vector<int> order;
  context.preprocessing(scale, shift, order);
  std::vector<Array> inputs;
  for (const NodeOutput in : network.inputs()) {
    Array a(network.shape(in).with_batch(batch), DType::f32);
    Random random(static_cast<uint64_t>(tool.seed.value), inputs.size());
    const bool image =
        a.shape().rank() == 4 && a.shape().channels() == static_cast<int>(scale.size());
    for (size_t i = 0; i < a.f32().size(); ++i) {
      const size_t c = i % scale.size();
      a.f32()[i] = static_cast<float>(image ? random.uniform(0, 255) * scale[c] + shift[c]
                                            : random.uniform(-1, 1));
    }
    inputs.push_back(std::move(a));
  }
  return inputs;
}

Array stacked_images(Tool& tool, Network& network, const std::vector<std::string>& files) {
  const AnalysisContext context(tool.registry(), network, tool.terminal, tool.terminal);
  const int count = static_cast<int>(files.size());
  Array all(network.shape(network.inputs().at(0)).with_batch(count), DType::u8);
  auto to = all.bytes().begin();
  for (const std::string& file : files) {
    const Array image = load_image(tool.registry(), file, network);
    to = std::ranges::copy(image.bytes(), to).out;
  }
  const Tensor input = Tensor::make(network.device(), all.shape(), "the images");
  context.load(all, input);
  return download(context.queue(), input);
}

Json to_json(const NodeCheck& c) {
  return Json::Object{{"name", c.name},   {"type", c.type},       {"checked", c.checked},
                      {"error", c.error}, {"allowed", c.allowed}, {"largest", c.largest},
                      {"good", c.good()}};
}

std::vector<std::string> to_cells(const NodeCheck& c) {
  if (!c.checked) return {"?", c.name, c.type, "no reference", "", ""};
  return {c.good() ? "good" : "BAD",
          c.name,
          c.type,
          fmt::format("{:.2e}", c.error),
          fmt::format("{:.2e}", c.allowed),
          fmt::format("{:.3g}", c.largest)};
}

void verify(Tool& tool) {
  std::string model;
  std::vector<std::string> images;
  int batch = 1, top = 10;
  tool.line.argument("MODEL", model);
  tool.line.rest("IMAGE", images);
  tool.line.flag("batch", batch, "random inputs, where no image is given").min(1);
  tool.line.flag("top", top, "layers to show, those with the largest errors first").min(1);
  tool.declare_model();
  tool.parse();
  const auto begin = std::chrono::steady_clock::now();
  const ModelDocument document = tool.open_model(model);
  const auto network = tool.place(document);
  std::vector<Array> inputs;
  if (images.empty()) {
    inputs = random_inputs(tool, *network, batch);
  } else {
    if (network->inputs().size() != 1)
      throw UsageError("the model has several inputs; leave the images out: they are drawn");
    inputs.push_back(stacked_images(tool, *network, images));
  }
  const reference::Verification v =
      reference::verify(tool.registry(), *network, inputs, tool.terminal);
  tool.terminal.finish_line();

  std::vector<NodeCheck> sorted = v.nodes;
  const auto share = [](const NodeCheck& c) {
    return c.error == 0 ? (c.checked ? 0.0 : -1.0) : c.error / c.allowed;
  };
  std::ranges::stable_sort(sorted,
                           [&](const auto& a, const auto& b) { return share(a) > share(b); });
  const auto bad = std::ranges::count_if(v.nodes, [](const auto& c) { return !c.good(); });
  const auto unchecked = std::ranges::count_if(v.nodes, [](const auto& c) { return !c.checked; });
  const bool good = bad == 0 && v.logits.good();
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (tool.json) {
    Json layers = Json::list();
    for (const NodeCheck& c : v.nodes) layers.push_back(to_json(c));
    Json result = Json::Object{{"device", tool.device()->info().name},
                               {"good", good},
                               {"failed", bad},
                               {"unchecked", unchecked},
                               {"seconds", seconds},
                               {"logits", to_json(v.logits)},
                               {"layers", layers}};
    if (document.sample) result["sample"] = verify_sample(*network, *document.sample);
    tool.print(result);
  } else {
    std::vector<std::vector<std::string>> rows = {to_cells(v.logits)};
    for (const NodeCheck& c : sorted)
      if (static_cast<int>(rows.size()) <= top || !c.good()) rows.push_back(to_cells(c));
    tool.print(format_table({"", "layer", "type", "error", "allowed", "largest value"}, rows));
    if (document.sample)
      tool.print(fmt::format("stored sample: relative error {:.2e}",
                             verify_sample(*network, *document.sample)));
    tool.print(fmt::format("{} of {} layers agree with the reference, {} have none; {}",
                           static_cast<int64_t>(v.nodes.size()) - bad - unchecked, v.nodes.size(),
                           unchecked, human_seconds(seconds)));
  }
  if (!good)
    throw Error(fmt::format("{} layers differ from the reference on {}{}", bad,
                            tool.device()->info().name,
                            v.logits.good() ? "" : ", and the logits do"));
}

}  // namespace
}  // namespace ocellus::tools

int main(int argc, char** argv) {
  return ocellus::tools::run(
      {"verify", "MODEL [IMAGE...] [flags]",
       "Runs a model on the device and compares each layer with a naive reference in double "
       "precision on the host that gets the same input, and the logits with a reference from the "
       "first layer on. Random input, unless images are given. Exit code 1 where they differ."},
      argc, argv, ocellus::tools::verify);
}
