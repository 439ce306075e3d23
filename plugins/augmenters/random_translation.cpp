// RandomTranslation: moves each image by a random share of its height (down when positive) and
// width (right), as Keras' layer. A factor x stands for [-x, x]. What comes in from outside:
// reflect (d c b a | a b c d | d c b a), constant (fill_value), nearest (the border pixel) or wrap.
#include <map>

#include "row_kernel.hpp"

namespace ocellus::augmenters {
namespace {

struct Options {
  Interval height_factor, width_factor;
  std::string fill_mode = "reflect", interpolation = "bilinear";
  double fill_value = 0;
};

class RandomTranslation : public Augmenter {
 public:
  explicit RandomTranslation(const Options& options) : o_(options) {}
  std::unique_ptr<AugmenterOp> prepare(opencl::Device& device, const Shape& images) const override {
    static const std::map<std::string, int> fills = {
        {"reflect", 0}, {"constant", 1}, {"nearest", 2}, {"wrap", 3}};
    return make_row_kernel(device, images,
                           {"random_translation",
                            "-DFILL=" + std::to_string(fills.at(o_.fill_mode)) +
                                " -DBILINEAR=" + std::to_string(o_.interpolation == "bilinear"),
                            {},
                            {o_.height_factor.low, o_.height_factor.high, o_.width_factor.low,
                             o_.width_factor.high, o_.fill_value}});
  }

 private:
  Options o_;
};

}  // namespace

void register_random_translation(Registrar& r) {
  Parameters<Options> p;
  p.add("height_factor", &Options::height_factor,
        "share of the height to move by, down when positive")
      .min(-1)
      .max(1)
      .required();
  p.add("width_factor", &Options::width_factor,
        "share of the width to move by, right when positive")
      .min(-1)
      .max(1)
      .required();
  p.add("fill_mode", &Options::fill_mode, "what comes in from outside")
      .one_of({"reflect", "constant", "nearest", "wrap"});
  p.add("interpolation", &Options::interpolation, "between pixels").one_of({"bilinear", "nearest"});
  p.add("fill_value", &Options::fill_value, "what fill_mode constant fills with");
  r.add<RandomTranslation>("RandomTranslation", "moves images at random", p);
}

}  // namespace ocellus::augmenters
