#include "ocellus/core/features.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "ocellus/core/batches.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/opencl/movement.hpp"

namespace ocellus {
namespace {

// One sample (P pixels, C channels) into `out`: C values, or P * C.
void pool(std::span<const float> pixels, size_t channels, const std::string& how,
          std::vector<float>& out) {
  if (how == "none") {
    out.insert(out.end(), pixels.begin(), pixels.end());
    return;
  }
  const size_t count = pixels.size() / channels;
  for (size_t c = 0; c < channels; ++c) {
    double sum = 0;
    float highest = pixels[c];
    for (size_t p = 0; p < count; ++p) {
      const float v = pixels[p * channels + c];
      sum += v;
      highest = std::max(highest, v);
    }
    out.push_back(how == "max" ? highest : static_cast<float>(sum / static_cast<double>(count)));
  }
}

std::vector<int64_t> first_items(int64_t size, int64_t limit) {
  if (limit <= 0 || limit >= size) return {};
  std::vector<int64_t> subset(static_cast<size_t>(limit));
  std::iota(subset.begin(), subset.end(), int64_t{0});
  return subset;
}

}  // namespace

std::string default_feature_layer(const Network& network) {
  const NetworkNode& logits = network.nodes().at(static_cast<size_t>(network.logits().node));
  return network.tensor_name(logits.inputs.empty() ? network.logits() : logits.inputs[0]);
}

Features extract_features(Network& network, std::shared_ptr<const Dataset> data,
                          const FeatureOptions& options, Progress& progress) {
  Features f;
  f.layer = options.layer.empty() ? default_feature_layer(network) : options.layer;
  const Shape shape = network.shape(network.tensor(f.layer));
  f.pooling = options.pooling != "auto" ? options.pooling : shape.rank() == 4 ? "average" : "none";

  const int batch = static_cast<int>(std::clamp<int64_t>(data->size(), 1, options.batch));
  Execution run(network, {.batch = batch, .fetches = {f.layer}});
  Batches batches(network.device(), data,
                  {.batch = batch,
                   .preprocessing = network.preprocessing.value_or(Preprocessing{}),
                   .subset = first_items(data->size(), options.limit)});
  opencl::Queue& queue = network.device().compute();
  std::vector<float> values;
  Batch b;
  batches.start(0);
  while (batches.next(b)) {
    if (progress.stop_requested()) throw Interrupted("stopped; no features were written");
    if (b.images.shape != run.feed().shape)
      throw ShapeError(fmt::format("images of shape {} do not fit the network's input {}",
                                   b.images.shape.str(), run.feed().shape.str()));
    opencl::copy_matrix(queue, b.images.operand(), run.feed().operand(), b.images.shape.pixels(),
                        b.images.shape.channels());
    run.forward();
    const Array out = download(queue, run.fetch().items(0, b.count));
    const size_t size = static_cast<size_t>(shape.without_batch().elements());
    for (int i = 0; i < b.count; ++i) {
      pool(out.f32().subspan(static_cast<size_t>(i) * size, size),
           static_cast<size_t>(shape.channels()), f.pooling, values);
      f.names.push_back(data->describe(static_cast<int64_t>(f.names.size())));
    }
    if (b.targets && b.targets.type == DType::i32) {
      const Array labels = download(queue, b.targets.items(0, b.count));
      f.labels.insert(f.labels.end(), labels.i32().begin(), labels.i32().end());
    }
    progress.update("features", static_cast<int64_t>(f.names.size()), batches.size());
  }
  const int n = static_cast<int>(f.names.size());
  if (n == 0) throw DataError("the data set is empty: no features");
  const int dimensions = static_cast<int>(values.size()) / n;
  f.values = Array(Shape{n, dimensions}, std::move(values));
  return f;
}

}  // namespace ocellus
