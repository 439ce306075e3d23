// feature_maps: what the layers answer to an image, one small picture a channel, and the filters of
// the first convolution.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "analyzers.hpp"

namespace ocellus::analyzers {
namespace {

struct Options {
  std::vector<LayerName> layers;
  int channels = 64;
  bool filters = true;
};

/// Channel c of (H, W, C), from [low, high] to [0, 1].
Array channel(const Array& maps, int c, float low, float high) {
  const int h = maps.shape()[0], w = maps.shape()[1], channels = maps.shape()[2];
  Array out(Shape{h, w, 1}, DType::f32);
  for (int i = 0; i < h * w; ++i)
    out.f32()[i] = high > low
                       ? (maps.f32()[static_cast<size_t>(i) * channels + c] - low) / (high - low)
                       : 0.0f;
  return out;
}

class FeatureMaps final : public Analyzer {
 public:
  explicit FeatureMaps(Options options) : options_(std::move(options)) {}
  AnalyzerNeeds needs() const override { return {.images = true}; }

  Results run(AnalysisContext& context) const override {
    expect_images(context, "feature_maps");
    std::vector<std::string> layers;
    for (const LayerName& l : options_.layers) layers.push_back(l.value);
    if (layers.empty()) layers = convolutions(context.network);
    if (layers.empty())
      throw UsageError(
          "the network has no convolutions; name layers with feature maps by --layers");
    for (const std::string& l : layers) feature_map_shape(context.network, l);

    Results results{"feature_maps", "Feature maps", {}};
    if (options_.filters) add_filters(context.network, results);
    const std::unique_ptr<Execution> run = context.execution({.batch = 1, .fetches = layers});
    int done = 0;
    for (const AnalysisImage& image : context.images) {
      context.check_stop();
      context.load(stacked(std::vector{pixels_of(image)}), run->feed());
      run->forward();
      results.add(ImageGrid{image.name, {image.pixels}, {}, 0, true});
      for (const std::string& l : layers)
        results.add(maps(image.name, l, download(context.queue(), run->fetch(l)).item(0)));
      context.progress.update("feature maps", ++done, static_cast<int64_t>(context.images.size()));
    }
    return results;
  }

 private:
  // All maps of a layer share one scale, so that strong and weak ones can be told apart; a dead one
  // is black.
  ImageGrid maps(const std::string& image, const std::string& layer, const Array& maps) const {
    const int channels = maps.shape()[2], shown = std::min(channels, options_.channels);
    const auto [low, high] = std::minmax_element(maps.f32().begin(), maps.f32().end());
    const float black = std::min(*low, 0.0f);
    ImageGrid grid{
        fmt::format("{}: {}, {} {}x{} maps{}, from {:.3g} (black) to {:.3g} (white)", image, layer,
                    channels, maps.shape()[0], maps.shape()[1],
                    shown < channels ? fmt::format(", the first {}", shown) : "", black, *high),
        {},
        {},
        0,
        true};
    for (int c = 0; c < shown; ++c) {
      grid.images.push_back(channel(maps, c, black, *high));
      grid.captions.push_back(std::to_string(c));
    }
    return grid;
  }

  // Weights about 0 in mid-grey; colour where the filters see colour, else one picture an input
  // channel of each filter.
  void add_filters(const Network& network, Results& results) const {
    const std::vector<std::string> names = convolutions(network);
    if (names.empty()) return;
    for (const WeightsRecord& record : network.read_weights()) {
      if (record.layer != names[0]) continue;
      for (const Array& kernel : record.values) {
        if (kernel.shape().rank() != 4) continue;
        results.add(filters(names[0], kernel));
        return;
      }
    }
  }

  ImageGrid filters(const std::string& layer, const Array& kernel) const {
    const int h = kernel.shape()[0], w = kernel.shape()[1], in = kernel.shape()[2],
              out = kernel.shape()[3];
    float largest = 0;
    for (float v : kernel.f32()) largest = std::max(largest, std::abs(v));
    ImageGrid grid{
        fmt::format("Filters of {}: {} of {}x{}x{}, from {:.3g} (black) to {:.3g} (white)", layer,
                    out, h, w, in, -largest, largest),
        {},
        {},
        0,
        true};
    const int shown = in == 3 ? 3 : 1, parts = in == 3 ? 1 : in;
    for (int o = 0; o < out && static_cast<int>(grid.images.size()) < 4 * options_.channels; ++o)
      for (int part = 0; part < parts; ++part) {
        Array picture(Shape{h, w, shown}, DType::f32);
        for (int p = 0; p < h * w; ++p)
          for (int c = 0; c < shown; ++c) {
            const float v = kernel.f32()[(static_cast<size_t>(p) * in + part + c) * out + o];
            picture.f32()[p * shown + c] = largest > 0 ? 0.5f + 0.5f * v / largest : 0.5f;
          }
        grid.images.push_back(std::move(picture));
        grid.captions.push_back(parts == 1 ? std::to_string(o) : fmt::format("{} of {}", part, o));
      }
    return grid;
  }

  Options options_;
};

}  // namespace

void register_feature_maps(Registrar& r) {
  Parameters<Options> p;
  p.add("layers", &Options::layers, "layers whose maps are shown; none: all convolutions");
  p.add("channels", &Options::channels, "maps of a layer at most").min(1);
  p.add("filters", &Options::filters, "show the filters of the first convolution too");
  r.add<FeatureMaps>(
      "feature_maps",
      "what the layers answer to an image, channel by channel, and the first layer's filters",
      std::move(p));
}

}  // namespace ocellus::analyzers
