#pragma once

// Networks for tests: graphs written as tables, random weights away from their defaults.
#include <random>
#include <string>
#include <vector>

#include "ocellus/core/execution.hpp"

namespace ocellus::test {

struct World {
  Registry registry;
  std::shared_ptr<opencl::Device> device;
  World() {
    registry.load_default();
    device = opencl::Device::open();
  }
};

inline World& world() {
  static World w;
  return w;
}

struct Line {
  std::string type, name;
  const char* parameters;
  std::vector<std::string> inputs;
};

inline GraphRecord graph(std::vector<Line> lines, std::vector<std::string> outputs) {
  GraphRecord g;
  for (const Line& l : lines) {
    LayerRecord* known = nullptr;
    for (LayerRecord& r : g.layers)
      if (r.name == l.name) known = &r;
    if (!known) {
      g.layers.push_back(
          {l.type, l.name, Json::parse(l.parameters, "test"), true, {}, Json::object()});
      known = &g.layers.back();
    }
    std::vector<TensorRef> call;
    for (const std::string& i : l.inputs) {
      const size_t colon = i.find(':');
      call.push_back(
          {i.substr(0, colon), colon == std::string::npos ? 0 : std::stoi(i.substr(colon + 1)), 0});
    }
    known->calls.push_back(call);
    if (l.inputs.empty()) g.inputs.push_back({l.name, 0, 0});
  }
  for (const std::string& o : outputs) g.outputs.push_back({o, 0, 0});
  return g;
}

inline Array noise(const Shape& shape, unsigned seed) {
  std::mt19937 rng(seed);
  std::uniform_real_distribution<float> d(-1, 1);
  Array a(shape, DType::f32);
  for (float& v : a.f32()) v = d(rng);
  return a;
}

/// Weights away from their defaults: batch norm statistics of 0 and 1 would hide errors.
inline void randomize(Network& network) {
  std::vector<WeightsRecord> weights = network.read_weights();
  unsigned seed = 100;
  for (WeightsRecord& w : weights)
    for (size_t i = 0; i < w.values.size(); ++i) {
      const Array r = noise(w.values[i].shape(), seed++);
      const bool positive = w.names[i] == "moving_variance" || w.names[i] == "gamma";
      for (size_t k = 0; k < r.f32().size(); ++k) {
        if (w.names[i] == "kernel") continue;
        w.values[i].f32()[k] = positive ? 1.2f + 0.5f * r.f32()[k] : 0.3f * r.f32()[k];
      }
    }
  network.write_weights(weights);
}

inline std::unique_ptr<Network> make(const GraphRecord& g) {
  auto n = std::make_unique<Network>(world().registry, g);
  n->place(world().device, 3);
  randomize(*n);
  return n;
}

}  // namespace ocellus::test
