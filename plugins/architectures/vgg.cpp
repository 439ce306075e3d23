// VGG-16 and VGG-19 (Simonyan, Zisserman: Very deep convolutional networks for large-scale image
// recognition, ICLR 2015, table 1, columns D and E): five blocks of 3x3 convolutions, each followed
// by pooling, then 4096, 4096 and `classes` units. Layers as in keras.applications, which has no
// dropout.
#include <fmt/format.h>

#include "architectures.hpp"

namespace ocellus::architectures {
namespace {

// `deep`: convolutions in each of the last three blocks.
template <int deep>
class Vgg : public Architecture {
 public:
  explicit Vgg(ImageClassifier options) : o_(std::move(options)) {}

  GraphRecord build() const override {
    Net net(deep == 3 ? "vgg16" : "vgg19", o_, 32);
    constexpr int filters[] = {64, 128, 256, 512, 512};
    for (int block = 1; block <= 5; ++block) {
      for (int i = 1; i <= (block <= 2 ? 2 : deep); ++i)
        net.conv(filters[block - 1], 3, {{"padding", "same"}, {"activation", "relu"}},
                 fmt::format("block{}_conv{}", block, i));
      net.max_pool(2, 2, fmt::format("block{}_pool", block));
    }
    if (net.has_top()) {
      net.add("Flatten", {}, "flatten");
      for (const char* name : {"fc1", "fc2"})
        net.add("Dense", {{"units", 4096}, {"activation", "relu"}}, name);
      net.predictions();
    }
    return net.finish();
  }

 private:
  ImageClassifier o_;
};

}  // namespace

void register_vgg(Registrar& r) {
  Parameters<ImageClassifier> p;
  add_common(p);
  r.add<Vgg<3>>("vgg16", "VGG-16: 13 convolutions of 3x3, three dense layers", p);
  r.add<Vgg<4>>("vgg19", "VGG-19: 16 convolutions of 3x3, three dense layers", p);
}

}  // namespace ocellus::architectures
