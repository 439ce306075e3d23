// Inception v3 (Szegedy, Vanhoucke, Ioffe, Shlens, Wojna: Rethinking the Inception architecture for
// computer vision, CVPR 2016), without the auxiliary classifier. Layers as in keras.applications,
// which leaves most of them to Keras' own naming: the order in which branches are written here is
// part of their names.
#include <fmt/format.h>

#include "architectures.hpp"

namespace ocellus::architectures {
namespace {

struct Unit {
  int filters, h, w;
};

class InceptionV3 : public Architecture {
 public:
  explicit InceptionV3(ImageClassifier options) : o_(std::move(options)) {}

  GraphRecord build() const override {
    Net net("inception_v3", o_, 75);
    unit(net, {32, 3, 3}, 2, "valid");
    unit(net, {32, 3, 3}, 1, "valid");
    unit(net, {64, 3, 3});
    net.max_pool(3, 2);
    unit(net, {80, 1, 1}, 1, "valid");
    unit(net, {192, 3, 3}, 1, "valid");
    net.max_pool(3, 2);
    for (int i = 0; i < 3; ++i)
      mix(net, i, {{{64, 1, 1}}, {{48, 1, 1}, {64, 5, 5}}, {{64, 1, 1}, {96, 3, 3}, {96, 3, 3}}},
          i == 0 ? 32 : 64);
    reduce(net, 3, {{{384, 3, 3}}, {{64, 1, 1}, {96, 3, 3}, {96, 3, 3}}});
    int i = 4;
    for (const int n : {128, 160, 160, 192})  // 7x7 as 1x7 and 7x1
      mix(net, i++,
          {{{192, 1, 1}},
           {{n, 1, 1}, {n, 1, 7}, {192, 7, 1}},
           {{n, 1, 1}, {n, 7, 1}, {n, 1, 7}, {n, 7, 1}, {192, 1, 7}}},
          192);
    reduce(net, 8,
           {{{192, 1, 1}, {320, 3, 3}}, {{192, 1, 1}, {192, 1, 7}, {192, 7, 1}, {192, 3, 3}}});
    widen(net, 9);
    widen(net, 10);
    net.average_and_predict();
    return net.finish();
  }

 private:
  using Branch = std::vector<Unit>;

  static void unit(Net& net, Unit u, int stride = 1, const char* padding = "same") {
    net.bare_conv(u.filters, Json::list_of(std::vector{u.h, u.w}),
                  {{"strides", stride}, {"padding", padding}});
    net.add("BatchNormalization", {{"scale", false}});
    net.add("Activation", {{"activation", "relu"}});
  }
  // A branch from `from`; returns its end.
  static TensorRef branch(Net& net, const TensorRef& from, const Branch& units,
                          bool reduces = false) {
    net.x = from;
    for (size_t i = 0; i < units.size(); ++i)
      reduces&& i + 1 == units.size() ? unit(net, units[i], 2, "valid") : unit(net, units[i]);
    return net.x;
  }
  static TensorRef pooled(Net& net, const TensorRef& from, int filters) {
    net.x = from;
    net.add("AveragePooling2D", {{"pool_size", 3}, {"strides", 1}, {"padding", "same"}});
    unit(net, {filters, 1, 1});
    return net.x;
  }

  static void mix(Net& net, int number, const std::vector<Branch>& branches, int pool_filters) {
    const TensorRef from = net.x;
    std::vector<TensorRef> ends;
    for (const Branch& b : branches) ends.push_back(branch(net, from, b));
    ends.push_back(pooled(net, from, pool_filters));
    net.merge("Concatenate", ends, fmt::format("mixed{}", number));
  }
  // Half the pixels: the last convolution of each branch has stride 2.
  static void reduce(Net& net, int number, const std::vector<Branch>& branches) {
    const TensorRef from = net.x;
    std::vector<TensorRef> ends;
    for (const Branch& b : branches) ends.push_back(branch(net, from, b, true));
    net.x = from;
    net.max_pool(3, 2);
    ends.push_back(net.x);
    net.merge("Concatenate", ends, fmt::format("mixed{}", number));
  }
  // 1x3 and 3x1 side by side, their outputs concatenated.
  static TensorRef split(Net& net, const std::string& name) {
    const TensorRef from = net.x;
    const TensorRef wide = branch(net, from, {{384, 1, 3}});
    const TensorRef high = branch(net, from, {{384, 3, 1}});
    net.merge("Concatenate", {wide, high}, name);
    return net.x;
  }
  static void widen(Net& net, int number) {
    const TensorRef from = net.x;
    std::vector<TensorRef> ends = {branch(net, from, {{320, 1, 1}})};
    branch(net, from, {{384, 1, 1}});
    ends.push_back(split(net, fmt::format("mixed9_{}", number - 9)));
    branch(net, from, {{448, 1, 1}, {384, 3, 3}});
    ends.push_back(split(net, {}));
    ends.push_back(pooled(net, from, 192));
    net.merge("Concatenate", ends, fmt::format("mixed{}", number));
  }

  ImageClassifier o_;
};

struct InceptionV3Options : ImageClassifier {
  InceptionV3Options() { input_shape = {299, 299, 3}; }
};

}  // namespace

void register_inception_v3(Registrar& r) {
  Parameters<InceptionV3Options> p;
  add_common(p);
  r.add<InceptionV3>("inception_v3", "Inception v3: eleven mixed blocks of factored convolutions",
                     std::move(p));
}

}  // namespace ocellus::architectures
