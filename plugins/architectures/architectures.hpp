#pragma once

// What the architectures share. Each file holds one family.
#include <string>
#include <vector>

#include "ocellus/core/graph_builder.hpp"
#include "ocellus/core/model_format.hpp"
#include "ocellus/core/registry.hpp"

namespace ocellus::architectures {

void register_alexnet(Registrar& r);
void register_cifar_small(Registrar& r);
void register_densenet(Registrar& r);
void register_efficientnet(Registrar& r);
void register_googlenet(Registrar& r);
void register_inception_v3(Registrar& r);
void register_lenet5(Registrar& r);
void register_mnist_cnn(Registrar& r);
void register_mobilenet(Registrar& r);
void register_mobilenet_v2(Registrar& r);
void register_resnet(Registrar& r);
void register_squeezenet(Registrar& r);
void register_vgg(Registrar& r);

/// Parameters that every family has; most were made for ImageNet.
struct ImageClassifier {
  std::vector<int> input_shape = {224, 224, 3};  ///< height, width, channels
  int classes = 1000;
  bool include_top = true;
  std::string classifier_activation = "softmax";
};

template <class P>
void add_common(Parameters<P>& p) {
  // Pointers to members of the base, as members of P.
  p.add("input_shape", static_cast<std::vector<int> P::*>(&P::input_shape),
        "height, width, channels")
      .min(1);
  p.add("classes", static_cast<int P::*>(&P::classes), "number of classes").min(2);
  p.add("include_top", static_cast<bool P::*>(&P::include_top),
        "with the classifier; without it the network ends in its last feature map");
  p.add("classifier_activation", static_cast<std::string P::*>(&P::classifier_activation),
        "of the last layer; linear: logits");
}

/// A graph that grows at one point, `x`. A branch begins where `x` is set back to a tensor kept
/// from before.
class Net {
 public:
  /// Begins with the input. Throws UsageError unless its shape has three extents and at least
  /// `smallest` pixels each way.
  Net(const char* name, const ImageClassifier& options, int smallest);

  TensorRef x;

  /// A layer on x, whose output x becomes. Layers without a name are named as Keras names them.
  void add(const std::string& type, Json::Object parameters = {}, std::string name = {});
  /// A layer on several tensors.
  void merge(const std::string& type, std::vector<TensorRef> inputs, std::string name = {},
             Json::Object parameters = {});

  /// Conv2D; `more`: its further parameters. `kernel`: an extent, or [height, width].
  void conv(int filters, Json kernel, Json::Object more = {}, std::string name = {});
  /// A convolution without bias.
  void bare_conv(int filters, Json kernel, Json::Object more = {}, std::string name = {});
  void relu(std::string name) { add("Activation", {{"activation", "relu"}}, std::move(name)); }
  /// Zeros round the image: `n` on each side.
  void pad(int n, std::string name = {}) {
    add("ZeroPadding2D", {{"padding", n}}, std::move(name));
  }
  void max_pool(int size, int stride, std::string name = {}, const char* padding = "valid");

  /// Whether the options ask for the classifier.
  bool has_top() const { return options_.include_top; }
  /// The last layer: a unit a class.
  void predictions(std::string name = "predictions");
  /// The usual end, where the options ask for it: mean of each channel, dropout, predictions.
  void average_and_predict(std::string pool_name = "avg_pool", double dropout = 0,
                           std::string dropout_name = {});

  /// The graph, ending at x; its layers in the order in which Keras lists them.
  GraphRecord finish();

 private:
  ImageClassifier options_;
  GraphBuilder builder_;
};

/// Extents after a layer with stride 2 that rounds up.
inline Size halved(Size s) { return {(s.h + 1) / 2, (s.w + 1) / 2}; }
/// `padding` of the ZeroPadding2D that keras.applications lays before a convolution with stride 2
/// and an odd kernel: kernel / 2 behind, and in front one less where the extent is even.
Json padding_to_halve(Size extent, int kernel);
/// `channels` times a width multiplier, to the nearest multiple of 8 that is not more than a tenth
/// below it.
int multiple_of_8(double channels);

}  // namespace ocellus::architectures
