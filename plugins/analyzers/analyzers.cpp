#include "analyzers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "ocellus/core/plugin.hpp"

namespace ocellus::analyzers {

Array stacked(std::span<const Array> items) {
  if (items.empty()) throw Error("there is nothing to stack");
  Array all(items[0].shape().batched(static_cast<int>(items.size())), items[0].type());
  std::byte* to = all.bytes().data();
  for (const Array& item : items) {
    if (item.shape() != items[0].shape() || item.type() != items[0].type())
      throw ShapeError(fmt::format("images of shapes {} and {} cannot be analysed together",
                                   items[0].shape().str(), item.shape().str()));
    std::memcpy(to, item.bytes().data(), item.bytes().size());
    to += item.bytes().size();
  }
  return all;
}

Array pixels_of(const AnalysisImage& image) { return image.pixels.to_f32(); }

Array pixels_of(std::span<const AnalysisImage> images) {
  std::vector<Array> all;
  for (const AnalysisImage& i : images) all.push_back(pixels_of(i));
  return stacked(all);
}

void expect_images(const AnalysisContext& context, const std::string& name) {
  if (context.images.empty())
    throw UsageError(
        fmt::format("{} needs an image: give a file, or a data set to take one from", name));
}

Size image_size(const AnalysisContext& context) {
  const Shape& shape = context.network.shape(context.network.inputs().at(0));
  if (shape.rank() != 4)
    throw UsageError(fmt::format("the network takes {}, not images (N, H, W, C)", shape.str()));
  return {shape[1], shape[2]};
}

std::vector<std::string> convolutions(const Network& network) {
  std::vector<std::string> names;
  for (const NetworkLayer& layer : network.layers()) {
    if (layer.record < 0) continue;
    for (const ParameterSpec& p : layer.plan.parameters)
      if (p.role == Role::kernel && p.shape.rank() == 4) {
        names.push_back(layer.name);
        break;
      }
  }
  return names;
}

Shape feature_map_shape(const Network& network, const std::string& tensor) {
  const Shape& shape = network.shape(network.tensor(tensor));
  if (shape.rank() != 4)
    throw UsageError(
        fmt::format("layer '{}' gives {}, not feature maps (N, H, W, C)", tensor, shape.str()));
  return shape.without_batch();
}

std::string before_logits(const AnalysisContext& context) {
  const NetworkNode& node = context.network.nodes()[context.network.tensor(context.logits()).node];
  if (node.inputs.empty()) throw UsageError("the network has no layer before its logits");
  return context.network.tensor_name(node.inputs[0]);
}

std::string size_text(const Shape& shape) {
  std::string text;
  for (int extent : shape.extents()) text += (text.empty() ? "" : "x") + std::to_string(extent);
  return text;
}

namespace {

void register_types(Registrar& r) {
  register_activation_maximization(r);
  register_confusion(r);
  register_feature_maps(r);
  register_occlusion(r);
  register_receptive_field(r);
  register_tsne(r);
}

}  // namespace
}  // namespace ocellus::analyzers

OCELLUS_PLUGIN("analyzers", "Analyzers", OCELLUS_VERSION, "Apache-2.0",
               ocellus::analyzers::register_types)
