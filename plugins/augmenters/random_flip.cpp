// RandomFlip: mirrors each image left to right, upside down, or both, each with probability 1/2
// (Keras' layer).
#include "row_kernel.hpp"

namespace ocellus::augmenters {
namespace {

struct Options {
  std::string mode = "horizontal_and_vertical";
};

class RandomFlip : public Augmenter {
 public:
  explicit RandomFlip(const Options& options) : mode_(options.mode) {}
  std::unique_ptr<AugmenterOp> prepare(opencl::Device& device, const Shape& images) const override {
    return make_row_kernel(device, images,
                           {"random_flip", "", {mode_ != "vertical", mode_ != "horizontal"}, {}});
  }

 private:
  std::string mode_;
};

}  // namespace

void register_random_flip(Registrar& r) {
  Parameters<Options> p;
  p.add("mode", &Options::mode, "which mirror images")
      .one_of({"horizontal", "vertical", "horizontal_and_vertical"});
  r.add<RandomFlip>("RandomFlip", "mirrors images at random", p);
}

}  // namespace ocellus::augmenters
