#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ocellus/core/analyzer.hpp"
#include "ocellus/core/dataset.hpp"
#include "ocellus/core/network.hpp"
#include "tool.hpp"

namespace ocellus::tools {

/// Opens a data set and shows its warnings.
std::shared_ptr<Dataset> open_data(Tool& tool, const std::string& address,
                                   const std::string& split);
/// Whether a word on the command line is the address of a data set ("fashion-mnist", "folder:DIR")
/// and not a file.
bool is_data_address(const Registry& registry, const std::string& word);

/// A network without class names takes those of the data.
void adopt_classes(Network& network, const Dataset& dataset);
/// A network that still has none, though its output looks like classes: those of ImageNet where
/// there are 1000 and the cache has the names. Says what it assumed, or how names are given.
void assume_classes(Tool& tool, Network& network, const std::string& model);

/// An image file brought to the network's input: its channels, and its size by the model's resize
/// rule. u8 (H, W, C).
Array load_image(const Registry& registry, const std::string& file, const Network& network);
/// Items of a data set as images to be explained; `indices` empty: the first `count`.
std::vector<AnalysisImage> take_images(const Dataset& dataset, std::vector<int64_t> indices,
                                       int count);

}  // namespace ocellus::tools
