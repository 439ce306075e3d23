#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <mutex>

#include "ocellus/core/error.hpp"
#include "ocellus/core/evaluation.hpp"
#include "ocellus/core/random.hpp"

namespace ocellus {
namespace {

class DrawnItems : public Dataset {
 public:
  DrawnItems(std::shared_ptr<const Dataset> data, std::vector<int64_t> items)
      : data_(std::move(data)), items_(std::move(items)) {}
  int64_t size() const override { return static_cast<int64_t>(items_.size()); }
  Shape item_shape() const override { return data_->item_shape(); }
  DType item_type() const override { return data_->item_type(); }
  std::vector<std::string> classes() const override { return data_->classes(); }
  void read(std::span<const int64_t> indices, Samples& out) const override {
    std::vector<int64_t> theirs;
    for (const int64_t i : indices) theirs.push_back(items_.at(static_cast<size_t>(i)));
    data_->read(theirs, out);
  }
  std::string describe(int64_t index) const override {
    return data_->describe(items_.at(static_cast<size_t>(index)));
  }
  std::vector<std::string> warnings() const override { return data_->warnings(); }

 private:
  std::shared_ptr<const Dataset> data_;
  std::vector<int64_t> items_;
};

/// Keeps what was read, as far as it fits: the trials ask for the same batches again and again.
class KeptItems : public Dataset {
 public:
  explicit KeptItems(std::shared_ptr<const Dataset> data) : data_(std::move(data)) {}
  int64_t size() const override { return data_->size(); }
  Shape item_shape() const override { return data_->item_shape(); }
  DType item_type() const override { return data_->item_type(); }
  std::vector<std::string> classes() const override { return data_->classes(); }
  void read(std::span<const int64_t> indices, Samples& out) const override {
    const std::vector<int64_t> key(indices.begin(), indices.end());
    const std::lock_guard lock(mutex_);
    if (const auto kept = batches_.find(key); kept != batches_.end()) {
      out = kept->second;
      return;
    }
    data_->read(indices, out);
    const size_t bytes = out.images.bytes().size();
    if (bytes_ + bytes > most_bytes) return;
    bytes_ += bytes;
    batches_[key] = out;
  }
  std::string describe(int64_t index) const override { return data_->describe(index); }
  std::vector<std::string> warnings() const override { return data_->warnings(); }

 private:
  static constexpr size_t most_bytes = size_t{1} << 30;
  std::shared_ptr<const Dataset> data_;
  mutable std::mutex mutex_;
  mutable std::map<std::vector<int64_t>, Samples> batches_;
  mutable size_t bytes_ = 0;
};

bool same(const Preprocessing& a, const Preprocessing& b, int channels) {
  std::vector<float> scale[2], shift[2];
  std::vector<int> order[2];
  a.affine(channels, scale[0], shift[0], order[0]);
  b.affine(channels, scale[1], shift[1], order[1]);
  return scale[0] == scale[1] && shift[0] == shift[1] && order[0] == order[1];
}

std::vector<PreprocessingTrial> candidates(int channels,
                                           const std::optional<Preprocessing>& stored) {
  std::vector<std::string> names = {"none", "unit", "tf"};
  if (channels == 3)
    names = {"none",
             "none,order=bgr",
             "unit",
             "unit,order=bgr",
             "tf",
             "tf,order=bgr",
             "torch",
             "torch,order=bgr",
             "caffe,order=rgb",
             "caffe"};
  std::vector<PreprocessingTrial> trials;
  for (const std::string& name : names) {
    PreprocessingTrial t{name, Preprocessing::named(name)};
    t.stored = stored && same(t.preprocessing, *stored, channels);
    trials.push_back(std::move(t));
  }
  if (stored && std::ranges::none_of(trials, &PreprocessingTrial::stored))
    trials.push_back({"stored", *stored, true});
  return trials;
}

}  // namespace

std::shared_ptr<const Dataset> draw_items(std::shared_ptr<const Dataset> data, int64_t count,
                                          uint64_t seed) {
  if (count >= data->size()) return data;
  std::vector<int64_t> items = Random(seed).permutation(data->size());
  items.resize(static_cast<size_t>(count));
  std::ranges::sort(items);
  return std::make_shared<DrawnItems>(std::move(data), std::move(items));
}

std::vector<PreprocessingTrial> try_preprocessings(const Registry& registry, Network& network,
                                                   std::shared_ptr<const Dataset> data, int batch,
                                                   const std::string& loss,
                                                   const std::optional<Preprocessing>& stored,
                                                   Progress& progress) {
  const Shape& input = network.shape(network.inputs().at(0));
  if (network.inputs().size() != 1 || input.rank() != 4)
    throw UsageError(fmt::format(
        "a preprocessing is found for models of one image; this one takes {}",
        network.inputs().size() == 1 ? input.str()
                                     : fmt::format("{} inputs", network.inputs().size())));
  data = std::make_shared<KeptItems>(std::move(data));
  std::vector<PreprocessingTrial> trials = candidates(input.channels(), stored);
  const std::optional<Preprocessing> before = network.preprocessing;
  for (PreprocessingTrial& t : trials) {
    network.preprocessing = t.preprocessing;
    const Evaluation e = evaluate(registry, network, data, batch, loss, {"accuracy"}, progress);
    if (e.metrics.empty()) throw DataError("the data have no labels to find a preprocessing by");
    t.accuracy = e.metrics[0];
    // Pixels of a scale that the network never saw may overflow it.
    t.loss = std::isfinite(e.loss) ? e.loss : std::numeric_limits<double>::infinity();
  }
  network.preprocessing = before;
  std::ranges::stable_sort(trials, [](const auto& a, const auto& b) {
    return a.accuracy != b.accuracy ? a.accuracy > b.accuracy : a.loss < b.loss;
  });
  return trials;
}

}  // namespace ocellus
