// SqueezeNet (Iandola et al.: SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and
// < 0.5 MB model size, arXiv 1602.07360) in its version 1.1, which its authors published: 2.4 times
// less work at the same accuracy. Eight fire modules: a 1x1 convolution to few channels, then 1x1
// and 3x3 side by side.
#include <fmt/format.h>

#include "architectures.hpp"

namespace ocellus::architectures {
namespace {

class SqueezeNet : public Architecture {
 public:
  explicit SqueezeNet(ImageClassifier options) : o_(std::move(options)) {}

  GraphRecord build() const override {
    Net net("squeezenet", o_, 32);
    net.conv(64, 3, {{"strides", 2}, {"activation", "relu"}}, "conv1");
    net.max_pool(3, 2, "pool1");
    int number = 2;
    for (const int squeezed : {16, 16, 32, 32, 48, 48, 64, 64}) {
      fire(net, fmt::format("fire{}_", number), squeezed);
      if (number == 3 || number == 5) net.max_pool(3, 2, fmt::format("pool{}", number));
      ++number;
    }
    if (net.has_top()) {
      net.add("Dropout", {{"rate", 0.5}}, "drop9");
      net.conv(o_.classes, 1, {{"activation", "relu"}}, "conv10");
      net.add("GlobalAveragePooling2D", {}, "pool10");
      net.add("Activation", {{"activation", o_.classifier_activation}}, "predictions");
    }
    return net.finish();
  }

 private:
  static void fire(Net& net, const std::string& prefix, int squeezed) {
    const Json::Object relu = {{"activation", "relu"}};
    net.conv(squeezed, 1, relu, prefix + "squeeze1x1");
    const TensorRef from = net.x;
    net.conv(4 * squeezed, 1, relu, prefix + "expand1x1");
    const TensorRef small = std::exchange(net.x, from);
    net.conv(4 * squeezed, 3, {{"padding", "same"}, {"activation", "relu"}}, prefix + "expand3x3");
    net.merge("Concatenate", {small, net.x}, prefix + "concat");
  }

  ImageClassifier o_;
};

}  // namespace

void register_squeezenet(Registrar& r) {
  Parameters<ImageClassifier> p;
  add_common(p);
  r.add<SqueezeNet>("squeezenet", "SqueezeNet 1.1: eight fire modules, 1.2 million parameters",
                    std::move(p));
}

}  // namespace ocellus::architectures
