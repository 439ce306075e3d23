// Residual networks (He, Zhang, Ren, Sun: Deep residual learning for image recognition, CVPR 2016,
// table 1).
//
// resnet50 has the layers of keras.applications: the stride of a block lies in its first 1x1
// convolution, as in the paper, and convolutions have a bias. keras.applications has no resnet18
// and resnet34: theirs are the paper's basic blocks, named in the same way, padded symmetrically
// and without bias, so that weights trained elsewhere can be brought in. stem=3x3 is the usual form
// for images of 32 pixels: one 3x3 convolution with stride 1, no pooling.
#include <fmt/format.h>

#include "architectures.hpp"

namespace ocellus::architectures {
namespace {

struct BasicOptions : ImageClassifier {
  std::string stem = "7x7";
};

struct Stack {
  int filters, blocks;
};

void norm(Net& net, const std::string& name, double epsilon, double momentum) {
  net.add("BatchNormalization", {{"epsilon", epsilon}, {"momentum", momentum}}, name);
}

class ResNet50 : public Architecture {
 public:
  explicit ResNet50(ImageClassifier options) : o_(std::move(options)) {}

  GraphRecord build() const override {
    Net net("resnet50", o_, 32);
    net.pad(3, "conv1_pad");
    net.conv(64, 7, {{"strides", 2}}, "conv1_conv");
    norm(net, "conv1_bn");
    net.relu("conv1_relu");
    net.pad(1, "pool1_pad");
    net.max_pool(3, 2, "pool1_pool");
    int stack = 2;
    for (const Stack s : {Stack{64, 3}, {128, 4}, {256, 6}, {512, 3}}) {
      for (int i = 1; i <= s.blocks; ++i)
        block(net, fmt::format("conv{}_block{}_", stack, i), s.filters, i == 1 && stack > 2 ? 2 : 1,
              i == 1);
      ++stack;
    }
    net.average_and_predict();
    return net.finish();
  }

 private:
  static void norm(Net& net, const std::string& name) {
    architectures::norm(net, name, 1.001e-5, 0.99);
  }

  // 1x1, 3x3, 1x1 with four times as many filters; `widens`: a 1x1 convolution in the shortcut.
  static void block(Net& net, const std::string& prefix, int filters, int stride, bool widens) {
    const TensorRef input = net.x;
    if (widens) {
      net.conv(4 * filters, 1, {{"strides", stride}}, prefix + "0_conv");
      norm(net, prefix + "0_bn");
    }
    const TensorRef shortcut = std::exchange(net.x, input);
    net.conv(filters, 1, {{"strides", stride}}, prefix + "1_conv");
    norm(net, prefix + "1_bn");
    net.relu(prefix + "1_relu");
    net.conv(filters, 3, {{"padding", "same"}}, prefix + "2_conv");
    norm(net, prefix + "2_bn");
    net.relu(prefix + "2_relu");
    net.conv(4 * filters, 1, {}, prefix + "3_conv");
    norm(net, prefix + "3_bn");
    net.merge("Add", {shortcut, net.x}, prefix + "add");
    net.relu(prefix + "out");
  }

  ImageClassifier o_;
};

// `depth`: 18 or 34.
template <int depth>
class BasicResNet : public Architecture {
 public:
  explicit BasicResNet(BasicOptions options) : o_(std::move(options)) {}

  GraphRecord build() const override {
    const bool small = o_.stem == "3x3";
    Net net(depth == 18 ? "resnet18" : "resnet34", o_, small ? 8 : 32);
    padded_conv(net, 64, small ? 3 : 7, small ? 1 : 2, "conv1_");
    norm(net, "conv1_bn");
    net.relu("conv1_relu");
    if (!small) {
      net.pad(1, "pool1_pad");
      net.max_pool(3, 2, "pool1_pool");
    }
    constexpr bool deep = depth == 34;
    int stack = 2;
    for (const Stack s :
         {Stack{64, deep ? 3 : 2}, {128, deep ? 4 : 2}, {256, deep ? 6 : 2}, {512, deep ? 3 : 2}}) {
      for (int i = 1; i <= s.blocks; ++i)
        block(net, fmt::format("conv{}_block{}_", stack, i), s.filters,
              i == 1 && stack > 2 ? 2 : 1);
      ++stack;
    }
    net.average_and_predict();
    return net.finish();
  }

 private:
  static void norm(Net& net, const std::string& name) { architectures::norm(net, name, 1e-5, 0.9); }
  // "Same" padding would lie on the right and at the bottom only, where the stride is 2.
  static void padded_conv(Net& net, int filters, int kernel, int stride,
                          const std::string& prefix) {
    net.pad(kernel / 2, prefix + "pad");
    net.bare_conv(filters, kernel, {{"strides", stride}}, prefix + "conv");
  }

  // Two 3x3 convolutions; where the stride is 2, a 1x1 convolution in the shortcut (option B).
  static void block(Net& net, const std::string& prefix, int filters, int stride) {
    const TensorRef input = net.x;
    if (stride > 1) {
      net.bare_conv(filters, 1, {{"strides", stride}}, prefix + "0_conv");
      norm(net, prefix + "0_bn");
    }
    const TensorRef shortcut = std::exchange(net.x, input);
    padded_conv(net, filters, 3, stride, prefix + "1_");
    norm(net, prefix + "1_bn");
    net.relu(prefix + "1_relu");
    padded_conv(net, filters, 3, 1, prefix + "2_");
    norm(net, prefix + "2_bn");
    net.merge("Add", {shortcut, net.x}, prefix + "add");
    net.relu(prefix + "out");
  }

  BasicOptions o_;
};

}  // namespace

void register_resnet(Registrar& r) {
  Parameters<BasicOptions> basic;
  add_common(basic);
  basic.add("stem", &BasicOptions::stem, "first convolution; 3x3: for images of 32 pixels")
      .one_of({"7x7", "3x3"});
  r.add<BasicResNet<18>>("resnet18", "ResNet-18: eight residual blocks of two 3x3 convolutions",
                         basic);
  r.add<BasicResNet<34>>("resnet34", "ResNet-34: sixteen residual blocks of two 3x3 convolutions",
                         basic);
  Parameters<ImageClassifier> p;
  add_common(p);
  r.add<ResNet50>("resnet50", "ResNet-50: sixteen residual blocks of 1x1, 3x3, 1x1 convolutions",
                  std::move(p));
}

}  // namespace ocellus::architectures
