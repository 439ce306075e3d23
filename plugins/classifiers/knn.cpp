// knn: the classes of the k nearest samples, in features that were brought to mean 0 and deviation
// 1 first. A class's score is its share of the k neighbours. Of equal distances the earlier sample
// counts, of equal shares the lower class: the same answer every time.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "ocellus/core/classifier.hpp"
#include "ocellus/core/plugin.hpp"
#include "ocellus/core/tensor.hpp"
#include "ocellus/opencl/gemm.hpp"

namespace ocellus {
namespace {

constexpr int block =
    256;  // queries at a time: the products with all samples stay below 100 MB for 100,000 of them

struct Options {
  int k = 5;
  bool standardize = true;
};

struct Standardization {
  std::vector<float> mean, scale;

  Array apply(const Array& features) const {
    Array out = features;
    for (size_t i = 0; i < out.f32().size(); ++i)
      out.f32()[i] = (out.f32()[i] - mean[i % mean.size()]) * scale[i % mean.size()];
    return out;
  }
};

Standardization standardization(const Array& features, bool wanted) {
  const size_t n = features.shape()[0], dimensions = features.shape()[1];
  std::vector<double> mean(dimensions), square(dimensions);
  for (size_t i = 0; i < n * dimensions; ++i)
    mean[i % dimensions] += double{features.f32()[i]} / static_cast<double>(n);
  for (size_t i = 0; i < n * dimensions; ++i)
    square[i % dimensions] +=
        std::pow(features.f32()[i] - mean[i % dimensions], 2) / static_cast<double>(n);
  Standardization s{std::vector<float>(dimensions, 0.0f), std::vector<float>(dimensions, 1.0f)};
  for (size_t d = 0; d < dimensions; ++d) {
    s.mean[d] = static_cast<float>(mean[d]);  // distances do not change, their rounding does
    if (wanted && square[d] > 0) s.scale[d] = static_cast<float>(1 / std::sqrt(square[d]));
  }
  return s;
}

std::vector<float> squared_lengths(const Array& features) {
  const size_t dimensions = static_cast<size_t>(features.shape()[1]);
  std::vector<float> lengths;
  for (int i = 0; i < features.shape()[0]; ++i) {
    const auto row = features.f32().subspan(i * dimensions, dimensions);
    lengths.push_back(
        static_cast<float>(std::inner_product(row.begin(), row.end(), row.begin(), 0.0)));
  }
  return lengths;
}

void check(const Array& features, int dimensions) {
  if (features.shape().rank() != 2 || features.shape()[0] == 0 || features.shape()[1] == 0)
    throw DataError(
        fmt::format("knn: features of shape {} where (N, D) is needed, with at least one sample",
                    features.shape().str()));
  if (dimensions && features.shape()[1] != dimensions)
    throw DataError(
        fmt::format("knn: {} features a sample, {} were fitted", features.shape()[1], dimensions));
  for (size_t i = 0; i < features.f32().size(); ++i)
    if (!std::isfinite(features.f32()[i]))
      throw DataError(fmt::format("knn: feature {} of sample {} is NaN or infinite",
                                  i % features.shape()[1], i / features.shape()[1]));
}

class Model final : public ClassifierModel {
 public:
  Model(std::shared_ptr<opencl::Device> device, const Array& features, std::span<const int> labels,
        int classes, const Options& options)
      : device_(std::move(device)),
        labels_(labels.begin(), labels.end()),
        classes_(classes),
        k_(std::min(options.k, features.shape()[0])),
        standardization_(standardization(features, options.standardize)) {
    const Array ready = standardization_.apply(features);
    lengths_ = squared_lengths(ready);
    samples_ = Tensor::make(*device_, ready.shape(), "the samples of knn");
    queries_ = Tensor::make(*device_, Shape{block, ready.shape()[1]}, "the queries of knn");
    products_ = Tensor::make(*device_, Shape{block, ready.shape()[0]}, "the products of knn");
    product_ = std::make_unique<opencl::Gemm>(
        *device_,
        opencl::GemmProblem{
            .m = block, .n = ready.shape()[0], .k = ready.shape()[1], .transpose_b = true});
    if (product_->workspace_bytes())
      workspace_ = device_->allocate(product_->workspace_bytes(), "workspace of knn");
    upload(device_->compute(), ready, samples_);
    device_->compute().fill(queries_.buffer, 0,
                            sizeof(float) * static_cast<size_t>(queries_.shape.elements()));
  }

  Array scores(const Array& features) override {
    check(features, samples_.shape[1]);
    const Array ready = standardization_.apply(features);
    const int n = ready.shape()[0], dimensions = ready.shape()[1];
    Array out(Shape{n, classes_}, DType::f32);
    for (int first = 0; first < n; first += block) {
      const int count = std::min(block, n - first);
      const auto rows = ready.f32().subspan(static_cast<size_t>(first) * dimensions,
                                            static_cast<size_t>(count) * dimensions);
      opencl::Queue& queue = device_->compute();
      upload(queue, Array(Shape{count, dimensions}, std::vector<float>(rows.begin(), rows.end())),
             queries_.items(0, count));
      product_->run(queue, queries_.operand(), samples_.operand(), products_.operand(), {},
                    workspace_);
      const Array products = download(queue, products_.items(0, count));
      for (int i = 0; i < count; ++i)
        vote(products.f32().subspan(i * lengths_.size(), lengths_.size()),
             out.f32().subspan((first + i) * static_cast<size_t>(classes_), classes_));
    }
    return out;
  }

 private:
  // |a - b|^2 = |a|^2 + |b|^2 - 2 a b; |a|^2 is the same for all samples b.
  void vote(std::span<const float> products, std::span<float> scores) const {
    std::vector<std::pair<float, int>> near(products.size());
    for (size_t j = 0; j < products.size(); ++j)
      near[j] = {lengths_[j] - 2 * products[j], static_cast<int>(j)};
    std::partial_sort(near.begin(), near.begin() + k_, near.end());
    for (int j = 0; j < k_; ++j) scores[labels_[near[j].second]] += 1.0f / static_cast<float>(k_);
  }

  std::shared_ptr<opencl::Device> device_;
  std::vector<int> labels_;
  int classes_, k_;
  Standardization standardization_;
  std::vector<float> lengths_;
  Tensor samples_, queries_, products_;
  std::unique_ptr<opencl::Gemm> product_;
  opencl::Buffer workspace_;
};

class Knn final : public Classifier {
 public:
  explicit Knn(Options options) : options_(options) {}
  std::unique_ptr<ClassifierModel> fit(std::shared_ptr<opencl::Device> device,
                                       const Array& features, std::span<const int> labels,
                                       int classes) const override {
    check(features, 0);
    if (static_cast<int>(labels.size()) != features.shape()[0])
      throw DataError(
          fmt::format("knn: {} labels for {} samples", labels.size(), features.shape()[0]));
    for (int l : labels)
      if (l < 0 || l >= classes)
        throw DataError(fmt::format("knn: label {} where there are {} classes", l, classes));
    return std::make_unique<Model>(std::move(device), features, labels, classes, options_);
  }

 private:
  Options options_;
};

void register_types(Registrar& r) {
  Parameters<Options> p;
  p.add("k", &Options::k, "neighbours that vote").min(1);
  p.add("standardize", &Options::standardize, "bring each feature to mean 0 and deviation 1 first");
  r.add<Knn>("knn", "the classes of the k nearest samples", std::move(p));
}

}  // namespace
}  // namespace ocellus

OCELLUS_PLUGIN("classifiers", "Classifiers", OCELLUS_VERSION, "Apache-2.0", ocellus::register_types)
