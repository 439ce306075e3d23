// DenseNet-121 (Huang, Liu, van der Maaten, Weinberger: Densely connected convolutional networks,
// CVPR 2017, table 1): in a block, every layer sees the outputs of all before it. Growth rate 32;
// transitions halve channels and pixels. Layers as in keras.applications of Keras 3; in Keras 2 and
// the published weights, conv1_conv is conv1/conv, so that weights go in by position.
#include <fmt/format.h>

#include "architectures.hpp"

namespace ocellus::architectures {
namespace {

constexpr int growth = 32;

void norm_relu(Net& net, const std::string& prefix) {
  net.add("BatchNormalization", {{"epsilon", 1.001e-5}}, prefix + "bn");
  net.relu(prefix + "relu");
}

class DenseNet121 : public Architecture {
 public:
  explicit DenseNet121(ImageClassifier options) : o_(std::move(options)) {}

  GraphRecord build() const override {
    Net net("densenet121", o_, 32);
    net.pad(3);
    net.bare_conv(64, 7, {{"strides", 2}}, "conv1_conv");
    norm_relu(net, "conv1_");
    net.pad(1);
    net.max_pool(3, 2, "pool1");
    int channels = 64, block = 2;
    for (const int layers : {6, 12, 24, 16}) {
      if (block > 2) transition(net, fmt::format("pool{}_", block - 1), channels /= 2);
      for (int i = 1; i <= layers; ++i) grow(net, fmt::format("conv{}_block{}_", block, i));
      channels += layers * growth;
      ++block;
    }
    net.add("BatchNormalization", {{"epsilon", 1.001e-5}}, "bn");
    net.relu("relu");
    net.average_and_predict();
    return net.finish();
  }

 private:
  static void transition(Net& net, const std::string& prefix, int filters) {
    norm_relu(net, prefix);
    net.bare_conv(filters, 1, {}, prefix + "conv");
    net.add("AveragePooling2D", {{"pool_size", 2}, {"strides", 2}}, prefix + "pool");
  }

  static void grow(Net& net, const std::string& prefix) {
    const TensorRef before = net.x;
    norm_relu(net, prefix + "0_");
    net.bare_conv(4 * growth, 1, {}, prefix + "1_conv");
    norm_relu(net, prefix + "1_");
    net.bare_conv(growth, 3, {{"padding", "same"}}, prefix + "2_conv");
    net.merge("Concatenate", {before, net.x}, prefix + "concat");
  }

  ImageClassifier o_;
};

}  // namespace

void register_densenet(Registrar& r) {
  Parameters<ImageClassifier> p;
  add_common(p);
  r.add<DenseNet121>("densenet121", "DenseNet-121: four densely connected blocks", std::move(p));
}

}  // namespace ocellus::architectures
