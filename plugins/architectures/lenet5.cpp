// LeNet-5 (LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition,
// Proc. IEEE 86, 1998, fig. 2): convolution 6 5x5, pooling, convolution 16 5x5, pooling, then 120,
// 84 and `classes` units.
//
// Images of 28 pixels are padded to the paper's 32 by the first convolution ("same"). With
// activation=tanh and pooling=average it is the network of 1998, apart from its sparse connection
// table, its trained pooling factors and its radial basis outputs; relu and max pooling train
// faster and are the default.
#include "architectures.hpp"

namespace ocellus::architectures {
namespace {

struct LeNet5Options : ImageClassifier {
  LeNet5Options() {
    input_shape = {28, 28, 1};
    classes = 10;
  }
  std::string activation = "relu", pooling = "max";
};

class LeNet5 : public Architecture {
 public:
  explicit LeNet5(LeNet5Options options) : o_(std::move(options)) {}

  GraphRecord build() const override {
    Net net("lenet5", o_, 12);
    const bool small = o_.input_shape[0] < 32 || o_.input_shape[1] < 32;
    const char* pool = o_.pooling == "max" ? "MaxPooling2D" : "AveragePooling2D";
    net.conv(6, 5, {{"padding", small ? "same" : "valid"}, {"activation", o_.activation}});
    net.add(pool, {{"pool_size", 2}});
    net.conv(16, 5, {{"activation", o_.activation}});
    net.add(pool, {{"pool_size", 2}});
    if (net.has_top()) {
      net.add("Flatten");
      for (const int units : {120, 84})
        net.add("Dense", {{"units", units}, {"activation", o_.activation}});
      net.predictions({});
    }
    return net.finish();
  }

 private:
  LeNet5Options o_;
};

}  // namespace

void register_lenet5(Registrar& r) {
  Parameters<LeNet5Options> p;
  add_common(p);
  p.add("activation", &LeNet5Options::activation, "of all layers but the last; 1998: tanh");
  p.add("pooling", &LeNet5Options::pooling, "1998: average").one_of({"max", "average"});
  r.add<LeNet5>("lenet5", "LeNet-5: two 5x5 convolutions, three dense layers", std::move(p));
}

}  // namespace ocellus::architectures
