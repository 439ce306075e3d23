// EfficientNet-B0 (Tan, Le: EfficientNet: rethinking model scaling for convolutional neural
// networks, ICML 2019, table 1): sixteen inverted residual blocks with squeeze-and-excitation (Hu,
// Shen, Sun, CVPR 2018) and swish. Layers as in keras.applications, which brings pixels of 0 to 255
// to the network's range inside the model.
//
// The published weights were trained with (x - mean) / variance where Normalization computes (x -
// mean) / deviation; keras.applications adds a Rescaling by 1 / sqrt(deviation) when it loads them,
// and only then. It has no weights, so that a file does not tell: `published_rescaling` does.
#include <fmt/format.h>

#include <cmath>

#include "architectures.hpp"

namespace ocellus::architectures {
namespace {

struct EfficientNetOptions : ImageClassifier {
  bool published_rescaling = true;
  double dropout = 0.2, drop_connect = 0.2;
};

struct Stage {
  int kernel, blocks, filters, expansion, stride;
};

void norm_swish(Net& net, const std::string& prefix) {
  net.add("BatchNormalization", {}, prefix + "bn");
  net.add("Activation", {{"activation", "swish"}}, prefix + "activation");
}

class EfficientNetB0 : public Architecture {
 public:
  explicit EfficientNetB0(EfficientNetOptions options) : o_(std::move(options)) {}

  GraphRecord build() const override {
    Net net("efficientnet_b0", o_, 32);
    Size size{o_.input_shape[0], o_.input_shape[1]};
    net.add("Rescaling", {{"scale", 1.0 / 255.0}});
    net.add("Normalization");
    if (o_.published_rescaling) net.add("Rescaling", {{"scale", published_scale()}});
    net.add("ZeroPadding2D", {{"padding", padding_to_halve(size, 3)}}, "stem_conv_pad");
    net.bare_conv(32, 3, {{"strides", 2}}, "stem_conv");
    norm_swish(net, "stem_");
    size = halved(size);
    int channels = 32, stage = 1, number = 0;
    for (const Stage s : {Stage{3, 1, 16, 1, 1},
                          {3, 2, 24, 6, 2},
                          {5, 2, 40, 6, 2},
                          {3, 3, 80, 6, 2},
                          {5, 3, 112, 6, 1},
                          {5, 4, 192, 6, 2},
                          {3, 1, 320, 6, 1}}) {
      for (int i = 0; i < s.blocks; ++i) {
        const std::string prefix = fmt::format("block{}{}_", stage, static_cast<char>('a' + i));
        block(net, prefix, channels, s, i == 0 ? s.stride : 1, o_.drop_connect * number++ / 16,
              size);
        channels = s.filters;
      }
      ++stage;
    }
    net.bare_conv(1280, 1, {{"padding", "same"}}, "top_conv");
    norm_swish(net, "top_");
    net.average_and_predict("avg_pool", o_.dropout, "top_dropout");
    return net.finish();
  }

 private:
  // Of red, green and blue; other images have no published weights.
  Json published_scale() const {
    if (o_.input_shape[2] != 3)
      throw UsageError(
          "efficientnet_b0: published_rescaling is for three channels; set it to false");
    std::vector<double> scale;
    for (const double deviation : {0.229, 0.224, 0.225}) scale.push_back(1 / std::sqrt(deviation));
    return Json::list_of(scale);
  }

  // `size`: height and width, halved where the stride is 2.
  static void block(Net& net, const std::string& prefix, int channels, const Stage& s, int stride,
                    double drop_rate, Size& size) {
    const TensorRef input = net.x;
    const int wide = channels * s.expansion;
    if (s.expansion != 1) {
      net.bare_conv(wide, 1, {{"padding", "same"}}, prefix + "expand_conv");
      norm_swish(net, prefix + "expand_");
    }
    if (stride == 2) {
      net.add("ZeroPadding2D", {{"padding", padding_to_halve(size, s.kernel)}},
              prefix + "dwconv_pad");
      size = halved(size);
    }
    net.add("DepthwiseConv2D",
            {{"kernel_size", s.kernel},
             {"strides", stride},
             {"padding", stride == 2 ? "valid" : "same"},
             {"use_bias", false}},
            prefix + "dwconv");
    norm_swish(net, prefix);
    excite(net, prefix, wide, std::max(1, channels / 4));
    net.bare_conv(s.filters, 1, {{"padding", "same"}}, prefix + "project_conv");
    net.add("BatchNormalization", {}, prefix + "project_bn");
    if (stride != 1 || channels != s.filters) return;
    // Drops the whole branch of an image (Huang et al.: Deep networks with stochastic depth, 2016).
    if (drop_rate > 0)
      net.add("Dropout",
              {{"rate", drop_rate}, {"noise_shape", Json::parse("[null, 1, 1, 1]", "noise_shape")}},
              prefix + "drop");
    net.merge("Add", {net.x, input}, prefix + "add");
  }

  // Squeeze-and-excitation: each channel times a weight in 0..1 that its mean and those of the
  // others decide.
  static void excite(Net& net, const std::string& prefix, int channels, int squeezed) {
    const TensorRef image = net.x;
    net.add("GlobalAveragePooling2D", {}, prefix + "se_squeeze");
    net.add("Reshape", {{"target_shape", Json::list_of(std::vector{1, 1, channels})}},
            prefix + "se_reshape");
    net.conv(squeezed, 1, {{"padding", "same"}, {"activation", "swish"}}, prefix + "se_reduce");
    net.conv(channels, 1, {{"padding", "same"}, {"activation", "sigmoid"}}, prefix + "se_expand");
    net.merge("Multiply", {image, net.x}, prefix + "se_excite");
  }

  EfficientNetOptions o_;
};

}  // namespace

void register_efficientnet(Registrar& r) {
  Parameters<EfficientNetOptions> p;
  add_common(p);
  p.add("published_rescaling", &EfficientNetOptions::published_rescaling,
        "the scaling that the published weights need and keras.applications adds with them only");
  p.add("dropout", &EfficientNetOptions::dropout, "rate before the classifier").min(0).max(0.9);
  p.add("drop_connect", &EfficientNetOptions::drop_connect,
        "rate at which the last block's branch is dropped in training")
      .min(0)
      .max(0.9);
  r.add<EfficientNetB0>("efficientnet_b0",
                        "EfficientNet-B0: inverted residual blocks with squeeze-and-excitation",
                        std::move(p));
}

}  // namespace ocellus::architectures
