// MobileNetV2 (Sandler, Howard, Zhu, Zhmoginov, Chen: MobileNetV2: inverted residuals and linear
// bottlenecks, CVPR 2018, table 2): seventeen blocks that expand by 1x1, filter each channel by
// 3x3, and project back without activation. Layers as in keras.applications.
#include <fmt/format.h>

#include "architectures.hpp"

namespace ocellus::architectures {
namespace {

struct MobileNetV2Options : ImageClassifier {
  double alpha = 1;
};

struct Stage {
  int expansion, filters, blocks, stride;
};

void norm(Net& net, const std::string& name) {
  net.add("BatchNormalization", {{"epsilon", 1e-3}, {"momentum", 0.999}}, name);
}
void relu6(Net& net, const std::string& name) { net.add("ReLU", {{"max_value", 6}}, name); }

class MobileNetV2 : public Architecture {
 public:
  explicit MobileNetV2(MobileNetV2Options options) : o_(std::move(options)) {}

  GraphRecord build() const override {
    Net net("mobilenet_v2", o_, 32);
    Size size = halved({o_.input_shape[0], o_.input_shape[1]});
    int channels = multiple_of_8(32 * o_.alpha), number = 0;
    net.bare_conv(channels, 3, {{"strides", 2}, {"padding", "same"}}, "Conv1");
    norm(net, "bn_Conv1");
    relu6(net, "Conv1_relu");
    for (const Stage s : {Stage{1, 16, 1, 1},
                          {6, 24, 2, 2},
                          {6, 32, 3, 2},
                          {6, 64, 4, 2},
                          {6, 96, 3, 1},
                          {6, 160, 3, 2},
                          {6, 320, 1, 1}})
      for (int i = 0; i < s.blocks; ++i) {
        const int filters = multiple_of_8(static_cast<int>(s.filters * o_.alpha));
        block(net, number++, channels, s.expansion, filters, i == 0 ? s.stride : 1, size);
        channels = filters;
      }
    net.bare_conv(o_.alpha > 1 ? multiple_of_8(1280 * o_.alpha) : 1280, 1, {}, "Conv_1");
    norm(net, "Conv_1_bn");
    relu6(net, "out_relu");
    net.average_and_predict({});
    return net.finish();
  }

 private:
  // `size`: height and width, halved where the stride is 2.
  static void block(Net& net, int number, int channels, int expansion, int filters, int stride,
                    Size& size) {
    const std::string prefix = number ? fmt::format("block_{}_", number) : "expanded_conv_";
    const TensorRef input = net.x;
    if (number) {
      net.bare_conv(expansion * channels, 1, {{"padding", "same"}}, prefix + "expand");
      norm(net, prefix + "expand_BN");
      relu6(net, prefix + "expand_relu");
    }
    if (stride == 2) {
      net.add("ZeroPadding2D", {{"padding", padding_to_halve(size, 3)}}, prefix + "pad");
      size = halved(size);
    }
    net.add("DepthwiseConv2D",
            {{"kernel_size", 3},
             {"strides", stride},
             {"padding", stride == 2 ? "valid" : "same"},
             {"use_bias", false}},
            prefix + "depthwise");
    norm(net, prefix + "depthwise_BN");
    relu6(net, prefix + "depthwise_relu");
    net.bare_conv(filters, 1, {{"padding", "same"}}, prefix + "project");
    norm(net, prefix + "project_BN");
    if (channels == filters && stride == 1) net.merge("Add", {input, net.x}, prefix + "add");
  }

  MobileNetV2Options o_;
};

}  // namespace

void register_mobilenet_v2(Registrar& r) {
  Parameters<MobileNetV2Options> p;
  add_common(p);
  p.add("alpha", &MobileNetV2Options::alpha, "width: factor of all numbers of channels").min(0.01);
  r.add<MobileNetV2>("mobilenet_v2", "MobileNetV2: seventeen inverted residual blocks",
                     std::move(p));
}

}  // namespace ocellus::architectures
