// MobileNet (Howard et al.: MobileNets: efficient convolutional neural networks for mobile vision
// applications, arXiv 1704.04861, table 1): thirteen depthwise-separable convolutions; `alpha`
// scales the number of channels. Layers as in keras.applications.
#include <fmt/format.h>

#include "architectures.hpp"

namespace ocellus::architectures {
namespace {

struct MobileNetOptions : ImageClassifier {
  double alpha = 1, dropout = 0.001;
};

void norm_relu6(Net& net, const std::string& name) {
  net.add("BatchNormalization", {}, name + "_bn");
  net.add("ReLU", {{"max_value", 6}}, name + "_relu");
}

class MobileNet : public Architecture {
 public:
  explicit MobileNet(MobileNetOptions options) : o_(std::move(options)) {}

  GraphRecord build() const override {
    Net net("mobilenet", o_, 32);
    net.bare_conv(channels(32), 3, {{"strides", 2}, {"padding", "same"}}, "conv1");
    norm_relu6(net, "conv1");
    int i = 1, before = 64;
    for (const int filters : {64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024}) {
      separable(net, i++, channels(filters), filters > before);
      before = filters;
    }
    if (net.has_top()) classifier(net);
    return net.finish();
  }

 private:
  int channels(int filters) const { return std::max(1, static_cast<int>(filters * o_.alpha)); }

  static void separable(Net& net, int number, int filters, bool halves) {
    if (halves)
      net.add("ZeroPadding2D", {{"padding", Json::parse("[[0, 1], [0, 1]]", "padding")}},
              fmt::format("conv_pad_{}", number));
    net.add("DepthwiseConv2D",
            {{"kernel_size", 3},
             {"strides", halves ? 2 : 1},
             {"padding", halves ? "valid" : "same"},
             {"use_bias", false}},
            fmt::format("conv_dw_{}", number));
    norm_relu6(net, fmt::format("conv_dw_{}", number));
    net.bare_conv(filters, 1, {{"padding", "same"}}, fmt::format("conv_pw_{}", number));
    norm_relu6(net, fmt::format("conv_pw_{}", number));
  }

  // A 1x1 convolution where others have a dense layer.
  void classifier(Net& net) const {
    net.add("GlobalAveragePooling2D", {{"keepdims", true}});
    net.add("Dropout", {{"rate", o_.dropout}}, "dropout");
    net.conv(o_.classes, 1, {{"padding", "same"}}, "conv_preds");
    net.add("Reshape", {{"target_shape", Json::list_of(std::vector{o_.classes})}}, "reshape_2");
    net.add("Activation", {{"activation", o_.classifier_activation}}, "predictions");
  }

  MobileNetOptions o_;
};

}  // namespace

void register_mobilenet(Registrar& r) {
  Parameters<MobileNetOptions> p;
  add_common(p);
  p.add("alpha", &MobileNetOptions::alpha, "width: factor of all numbers of channels").min(0.01);
  p.add("dropout", &MobileNetOptions::dropout, "rate before the classifier").min(0).max(0.9);
  r.add<MobileNet>("mobilenet", "MobileNet: thirteen depthwise-separable convolutions",
                   std::move(p));
}

}  // namespace ocellus::architectures
