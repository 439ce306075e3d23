// receptive_field: how much of the image a unit of each layer can see (Araujo, Norris and Sim,
// Distill 2019), and how much of that it really uses: the mean squared gradient of the centre unit
// by the input (Luo et al., NeurIPS 2016).
#include "ocellus/core/receptive_field.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "analyzers.hpp"

namespace ocellus::analyzers {
namespace {

struct Options {
  std::vector<LayerName> layers;
  bool effective = false;
};

/// The image with all that the field does not cover dimmed.
Array spotlight(const Array& image, const PixelBox& box) {
  Array out = image;
  const int h = image.shape()[0], w = image.shape()[1], channels = image.shape()[2];
  for (int y = 0; y < h; ++y)
    for (int x = 0; x < w; ++x) {
      if (y >= box.top && y < box.bottom && x >= box.left && x < box.right) continue;
      for (int c = 0; c < channels; ++c) {
        uint8_t& v = out.u8()[(static_cast<size_t>(y) * w + x) * channels + c];
        v = static_cast<uint8_t>(v / 4 + 16);
      }
    }
  return out;
}

/// What is shown where no image was given: a chequered ground.
Array chequers(const Shape& shape) {
  Array out(shape, DType::u8);
  const int w = shape[1], channels = shape[2], cell = std::max(1, std::max(shape[0], w) / 14);
  for (int i = 0; i < static_cast<int>(out.u8().size()); ++i) {
    const int pixel = i / channels;
    out.u8()[i] = (pixel / w / cell + pixel % w / cell) % 2 ? 190 : 235;
  }
  return out;
}

class ReceptiveFieldAnalyzer final : public Analyzer {
 public:
  explicit ReceptiveFieldAnalyzer(Options options) : options_(std::move(options)) {}
  AnalyzerNeeds needs() const override { return {}; }

  Results run(AnalysisContext& context) const override {
    const Network& network = context.network;
    image_size(context);
    const std::vector<ReceptiveField> fields = receptive_fields(network);
    Results results{"receptive_field", "Receptive fields", {}};
    results.add(
        Note{"Output pixel (y, x) of a layer depends on `size` input pixels an axis, which begin "
             "at start + jump * (y, x); a negative start "
             "lies in the padding."});
    results.add(table(network, fields));
    const Shape input = network.shape(network.inputs()[0]).without_batch();
    const Array image = context.images.empty() ? chequers(input) : context.images[0].pixels;
    const std::vector<std::string> layers = shown(network, fields);
    ImageGrid grid{"What the centre unit of each layer sees", {}, {}, 0, true};
    for (const std::string& layer : layers) {
      const Shape map = feature_map_shape(network, layer);
      const PixelBox box =
          clipped(fields[network.tensor(layer).node], map[0] / 2, map[1] / 2, input[0], input[1]);
      grid.images.push_back(spotlight(image, box));
      grid.captions.push_back(
          fmt::format("{}\n{}x{} pixels", layer, box.bottom - box.top, box.right - box.left));
    }
    if (!grid.images.empty()) results.add(grid);
    if (options_.effective)
      for (const std::string& layer : layers) results.add(effective(context, layer, image));
    return results;
  }

 private:
  static Table table(const Network& network, const std::vector<ReceptiveField>& fields) {
    Table t{"Layers", {"layer", "output", "size", "jump", "start"}, {}};
    const auto both = [](double h, double w) {
      return h == w ? fmt::format("{:g}", h) : fmt::format("{:g}x{:g}", h, w);
    };
    for (size_t i = 0; i < fields.size(); ++i) {
      const NetworkNode& node = network.nodes()[i];
      if (node.name.ends_with("/linear")) continue;  // its activation sees the same
      const std::string output = size_text(node.outputs[0].without_batch());
      const ReceptiveField& f = fields[i];
      if (f.global)
        t.rows.push_back({node.name, output, "everything", "", ""});
      else
        t.rows.push_back({node.name, output, both(f.h.size, f.w.size), both(f.h.jump, f.w.jump),
                          both(f.h.start, f.w.start)});
    }
    return t;
  }

  // The layers asked for, else each one that sees more than the one before.
  std::vector<std::string> shown(const Network& network,
                                 const std::vector<ReceptiveField>& fields) const {
    std::vector<std::string> layers;
    if (!options_.layers.empty()) {
      for (const LayerName& l : options_.layers) {
        feature_map_shape(network, l.value);
        layers.push_back(l.value);
      }
      return layers;
    }
    double before = 1;
    for (size_t i = 0; i < fields.size(); ++i) {
      const double area = fields[i].h.size * fields[i].w.size;
      if (fields[i].global || network.nodes()[i].outputs[0].rank() != 4 || area <= before) continue;
      before = area;
      // "conv1/linear" is what goes into an activation; people know the layer by its output, which
      // sees the same.
      const std::string& name = network.nodes()[i].name;
      layers.push_back(name.ends_with("/linear") ? name.substr(0, name.rfind('/')) : name);
    }
    return layers;
  }

  // Mean over the images, or over the one shown, of the squared gradient of the centre unit's sum
  // over channels.
  Attribution effective(AnalysisContext& context, const std::string& layer,
                        const Array& image) const {
    const std::string input = context.network.tensor_name(context.network.inputs()[0]);
    Execution run(context.network,
                  {.batch = 1, .fetches = {layer}, .gradients = {input}, .seeds = {layer}});
    const Shape map = run.fetch().shape;
    Array seed(map, DType::f32);
    const size_t centre = static_cast<size_t>(map[1] / 2) * map[2] + map[2] / 2;
    std::fill_n(seed.f32().begin() + static_cast<std::ptrdiff_t>(centre) * map[3], map[3], 1.0f);
    upload(context.queue(), seed, run.seed());
    std::vector<Array> inputs;
    for (const AnalysisImage& i : context.images) inputs.push_back(pixels_of(i));
    if (inputs.empty()) inputs.push_back(image.to_f32());
    Attribution a;
    a.map = Array(image.shape(), DType::f32);
    for (const Array& pixels : inputs) {
      context.check_stop();
      context.load(stacked(std::span(&pixels, 1)), run.feed());
      run.forward();
      run.backward();
      const Array gradient = download(context.queue(), run.gradient());
      for (size_t i = 0; i < gradient.f32().size(); ++i)
        a.map.f32()[i] += gradient.f32()[i] * gradient.f32()[i] / static_cast<float>(inputs.size());
    }
    a.title = fmt::format("Effective receptive field of {}", layer);
    a.input = image;
    a.method = "mean squared gradient";
    a.target = fmt::format("{}, centre unit, all channels", layer);
    a.units = "squared gradient";
    a.is_signed = false;
    return a;
  }

  Options options_;
};

}  // namespace

void register_receptive_field(Registrar& r) {
  Parameters<Options> p;
  p.add("layers", &Options::layers,
        "layers that are pictured; none: each one that sees more than the one before");
  p.add("effective", &Options::effective,
        "measure by gradients which part of the field is really used");
  r.add<ReceptiveFieldAnalyzer>("receptive_field",
                                "how much of the image a unit of each layer sees", std::move(p));
}

}  // namespace ocellus::analyzers
