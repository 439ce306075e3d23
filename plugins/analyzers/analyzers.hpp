#pragma once

#include <span>
#include <string>
#include <vector>

#include "ocellus/core/analyzer.hpp"

namespace ocellus::analyzers {

void register_activation_maximization(Registrar& r);
void register_confusion(Registrar& r);
void register_feature_maps(Registrar& r);
void register_occlusion(Registrar& r);
void register_receptive_field(Registrar& r);
void register_tsne(Registrar& r);

// What several analyzers need.

/// Arrays of one shape (...) as one (N, ...).
Array stacked(std::span<const Array> items);
/// Pixels 0..255 as f32, to be changed.
Array pixels_of(const AnalysisImage& image);
/// The images' pixels as (N, H, W, C).
Array pixels_of(std::span<const AnalysisImage> images);
/// Throws UsageError "NAME needs an image" when there are none.
void expect_images(const AnalysisContext& context, const std::string& name);
/// Height and width of the network's first input; throws UsageError when it takes no images.
Size image_size(const AnalysisContext& context);
/// Names of the activated outputs of all layers with a convolution kernel, in order.
std::vector<std::string> convolutions(const Network& network);
/// Shape (H, W, C) of a layer's output; throws UsageError when it is no feature map, naming the
/// layer.
Shape feature_map_shape(const Network& network, const std::string& tensor);
/// The tensor from which the logits are computed.
std::string before_logits(const AnalysisContext& context);
/// "28x28x1"
std::string size_text(const Shape& shape);

}  // namespace ocellus::analyzers
