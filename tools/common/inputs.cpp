#include "inputs.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <numeric>

#include "ocellus/core/error.hpp"
#include "ocellus/core/image.hpp"
#include "ocellus/core/published.hpp"
#include "ocellus/core/text.hpp"

namespace ocellus::tools {
namespace fs = std::filesystem;

std::shared_ptr<Dataset> open_data(Tool& tool, const std::string& address,
                                   const std::string& split) {
  const auto dataset = open_dataset(tool.registry(), address, split);
  for (const std::string& w : dataset->warnings()) tool.terminal.warning(w);
  return dataset;
}

bool is_data_address(const Registry& registry, const std::string& word) {
  return !fs::is_regular_file(word) &&
         registry.find(Kind::dataset, word.substr(0, word.find_first_of(":?")));
}

void adopt_classes(Network& network, const Dataset& dataset) {
  if (network.classes.empty()) network.classes = dataset.classes();
}

void assume_classes(Tool& tool, Network& network, const std::string& model) {
  if (!network.classes.empty() || network.outputs().size() != 1) return;
  const Shape& output = network.shape(network.outputs()[0]);
  if (output.rank() != 2 || output.channels() == 1) return;
  constexpr int imagenet = 1000;
  if (output.channels() == imagenet) network.classes = imagenet_classes();
  if (!network.classes.empty())
    return tool.terminal.info(fmt::format(
        "class names: ImageNet's (assumed, the model names none of its {} classes)", imagenet));
  if (!fs::is_regular_file(model)) return;  // no file that could store them
  tool.terminal.info(fmt::format(
      "class names: none in the model, so classes are numbers; 'ocellus set {} --classes FILE' "
      "stores them{}",
      model,
      output.channels() == imagenet
          ? "; ImageNet's are taken from the cache, 'ocellus fetch imagenet-classes' brings them"
          : ""));
}

Array load_image(const Registry& registry, const std::string& file, const Network& network) {
  if (!fs::exists(file) && file.find(':') != std::string::npos) {
    std::vector<std::string> schemes;
    for (const TypeInfo* t : registry.all(Kind::dataset)) schemes.push_back(t->name);
    throw UsageError(fmt::format("'{}' is neither an image nor the address of a data set{}", file,
                                 suggestion(file.substr(0, file.find(':')), schemes)));
  }
  if (fs::is_directory(file))
    throw UsageError(fmt::format("{0}: is a folder; its images are named folder:{0}", file));
  const Shape& input = network.shape(network.inputs().at(0));
  if (input.rank() != 4)
    throw UsageError(fmt::format("the network takes {}, not images", input.str()));
  const Fit how = fit_of(network.preprocessing ? network.preprocessing->resize : "stretch");
  return fit(with_channels(read_image(file), input.channels()), input[1], input[2], how);
}

std::vector<AnalysisImage> take_images(const Dataset& dataset, std::vector<int64_t> indices,
                                       int count) {
  if (indices.empty()) {
    indices.resize(static_cast<size_t>(std::min<int64_t>(count, dataset.size())));
    std::iota(indices.begin(), indices.end(), int64_t{0});
  }
  for (const int64_t i : indices)
    if (i < 0 || i >= dataset.size())
      throw UsageError(fmt::format("there is no item {}: the data have {} items, 0 to {}", i,
                                   dataset.size(), dataset.size() - 1));
  Samples samples;
  dataset.read(indices, samples);
  std::vector<AnalysisImage> images;
  for (size_t i = 0; i < indices.size(); ++i) {
    AnalysisImage image{dataset.describe(indices[i]), samples.images.item(static_cast<int>(i)), {}};
    if (!samples.targets.empty() && samples.targets.type() == DType::i32)
      image.label = samples.targets.i32()[i];
    images.push_back(std::move(image));
  }
  return images;
}

}  // namespace ocellus::tools
