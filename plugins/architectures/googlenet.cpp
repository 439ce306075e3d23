// GoogLeNet, or Inception v1 (Szegedy et al.: Going deeper with convolutions, CVPR 2015, table 1):
// nine inception modules of four branches. The two auxiliary classifiers, which only helped
// training, are left out. Local response normalization and padding are those of the published
// Caffe model.
#include <fmt/format.h>

#include "architectures.hpp"

namespace ocellus::architectures {
namespace {

// Filters of a module: 1x1; 3x3 and the 1x1 before it; 5x5 and the 1x1 before it; 1x1 behind the
// pooling.
struct Module {
  const char* name;
  int one, reduce3, three, reduce5, five, pool;
};

class GoogLeNet : public Architecture {
 public:
  explicit GoogLeNet(ImageClassifier options) : o_(std::move(options)) {}

  GraphRecord build() const override {
    Net net("googlenet", o_, 32);
    net.pad(3, "conv1_pad");
    net.conv(64, 7, {{"strides", 2}, {"activation", "relu"}}, "conv1_7x7_s2");
    net.max_pool(3, 2, "pool1_3x3_s2", "same");
    normalize(net, "pool1_norm1");
    conv(net, 64, 1, "conv2_3x3_reduce");
    conv(net, 192, 3, "conv2_3x3");
    normalize(net, "conv2_norm2");
    net.max_pool(3, 2, "pool2_3x3_s2", "same");
    module(net, {"3a", 64, 96, 128, 16, 32, 32});
    module(net, {"3b", 128, 128, 192, 32, 96, 64});
    net.max_pool(3, 2, "pool3_3x3_s2", "same");
    module(net, {"4a", 192, 96, 208, 16, 48, 64});
    module(net, {"4b", 160, 112, 224, 24, 64, 64});
    module(net, {"4c", 128, 128, 256, 24, 64, 64});
    module(net, {"4d", 112, 144, 288, 32, 64, 64});
    module(net, {"4e", 256, 160, 320, 32, 128, 128});
    net.max_pool(3, 2, "pool4_3x3_s2", "same");
    module(net, {"5a", 256, 160, 320, 32, 128, 128});
    module(net, {"5b", 384, 192, 384, 48, 128, 128});
    net.average_and_predict("pool5", 0.4, "pool5_drop");
    return net.finish();
  }

 private:
  static void conv(Net& net, int filters, int kernel, const std::string& name) {
    net.conv(filters, kernel, {{"padding", "same"}, {"activation", "relu"}}, name);
  }
  // Caffe divides alpha = 1e-4 by the five channels that it sums.
  static void normalize(Net& net, const std::string& name) {
    net.add("LocalResponseNormalization",
            {{"depth_radius", 2}, {"bias", 1}, {"alpha", 1e-4 / 5}, {"beta", 0.75}}, name);
  }

  static void module(Net& net, const Module& m) {
    const std::string prefix = fmt::format("inception_{}_", m.name);
    const TensorRef from = net.x;
    std::vector<TensorRef> ends;
    const auto end_branch = [&] { ends.push_back(std::exchange(net.x, from)); };
    conv(net, m.one, 1, prefix + "1x1");
    end_branch();
    conv(net, m.reduce3, 1, prefix + "3x3_reduce");
    conv(net, m.three, 3, prefix + "3x3");
    end_branch();
    conv(net, m.reduce5, 1, prefix + "5x5_reduce");
    conv(net, m.five, 5, prefix + "5x5");
    end_branch();
    net.max_pool(3, 1, prefix + "pool", "same");
    conv(net, m.pool, 1, prefix + "pool_proj");
    end_branch();
    net.merge("Concatenate", ends, prefix + "output");
  }

  ImageClassifier o_;
};

}  // namespace

void register_googlenet(Registrar& r) {
  Parameters<ImageClassifier> p;
  add_common(p);
  r.add<GoogLeNet>("googlenet", "GoogLeNet (Inception v1): nine inception modules", std::move(p));
}

}  // namespace ocellus::architectures
