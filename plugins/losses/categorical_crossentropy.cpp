// categorical_crossentropy, sparse_categorical_crossentropy: -sum over the classes of t log p, for
// networks that end in a softmax. Where the softmax is the network's last node the loss takes its
// input and computes both at once:
//   loss = sum t (log sum exp(x) - x),   d loss / d x = p sum t - t
// which is stable for any x. Targets are classes or rows that sum to 1; both names take both (Keras
// tells them apart). Probabilities are divided by their sum and bounded to [1e-7, 1 - 1e-7], as in
// Keras.
#include "kernel_loss.hpp"

namespace ocellus::losses {
namespace {

struct Options {
  bool from_logits = false;
  double label_smoothing = 0;
};

class CategoricalCrossentropy : public Loss {
 public:
  explicit CategoricalCrossentropy(const Options& options) : options_(options) {}
  bool wants_logits(Probability final) const override { return final == Probability::softmax; }
  std::unique_ptr<LossOp> prepare(opencl::Device& device,
                                  const LossRequest& request) const override {
    if (request.prediction.channels() == 1)
      throw ShapeError(
          "categorical_crossentropy: one output has no classes to choose from; use "
          "binary_crossentropy");
    return make_loss(device, request,
                     {"categorical_crossentropy", options_.from_logits || request.from_logits,
                      static_cast<float>(options_.label_smoothing)},
                     "categorical_crossentropy");
  }

 private:
  Options options_;
};

}  // namespace

void register_categorical_crossentropy(Registrar& r) {
  Parameters<Options> sparse;
  sparse.add("from_logits", &Options::from_logits, "the prediction is not yet a probability");
  r.add<CategoricalCrossentropy>("sparse_categorical_crossentropy",
                                 "cross-entropy of a softmax with a class an item", sparse);
  Parameters<Options> dense = sparse;
  dense
      .add("label_smoothing", &Options::label_smoothing,
           "share of the target spread over all classes")
      .min(0)
      .max(1);
  r.add<CategoricalCrossentropy>("categorical_crossentropy",
                                 "cross-entropy of a softmax with a distribution an item", dense);
}

}  // namespace ocellus::losses
