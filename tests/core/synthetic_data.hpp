#pragma once

#include <random>

#include "ocellus/core/dataset.hpp"

namespace ocellus::test {

/// Noisy 8x8 pictures of four classes: a bright bar at the top, bottom, left or right. u8,
/// learnable in a few epochs.
class Bars : public Dataset {
 public:
  explicit Bars(int n, unsigned seed = 1, bool as_floats = false, bool weighted = false)
      : n_(n),
        images_(Shape{n, 8, 8, 1}, DType::u8),
        labels_(n),
        floats_(as_floats),
        weighted_(weighted) {
    std::mt19937 rng(seed);
    for (int i = 0; i < n; ++i) {
      labels_[i] = static_cast<int>(rng() % 4);
      for (int y = 0; y < 8; ++y)
        for (int x = 0; x < 8; ++x) {
          const int place[] = {y, 7 - y, x, 7 - x};
          images_.u8()[i * 64 + y * 8 + x] =
              static_cast<uint8_t>(rng() % 120 + (place[labels_[i]] < 2 ? 110 : 0));
        }
    }
  }
  int64_t size() const override { return n_; }
  Shape item_shape() const override { return {8, 8, 1}; }
  DType item_type() const override { return floats_ ? DType::f32 : DType::u8; }
  std::vector<std::string> classes() const override { return {"top", "bottom", "left", "right"}; }
  std::string describe(int64_t i) const override { return std::to_string(i); }
  void read(std::span<const int64_t> indices, Samples& out) const override {
    const int n = static_cast<int>(indices.size());
    out = {};
    Array images(Shape{n, 8, 8, 1}, DType::u8);
    out.targets = Array(Shape{n}, DType::i32);
    if (weighted_) out.weights = Array(Shape{n}, DType::f32);
    for (int i = 0; i < n; ++i) {
      std::copy_n(images_.u8().data() + indices[i] * 64, 64, images.u8().data() + i * 64);
      out.targets.i32()[i] = labels_[indices[i]];
      if (weighted_) out.weights.f32()[i] = weight(indices[i]);
    }
    out.images = floats_ ? images.to_f32() : images;
  }
  static float weight(int64_t index) { return static_cast<float>(index % 3); }
  int label(int64_t i) const { return labels_[i]; }
  float pixel(int64_t i, int at) const { return images_.u8()[i * 64 + at]; }

 private:
  int n_;
  Array images_;
  std::vector<int> labels_;
  bool floats_, weighted_;
};

}  // namespace ocellus::test
