#include "ocellus/core/analyzer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <numeric>

namespace ocellus {
namespace {

using Clock = std::chrono::steady_clock;

// Items of one evaluation; larger batches gain nothing, and small networks keep the device busy
// with this.
constexpr int evaluation_batch = 64;

// Items [first, first + count) of an array.
Array items(const Array& all, int first, int count) {
  Array some(all.shape().with_batch(count), all.type());
  const size_t size =
      static_cast<size_t>(all.shape().without_batch().elements()) * bytes_of(all.type());
  std::memcpy(some.bytes().data(), all.bytes().data() + size * first, size * count);
  return some;
}

void softmax(std::span<const float> x, std::span<float> y) {
  const float largest = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (float v : x) sum += std::exp(double{v} - largest);
  for (size_t i = 0; i < x.size(); ++i)
    y[i] = static_cast<float>(std::exp(double{x[i]} - largest) / sum);
}

float sigmoid(float x) { return static_cast<float>(1 / (1 + std::exp(-double{x}))); }

}  // namespace

struct AnalysisContext::State {
  Clock::time_point start = Clock::now();
  // The Execution of the last evaluate(): analyzers score image after image.
  std::unique_ptr<Execution> execution;
  std::string fetched;
};

Analyzer::~Analyzer() = default;

AnalysisContext::AnalysisContext(const Registry& registry_, Network& network_, Progress& progress_,
                                 Log& log_)
    : registry(registry_),
      network(network_),
      progress(progress_),
      log(log_),
      state_(std::make_unique<State>()) {}
AnalysisContext::~AnalysisContext() = default;

void AnalysisContext::preprocessing(std::vector<float>& scale, std::vector<float>& shift,
                                    std::vector<int>& order) const {
  const int channels = network.shape(network.inputs().at(0)).channels();
  network.preprocessing.value_or(Preprocessing{}).affine(channels, scale, shift, order);
}

void AnalysisContext::load(const Array& pixels, const Tensor& to) const {
  const Shape item = to.shape.without_batch();
  if (pixels.shape().rank() != to.shape.rank() || pixels.shape().without_batch() != item ||
      pixels.shape()[0] > to.shape[0])
    throw ShapeError(fmt::format("images of shape {} do not fit an input of shape {}",
                                 pixels.shape().str(), to.shape.str()));
  std::vector<float> scale, shift;
  std::vector<int> order;
  preprocessing(scale, shift, order);
  const Array raw = pixels.to_f32();
  Array ready(pixels.shape(), DType::f32);
  const size_t channels = order.size();
  for (size_t i = 0; i < raw.f32().size(); i += channels)
    for (size_t c = 0; c < channels; ++c) {
      const float v = raw.f32()[i + order[c]];
      if (!std::isfinite(v))
        throw DataError(fmt::format("image {} holds NaN or an infinity", i / item.elements()));
      ready.f32()[i + c] = v * scale[c] + shift[c];
    }
  upload(queue(), ready, to.items(0, pixels.shape()[0]));
}

std::unique_ptr<Execution> AnalysisContext::execution(ExecutionOptions options) const {
  for (;;) {
    try {
      return std::make_unique<Execution>(network, options);
    } catch (const OutOfDeviceMemory&) {
      if (options.batch == 1) throw;
      options.batch /= 2;
    }
  }
}

int AnalysisContext::batch_for(int wanted, ExecutionOptions options) const {
  options.batch = wanted;
  return execution(std::move(options))->options().batch;
}

Array AnalysisContext::evaluate(const Array& pixels, const std::string& tensor,
                                const std::string& label) const {
  const int count = pixels.shape()[0];
  const int wanted = std::min(count, evaluation_batch);
  State& s = *state_;
  if (!s.execution || s.fetched != tensor || s.execution->options().batch < wanted) {
    s.execution.reset();
    s.execution = execution({.batch = wanted, .fetches = {tensor}});
    s.fetched = tensor;
  }
  Execution& run = *s.execution;
  const int batch = run.options().batch;
  Array all(run.fetch().shape.with_batch(count), DType::f32);
  const size_t size = static_cast<size_t>(all.shape().without_batch().elements()) * sizeof(float);
  for (int first = 0; first < count; first += batch) {
    check_stop();
    const int n = std::min(batch, count - first);
    load(items(pixels, first, n), run.feed());
    run.forward();
    const Array some = download(queue(), run.fetch().items(0, n));
    std::memcpy(all.bytes().data() + size * first, some.bytes().data(), size * n);
    if (!label.empty()) progress.update(label, first + n, count);
  }
  return all;
}

std::string AnalysisContext::logits() const {
  const NodeOutput t = network.logits();
  if (network.shape(t).rank() != 2)
    throw UsageError(fmt::format(
        "the network's output '{}' has shape {}: this needs scores of classes, (N, classes)",
        network.tensor_name(t), network.shape(t).str()));
  return network.tensor_name(t);
}

std::string AnalysisContext::class_name(int index) const {
  if (index >= 0 && index < static_cast<int>(network.classes.size())) return network.classes[index];
  return fmt::format("class {}", index);
}

int AnalysisContext::class_count() const {
  const int units = network.shape(network.tensor(logits())).channels();
  return units == 1 ? 2 : units;
}

std::pair<int, float> AnalysisContext::unit_of(int class_index) const {
  const int classes = class_count();
  if (class_index < 0 || class_index >= classes)
    throw UsageError(fmt::format("there is no class {}: the network knows classes 0 to {}",
                                 class_index, classes - 1));
  if (network.shape(network.tensor(logits())).channels() == 1)
    return {0, class_index == 1 ? 1.0f : -1.0f};
  return {class_index, 1.0f};
}

Array AnalysisContext::class_logits(const Array& logits) const {
  if (logits.shape().channels() != 1) return logits;
  Array both(Shape{logits.shape()[0], 2}, DType::f32);
  for (int i = 0; i < logits.shape()[0]; ++i) {
    both.f32()[2 * i] = -logits.f32()[i];
    both.f32()[2 * i + 1] = logits.f32()[i];
  }
  return both;
}

Array AnalysisContext::class_probabilities(const Array& logits) const {
  Probability which = Probability::none;
  network.logits(&which);
  Array out = class_logits(logits);
  const size_t classes = static_cast<size_t>(out.shape().channels());
  const auto values = out.f32();
  // Of one unit with two classes, sigmoid(-z) and sigmoid(z) are the probabilities.
  if (which == Probability::sigmoid || logits.shape().channels() == 1) {
    for (float& v : values) v = sigmoid(v);
  } else {
    for (size_t i = 0; i < values.size(); i += classes)
      softmax(values.subspan(i, classes), values.subspan(i, classes));
  }
  return out;
}

Array AnalysisContext::probabilities(const Array& pixels) const {
  return class_probabilities(evaluate(pixels, logits()));
}

std::vector<std::pair<std::string, double>> AnalysisContext::top(const Array& scores, int row,
                                                                 int count) const {
  const int classes = scores.shape().channels();
  const auto values = scores.f32().subspan(static_cast<size_t>(row) * classes, classes);
  std::vector<int> order(classes);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return values[a] > values[b]; });
  std::vector<std::pair<std::string, double>> best;
  for (int i = 0; i < std::min(count, classes); ++i)
    best.emplace_back(class_name(order[i]), values[order[i]]);
  return best;
}

int AnalysisContext::target_of(const AnalysisImage& image, const Array& scores,
                               std::string& description) const {
  const int classes = class_count();
  const auto described = [&](int index, const char* why) {
    description = fmt::format("{} ({})", class_name(index), why);
    return index;
  };
  using Kind = TargetChoice::Kind;
  if (target.kind == Kind::index) {
    unit_of(target.index);  // throws for a class that is not there
    return described(target.index, "chosen");
  }
  const bool wants_label = target.kind != Kind::predicted;
  if (wants_label && image.label && *image.label >= 0 && *image.label < classes)
    return described(*image.label, "label");
  if (target.kind == Kind::label)
    throw UsageError(
        fmt::format("{}: its label is not known; say which class with --target", image.name));
  const auto row = scores.f32().subspan(0, classes);
  return described(static_cast<int>(std::max_element(row.begin(), row.end()) - row.begin()),
                   "predicted");
}

void AnalysisContext::check_stop() const {
  if (progress.stop_requested()) throw Interrupted("stopped on request");
  const double seconds = std::chrono::duration<double>(Clock::now() - state_->start).count();
  if (budget_seconds > 0 && seconds > budget_seconds)
    throw Interrupted(fmt::format("the time budget of {:g} s is spent", budget_seconds));
}

}  // namespace ocellus
