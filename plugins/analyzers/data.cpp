#include "data.hpp"

#include <algorithm>
#include <numeric>

#include "ocellus/core/image.hpp"

namespace ocellus::analyzers {

void for_each_chunk(const AnalysisContext& context, const std::vector<int64_t>& indices, int chunk,
                    const std::string& label,
                    const std::function<void(const Samples&, int64_t)>& visit) {
  if (!context.dataset) throw UsageError("a data set is needed: name one with --data");
  const auto total = static_cast<int64_t>(indices.size());
  for (int64_t first = 0; first < total; first += chunk) {
    context.check_stop();
    Samples samples;
    context.dataset->read(
        std::span(indices).subspan(first, std::min<int64_t>(chunk, total - first)), samples);
    visit(samples, first);
    context.progress.update(label, std::min<int64_t>(first + chunk, total), total);
  }
}

std::vector<int64_t> spread(int64_t size, int64_t wanted) {
  const int64_t n = wanted > 0 ? std::min(size, wanted) : size;
  std::vector<int64_t> indices(n);
  for (int64_t i = 0; i < n; ++i) indices[i] = i * size / n;
  return indices;
}

int label_of(const Array& targets, int i) {
  if (targets.empty()) return -1;
  if (targets.type() == DType::i32) return targets.i32()[i];
  const int classes = targets.shape().rank() > 1 ? targets.shape().channels() : 1;
  const auto row = targets.f32().subspan(static_cast<size_t>(i) * classes, classes);
  if (classes == 1) return row[0] >= 0.5f;
  return static_cast<int>(std::max_element(row.begin(), row.end()) - row.begin());
}

Array thumbnail(const Array& images, int i, int side) {
  Array image = images.item(i);
  if (image.type() == DType::f32) {
    const auto [low, high] = std::minmax_element(image.f32().begin(), image.f32().end());
    const float from = *low, scale = *high > *low ? 1 / (*high - *low) : 0;
    for (float& v : image.f32()) v = (v - from) * scale;
    image = to_u8(image);
  }
  const int h = image.shape()[0], w = image.shape()[1], longest = std::max(h, w);
  if (longest <= side) return image;
  return resize(image, std::max(1, h * side / longest), std::max(1, w * side / longest));
}

}  // namespace ocellus::analyzers
