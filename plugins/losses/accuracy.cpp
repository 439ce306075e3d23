// accuracy: share of items whose largest output is the target's; with one output, whose output lies
// on the right side of 1/2 (Keras chooses by shapes in the same way). binary_accuracy: the latter
// for each of several outputs. top_k_categorical_accuracy: share of items whose class is among the
// k largest outputs. They are the same for logits and probabilities, so a network's last softmax
// need not run for them.
#include "kernel_loss.hpp"

namespace ocellus::losses {
namespace {

struct Options {
  double threshold = 0.5;
};
struct TopKOptions {
  int k = 5;
};

class Accuracy : public Metric {
 public:
  bool wants_logits(Probability) const override { return true; }
  std::unique_ptr<LossOp> prepare(opencl::Device& device,
                                  const LossRequest& request) const override {
    const bool binary = request.prediction.channels() == 1;
    return make_loss(device, request,
                     {binary ? "binary_accuracy" : "accuracy", request.from_logits, 0.5f},
                     "accuracy");
  }
};

class BinaryAccuracy : public Metric {
 public:
  explicit BinaryAccuracy(const Options& options) : options_(options) {}
  bool wants_logits(Probability final) const override { return final == Probability::sigmoid; }
  std::unique_ptr<LossOp> prepare(opencl::Device& device,
                                  const LossRequest& request) const override {
    return make_loss(
        device, request,
        {"binary_accuracy", request.from_logits, static_cast<float>(options_.threshold)},
        "binary_accuracy");
  }

 private:
  Options options_;
};

class TopK : public Metric {
 public:
  explicit TopK(const TopKOptions& options) : options_(options) {}
  bool wants_logits(Probability) const override { return true; }
  std::unique_ptr<LossOp> prepare(opencl::Device& device,
                                  const LossRequest& request) const override {
    return make_loss(device, request, {"top_k", false, static_cast<float>(options_.k)},
                     "top_k_categorical_accuracy");
  }

 private:
  TopKOptions options_;
};

}  // namespace

void register_accuracy(Registrar& r) {
  r.add<Accuracy>("accuracy", "share of items whose predicted class is right");
  Parameters<Options> binary;
  binary.add("threshold", &Options::threshold, "probability from which an output counts as 1")
      .min(0.001)
      .max(0.999);
  r.add<BinaryAccuracy>("binary_accuracy", "share of outputs on the right side of the threshold",
                        binary);
  Parameters<TopKOptions> top;
  top.add("k", &TopKOptions::k, "how many of the largest outputs count").min(1);
  r.add<TopK>("top_k_categorical_accuracy",
              "share of items whose class is among the k largest outputs", top);
}

}  // namespace ocellus::losses
