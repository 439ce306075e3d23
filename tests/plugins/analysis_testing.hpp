#pragma once

#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ocellus/core/analyzer.hpp"
#include "ocellus/core/graph_builder.hpp"
#include "ocellus/core/random.hpp"

/// What the tests of the analyzers share: the bundles, small networks with known or random weights,
/// a data set in memory.
namespace ocellus::testing {

struct World {
  Registry registry;
  std::shared_ptr<opencl::Device> device;
  SilentLog log;
  World() {
    registry.load_default();
    device = opencl::Device::open();
  }
};
inline World& world() {
  static World w;
  return w;
}

/// Stops when it was asked `patience` times.
class Patience : public Progress {
 public:
  explicit Patience(int patience = 1 << 30) : left(patience) {}
  void update(const std::string&, int64_t, int64_t, const std::string&) override {}
  bool stop_requested() const override { return left-- <= 0; }
  mutable int left;
};

/// A network on the device, and what an analyzer is given.
struct Case {
  explicit Case(const GraphRecord& graph, int patience = 1 << 30)
      : network(world().registry, graph), progress(patience) {
    network.place(world().device, 7);
    context = std::make_unique<AnalysisContext>(world().registry, network, progress, world().log);
    context->seed = 3;
  }
  Results run(const std::string& analyzer, Json::Object parameters = {}) {
    return world()
        .registry.create<Analyzer>(analyzer, Json(std::move(parameters)), analyzer)
        ->run(*context);
  }
  /// Weights of a layer: kernel, then bias.
  void set(const std::string& layer, std::vector<std::vector<float>> values) {
    std::vector<WeightsRecord> all = network.read_weights();
    for (WeightsRecord& w : all)
      if (w.layer == layer)
        for (size_t i = 0; i < values.size(); ++i)
          w.values[i] = Array(w.values[i].shape(), values[i]);
    network.write_weights(all);
  }
  /// Random weights, biases too.
  void randomize(double scale = 0.5) {
    std::vector<WeightsRecord> all = network.read_weights();
    Random random(11);
    for (WeightsRecord& w : all)
      for (Array& a : w.values)
        for (float& v : a.f32()) v = static_cast<float>(scale * random.normal());
    network.write_weights(all);
  }

  Network network;
  Patience progress;
  std::unique_ptr<AnalysisContext> context;
};

inline Array random_image(int h, int w, int c, uint64_t seed) {
  Random random(seed);
  Array a(Shape{h, w, c}, DType::u8);
  for (uint8_t& v : a.u8()) v = static_cast<uint8_t>(random.below(256));
  return a;
}

/// conv1 (relu), pool, conv2 (relu), flatten, dense with the given end.
inline GraphRecord small_net(int h, int w, int c, int units, const std::string& activation) {
  GraphBuilder b;
  b.input({h, w, c});
  b.add("Rescaling", {{"scale", 1.0 / 255}});
  b.add("Conv2D", {{"filters", 5}, {"kernel_size", 3}, {"padding", "same"}, {"activation", "relu"}},
        "conv1");
  b.add("MaxPooling2D", {{"pool_size", 2}}, "pool");
  b.add("Conv2D", {{"filters", 4}, {"kernel_size", Json::List{2, 3}}, {"activation", "relu"}},
        "conv2");
  b.add("Flatten", {}, "flat");
  b.add("Dense", {{"units", units}, {"activation", activation}}, "classes");
  return b.finish();
}

/// Items of random pixels; label = index modulo `classes`, and the pixels depend on it.
class MemoryDataset : public Dataset {
 public:
  MemoryDataset(int n, Shape item, int classes) : item_(item), labels_(n) {
    for (int i = 0; i < n; ++i) {
      labels_[i] = i % classes;
      Array image = random_image(item[0], item[1], item[2], 100 + i);
      for (size_t k = 0; k < image.u8().size(); ++k)
        if (static_cast<int>(k) % classes == labels_[i]) image.u8()[k] = 255;
      images_.push_back(std::move(image));
    }
  }
  int64_t size() const override { return static_cast<int64_t>(images_.size()); }
  Shape item_shape() const override { return item_; }
  DType item_type() const override { return DType::u8; }
  void read(std::span<const int64_t> indices, Samples& out) const override {
    out.images = Array(item_.batched(static_cast<int>(indices.size())), DType::u8);
    std::vector<int32_t> labels;
    for (size_t i = 0; i < indices.size(); ++i) {
      std::ranges::copy(
          images_[indices[i]].u8(),
          out.images.u8().begin() + static_cast<std::ptrdiff_t>(i * item_.elements()));
      labels.push_back(labels_[indices[i]]);
    }
    out.targets = Array::of_ints(Shape{static_cast<int>(indices.size())}, labels);
  }
  std::string describe(int64_t i) const override { return "item " + std::to_string(i); }

  const std::vector<Array>& images() const { return images_; }
  const std::vector<int>& labels() const { return labels_; }
  Array& image(int i) { return images_[i]; }

 private:
  Shape item_;
  std::vector<Array> images_;
  std::vector<int> labels_;
};

/// The n-th result of a kind.
template <class T>
const T& result(const Results& results, int n = 0) {
  for (const Result& r : results.items)
    if (const T* t = std::get_if<T>(&r); t && n-- == 0) return *t;
  throw Error("no such result");
}
template <class T>
int count(const Results& results) {
  int n = 0;
  for (const Result& r : results.items) n += std::holds_alternative<T>(r);
  return n;
}

}  // namespace ocellus::testing
