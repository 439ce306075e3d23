// binary_crossentropy: mean over the outputs of -(t log p + (1 - t) log(1 - p)), for networks that
// end in a sigmoid: one output for two classes, or several labels an item. Where the sigmoid is the
// last node the loss takes its input x:
//   loss = max(x, 0) - x t + log(1 + exp(-|x|)),   d loss / d x = sigmoid(x) - t
// Probabilities are bounded to [1e-7, 1 - 1e-7], as in Keras.
#include "kernel_loss.hpp"

namespace ocellus::losses {
namespace {

struct Options {
  bool from_logits = false;
  double label_smoothing = 0;
};

class BinaryCrossentropy : public Loss {
 public:
  explicit BinaryCrossentropy(const Options& options) : options_(options) {}
  bool wants_logits(Probability final) const override { return final == Probability::sigmoid; }
  std::unique_ptr<LossOp> prepare(opencl::Device& device,
                                  const LossRequest& request) const override {
    return make_loss(device, request,
                     {"binary_crossentropy", options_.from_logits || request.from_logits,
                      static_cast<float>(options_.label_smoothing)},
                     "binary_crossentropy");
  }

 private:
  Options options_;
};

}  // namespace

void register_binary_crossentropy(Registrar& r) {
  Parameters<Options> p;
  p.add("from_logits", &Options::from_logits, "the prediction is not yet a probability");
  p.add("label_smoothing", &Options::label_smoothing, "how far targets are moved towards 1/2")
      .min(0)
      .max(1);
  r.add<BinaryCrossentropy>("binary_crossentropy", "cross-entropy of sigmoids with labels 0 and 1",
                            p);
}

}  // namespace ocellus::losses
