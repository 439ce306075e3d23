// AlexNet (Krizhevsky, Sutskever, Hinton: ImageNet classification with deep convolutional neural
// networks, NIPS 2012, fig. 2): five convolutions, three dense layers, local response
// normalization, overlapping pooling.
//
// The paper ran it in two towers on two GPUs: half of the filters of the second, fourth and fifth
// convolution see only the channels of their own tower. towers=2 is that network, with grouped
// convolutions (60,965,224 parameters); towers=1 lets all filters see all channels (62,378,344).
// Images are 227 pixels wide: the paper's 224 do not give its 55 x 55 outputs.
#include "architectures.hpp"

namespace ocellus::architectures {
namespace {

struct AlexNetOptions : ImageClassifier {
  AlexNetOptions() { input_shape = {227, 227, 3}; }
  int towers = 2;
};

class AlexNet : public Architecture {
 public:
  explicit AlexNet(AlexNetOptions options) : o_(std::move(options)) {}

  GraphRecord build() const override {
    Net net("alexnet", o_, 67);
    net.conv(96, 11, {{"strides", 4}, {"activation", "relu"}}, "conv1");
    normalize_and_pool(net, 1);
    conv(net, 256, 5, o_.towers, "conv2");
    normalize_and_pool(net, 2);
    conv(net, 384, 3, 1, "conv3");
    conv(net, 384, 3, o_.towers, "conv4");
    conv(net, 256, 3, o_.towers, "conv5");
    net.max_pool(3, 2, "pool5");
    if (net.has_top()) {
      net.add("Flatten", {}, "flatten");
      for (const char* number : {"6", "7"}) {
        net.add("Dense", {{"units", 4096}, {"activation", "relu"}}, std::string("fc") + number);
        net.add("Dropout", {{"rate", 0.5}}, std::string("drop") + number);
      }
      net.predictions();
    }
    return net.finish();
  }

 private:
  static void conv(Net& net, int filters, int kernel, int groups, const char* name) {
    net.conv(filters, kernel, {{"padding", "same"}, {"groups", groups}, {"activation", "relu"}},
             name);
  }
  // Section 3.3 of the paper: k = 2, n = 5, alpha = 1e-4, beta = 0.75.
  static void normalize_and_pool(Net& net, int number) {
    net.add("LocalResponseNormalization",
            {{"depth_radius", 2}, {"bias", 2}, {"alpha", 1e-4}, {"beta", 0.75}},
            "norm" + std::to_string(number));
    net.max_pool(3, 2, "pool" + std::to_string(number));
  }

  AlexNetOptions o_;
};

}  // namespace

void register_alexnet(Registrar& r) {
  Parameters<AlexNetOptions> p;
  add_common(p);
  p.add("towers", &AlexNetOptions::towers, "2: as in the paper; 1: all filters see all channels")
      .min(1)
      .max(2);
  r.add<AlexNet>("alexnet", "AlexNet: five convolutions, three dense layers", std::move(p));
}

}  // namespace ocellus::architectures
