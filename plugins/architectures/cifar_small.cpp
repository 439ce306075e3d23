// The small CIFAR-10 network of Keras' examples (cifar10_cnn): twice two 3x3 convolutions (32, then
// 64 filters), pooling and dropout, then 512 units. About 1.25 million parameters; Keras' example
// reports 79 % after 50 epochs.
#include "architectures.hpp"

namespace ocellus::architectures {
namespace {

struct CifarSmallOptions : ImageClassifier {
  CifarSmallOptions() {
    input_shape = {32, 32, 3};
    classes = 10;
  }
  bool dropout = true;
};

class CifarSmall : public Architecture {
 public:
  explicit CifarSmall(CifarSmallOptions options) : o_(std::move(options)) {}

  GraphRecord build() const override {
    Net net("cifar_small", o_, 14);
    for (const int filters : {32, 64}) {
      for (const char* padding : {"same", "valid"})
        net.conv(filters, 3, {{"padding", padding}, {"activation", "relu"}});
      net.max_pool(2, 2);
      drop(net, 0.25);
    }
    if (net.has_top()) {
      net.add("Flatten");
      net.add("Dense", {{"units", 512}, {"activation", "relu"}});
      drop(net, 0.5);
      net.predictions({});
    }
    return net.finish();
  }

 private:
  void drop(Net& net, double rate) const {
    if (o_.dropout) net.add("Dropout", {{"rate", rate}});
  }
  CifarSmallOptions o_;
};

}  // namespace

void register_cifar_small(Registrar& r) {
  Parameters<CifarSmallOptions> p;
  add_common(p);
  p.add("dropout", &CifarSmallOptions::dropout, "with the dropout layers of the original");
  r.add<CifarSmall>("cifar_small", "Keras' small CIFAR-10 network: 32-32-pool-64-64-pool-512",
                    std::move(p));
}

}  // namespace ocellus::architectures
