#include "reference/layers.hpp"

#include <algorithm>
#include <cmath>

#include "ocellus/core/error.hpp"
#include "reference/primitives.hpp"

namespace ocellus::reference {
namespace {

using Tensors = std::vector<ReferenceTensor>;

void add_bias(ReferenceTensor& y, const ReferenceCall& call) {
  if (call.weights.size() < 2) return;
  y = channel_affine(y, std::vector<double>(y.shape.channels(), 1), call.weights[1].values);
}

Tensors dense(const ReferenceCall& call) {
  const ReferenceTensor &x = call.inputs[0], &kernel = call.weights[0];
  ReferenceTensor y{
      x.shape, gemm(x.values, kernel.values, x.shape.pixels(), kernel.shape[1], kernel.shape[0])};
  y.shape.set(-1, kernel.shape[1]);
  add_bias(y, call);
  return {y};
}

template <Reduced kind>
Tensors reduce(const ReferenceCall& call) {
  return reduction(call, kind);
}

template <Noise kind>
Tensors noise_of(const ReferenceCall& call) {
  return noise(call, kind);
}

template <Merged kind>
Tensors merge_by(const ReferenceCall& call) {
  return merge(call, kind);
}

Tensors identity(const ReferenceCall& call) { return {call.inputs[0]}; }

Tensors center_crop(const ReferenceCall& call) {
  const ReferenceTensor& x = call.inputs[0];
  const int h = call.parameters.at("height").as_int(), w = call.parameters.at("width").as_int();
  ReferenceTensor y = filled({x.shape[0], h, w, x.shape[3]});
  for (size_t i = 0; i < y.values.size(); ++i) {
    std::vector<int> place = place_of(y.shape, i);
    place[1] += (x.shape[1] - h) / 2;
    place[2] += (x.shape[2] - w) / 2;
    y.values[i] = x.values[index_of(x.shape, place)];
  }
  return {y};
}

Tensors flatten(const ReferenceCall& call) {
  ReferenceTensor y = call.inputs[0];
  y.shape = {y.shape[0], static_cast<int>(y.shape.without_batch().elements())};
  return {y};
}

Tensors reshape(const ReferenceCall& call) {
  ReferenceTensor y = call.inputs[0];
  std::vector<int> extents = {y.shape[0]};
  int known = y.shape[0];
  for (const Json& e : call.parameters.at("target_shape").as_list()) {
    extents.push_back(e.as_int());
    if (e.as_int() > 0) known *= e.as_int();
  }
  for (int& e : extents)
    if (e == -1) e = static_cast<int>(y.values.size()) / known;
  y.shape = Shape(extents);
  return {y};
}

Tensors concatenate(const ReferenceCall& call) {
  Shape shape = call.inputs[0].shape;
  int axis = call.parameters.at("axis").as_int(), sum = 0;
  if (axis < 0) axis += shape.rank();
  for (const ReferenceTensor& x : call.inputs) sum += x.shape[axis];
  shape.set(axis, sum);
  ReferenceTensor y{shape, {}};
  int rows = 1;
  for (int i = 0; i < axis; ++i) rows *= shape[i];
  for (int r = 0; r < rows; ++r)
    for (const ReferenceTensor& x : call.inputs) {
      const auto part = static_cast<std::ptrdiff_t>(x.values.size() / rows);
      y.values.insert(y.values.end(), x.values.begin() + r * part,
                      x.values.begin() + (r + 1) * part);
    }
  return {y};
}

template <class F>
Tensors map(const ReferenceCall& call, const F& f) {
  ReferenceTensor y = call.inputs[0];
  for (double& v : y.values) v = f(v);
  return {y};
}

Tensors relu(const ReferenceCall& call) {
  const Json& p = call.parameters;
  const double top = p.at("max_value").is_null() ? HUGE_VAL : p.at("max_value").as_double();
  const double slope = p.at("negative_slope").as_double(),
               threshold = p.at("threshold").as_double();
  return map(call, [=](double x) {
    return x >= top ? top : x >= threshold ? x : slope * (x - threshold);
  });
}

Tensors thresholded_relu(const ReferenceCall& call) {
  const double theta = call.parameters.at("theta").as_double();
  return map(call, [=](double x) { return x > theta ? x : 0; });
}

Tensors leaky_relu(const ReferenceCall& call) {
  const double slope = call.parameters.at("negative_slope").as_double();
  return map(call, [=](double x) { return x > 0 ? x : slope * x; });
}

Tensors elu(const ReferenceCall& call) {
  const double alpha = call.parameters.at("alpha").as_double();
  return map(call, [=](double x) { return x > 0 ? x : alpha * std::expm1(x); });
}

}  // namespace

const std::map<std::string, Reference>& layers() {
  static const std::map<std::string, Reference> table = {
      {"Activation", identity},
      {"ActivityRegularization", identity},
      {"Add", merge_by<Merged::sum>},
      {"AlphaDropout", noise_of<Noise::alpha>},
      {"Average", merge_by<Merged::average>},
      {"AveragePooling1D", average_pooling},
      {"AveragePooling2D", average_pooling},
      {"BatchNormalization", batch_normalization},
      {"CenterCrop", center_crop},
      {"Concatenate", concatenate},
      {"ConstantOperation", constant_operation},
      {"Conv1D", convolution},
      {"Conv1DTranspose", transposed_convolution},
      {"Conv2D", convolution},
      {"Conv2DTranspose", transposed_convolution},
      {"Cropping1D", cropping},
      {"Cropping2D", cropping},
      {"Dense", dense},
      {"DepthwiseConv1D", depthwise_convolution},
      {"DepthwiseConv2D", depthwise_convolution},
      {"Divide", merge_by<Merged::quotient>},
      {"Dot", dot},
      {"Dropout", dropout},
      {"ELU", elu},
      {"Flatten", flatten},
      {"GaussianDropout", noise_of<Noise::gaussian_dropout>},
      {"GaussianNoise", noise_of<Noise::gaussian>},
      {"GlobalAveragePooling1D", global_average_pooling},
      {"GlobalAveragePooling2D", global_average_pooling},
      {"GlobalMaxPooling1D", global_max_pooling},
      {"GlobalMaxPooling2D", global_max_pooling},
      {"GroupNormalization", group_normalization},
      {"Input", identity},
      {"LayerNormalization", layer_normalization},
      {"LeakyReLU", leaky_relu},
      {"LocalResponseNormalization", local_response_normalization},
      {"MaxPooling1D", max_pooling},
      {"MaxPooling2D", max_pooling},
      {"Maximum", merge_by<Merged::largest>},
      {"Minimum", merge_by<Merged::smallest>},
      {"Multiply", merge_by<Merged::product>},
      {"Normalization", normalization},
      {"PReLU", prelu},
      {"Permute", permute},
      {"RMSNormalization", rms_normalization},
      {"RandomBrightness", identity},
      {"RandomColorDegeneration", identity},
      {"RandomColorJitter", identity},
      {"RandomContrast", identity},
      {"RandomCrop", identity},
      {"RandomElasticTransform", identity},
      {"RandomErasing", identity},
      {"RandomGaussianBlur", identity},
      {"RandomGrayscale", identity},
      {"RandomHeight", identity},
      {"RandomHue", identity},
      {"RandomInvert", identity},
      {"RandomPerspective", identity},
      {"RandomPosterization", identity},
      {"RandomRotation", identity},
      {"RandomSaturation", identity},
      {"RandomSharpness", identity},
      {"RandomShear", identity},
      {"RandomWidth", identity},
      {"RandomZoom", identity},
      {"ReLU", relu},
      {"ReduceMax", reduce<Reduced::max>},
      {"ReduceMean", reduce<Reduced::mean>},
      {"ReduceMin", reduce<Reduced::min>},
      {"ReduceSum", reduce<Reduced::sum>},
      {"RepeatVector", repeat_vector},
      {"Rescaling", rescaling},
      {"Reshape", reshape},
      {"Resizing", resizing},
      {"SeparableConv1D", separable_convolution},
      {"SeparableConv2D", separable_convolution},
      {"Slice", slice},
      {"Softmax", axes_softmax},
      {"SpatialDropout1D", noise_of<Noise::spatial>},
      {"SpatialDropout2D", noise_of<Noise::spatial>},
      {"Subtract", merge_by<Merged::difference>},
      {"ThresholdedReLU", thresholded_relu},
      {"UnaryOperation", unary_operation},
      {"UnitNormalization", unit_normalization},
      {"UpSampling1D", up_sampling},
      {"UpSampling2D", up_sampling},
      {"ZeroPadding1D", zero_padding},
      {"ZeroPadding2D", zero_padding},
  };
  return table;
}

const Reference* reference_of(const TypeInfo& info) {
  if (info.reference) return &info.reference;
  const auto it = layers().find(info.name);
  return it == layers().end() ? nullptr : &it->second;
}

const std::map<std::string, std::function<double(double)>>& activations() {
  using std::exp;
  const auto clip = [](double x, double low, double high) {
    return std::min(std::max(x, low), high);
  };
  const auto sigmoid = [](double x) { return 1 / (1 + exp(-x)); };
  const auto softplus = [](double x) { return std::log1p(exp(-std::abs(x))) + std::max(x, 0.0); };
  const auto hard_silu = [=](double x) { return x * clip(x / 6 + 0.5, 0, 1); };
  // The fixed point of Klambauer et al.
  constexpr double alpha = 1.6732632423543772, scale = 1.0507009873554805;
  static const std::map<std::string, std::function<double(double)>> table = {
      {"celu", [](double x) { return x > 0 ? x : std::expm1(x); }},
      {"elu", [](double x) { return x > 0 ? x : std::expm1(x); }},
      {"exponential", [](double x) { return exp(x); }},
      {"gelu", [](double x) { return x * 0.5 * std::erfc(-x * std::sqrt(0.5)); }},
      {"gelu_tanh",
       [](double x) {
         constexpr double pi = 3.14159265358979323846;
         return 0.5 * x * (1 + std::tanh(std::sqrt(2 / pi) * (x + 0.044715 * x * x * x)));
       }},
      {"hard_shrink", [](double x) { return std::abs(x) > 0.5 ? x : 0; }},
      {"hard_silu", hard_silu},
      {"hard_swish", hard_silu},
      {"hard_tanh", [=](double x) { return clip(x, -1, 1); }},
      {"hard_sigmoid", [=](double x) { return clip(x / 6 + 0.5, 0, 1); }},
      {"hard_sigmoid_v2", [=](double x) { return clip(0.2 * x + 0.5, 0, 1); }},
      {"leaky_relu", [](double x) { return x > 0 ? x : 0.2 * x; }},
      {"linear", [](double x) { return x; }},
      {"log_sigmoid", [=](double x) { return -softplus(-x); }},
      {"mish", [=](double x) { return x * std::tanh(softplus(x)); }},
      {"relu", [](double x) { return std::max(x, 0.0); }},
      {"relu6", [=](double x) { return clip(x, 0, 6); }},
      {"selu", [](double x) { return scale * (x > 0 ? x : alpha * std::expm1(x)); }},
      {"sigmoid", sigmoid},
      {"silu", [=](double x) { return x * sigmoid(x); }},
      {"soft_shrink", [](double x) { return x > 0.5    ? x - 0.5
                                            : x < -0.5 ? x + 0.5
                                                       : 0; }},
      {"softplus", softplus},
      {"softsign", [](double x) { return x / (1 + std::abs(x)); }},
      {"sparse_plus", [](double x) { return x <= -1  ? 0
                                            : x >= 1 ? x
                                                     : 0.25 * (x + 1) * (x + 1); }},
      {"sparse_sigmoid", [](double x) { return x <= -1  ? 0
                                               : x >= 1 ? 1
                                                        : 0.5 * (x + 1); }},
      {"squareplus",
       [](double x) {
         // The root of y (y - x) = 1, without cancellation.
         const double root = std::sqrt(x * x + 4);
         return x > 0 ? 0.5 * (x + root) : 2 / (root - x);
       }},
      {"swish", [=](double x) { return x * sigmoid(x); }},
      {"tanh", [](double x) { return std::tanh(x); }},
      {"tanh_shrink", [](double x) { return x - std::tanh(x); }},
  };
  return table;
}

}  // namespace ocellus::reference
