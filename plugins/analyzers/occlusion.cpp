// occlusion: which parts of an image a network's answer hangs on. A window is moved over the image
// and hidden; the class's score on the clean image minus that on the occluded one is spread over
// the window's pixels (their mean where windows overlap). M. Zeiler and R. Fergus, "Visualizing and
// understanding convolutional networks", ECCV 2014, with the paper's three maps: the class's score,
// the most probable class, and the total activation of the strongest feature map of a layer.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "analyzers.hpp"
#include "ocellus/core/incremental.hpp"
#include "ocellus/core/random.hpp"
#include "ocellus/opencl/movement.hpp"
#include "ocellus/opencl/reduce.hpp"
#include "ocellus_embedding_kernels.hpp"

namespace ocellus::analyzers {
namespace {

struct Options {
  std::optional<Size> window, stride;
  bool quick = false;
  std::string fill = "mean", score = "probability";
  std::optional<LayerName> layer;
  int batch_size = 64;
  std::string method = "auto";
};

struct Box {
  int32_t top, left, bottom, right;
};

/// Windows over an image: rows x columns of them, the last of each axis clipped at the border.
struct Windows {
  int rows = 0, columns = 0;
  std::vector<Box> boxes;
};

int positions(int extent, int window, int stride) {
  return extent <= window ? 1 : (extent - window + stride - 1) / stride + 1;
}

Windows windows_over(Size image, Size window, Size stride) {
  Windows w{positions(image.h, window.h, stride.h), positions(image.w, window.w, stride.w), {}};
  for (int y = 0; y < w.rows; ++y)
    for (int x = 0; x < w.columns; ++x) {
      const int top = y * stride.h, left = x * stride.w;
      w.boxes.push_back(
          {top, left, std::min(image.h, top + window.h), std::min(image.w, left + window.w)});
    }
  return w;
}

/// (H, W): mean over the windows that cover a pixel; 0 where none does.
Array covering_mean(const Windows& w, Size image, std::span<const float> values) {
  std::vector<double> sum(static_cast<size_t>(image.h) * image.w), count(sum.size());
  for (size_t i = 0; i < w.boxes.size(); ++i)
    for (int y = w.boxes[i].top; y < w.boxes[i].bottom; ++y)
      for (int x = w.boxes[i].left; x < w.boxes[i].right; ++x) {
        sum[static_cast<size_t>(y) * image.w + x] += values[i];
        ++count[static_cast<size_t>(y) * image.w + x];
      }
  Array map(Shape{image.h, image.w}, DType::f32);
  for (size_t i = 0; i < sum.size(); ++i)
    map.f32()[i] = count[i] > 0 ? static_cast<float>(sum[i] / count[i]) : 0.0f;
  return map;
}

/// Gaussian blur of (H, W, C); outside the image the weights are left out and the rest
/// renormalised.
Array blurred(const Array& image, double sigma) {
  const int radius = std::max(1, static_cast<int>(std::ceil(3 * sigma))),
            channels = image.shape()[2];
  Array once(image.shape(), DType::f32), twice(image.shape(), DType::f32);
  const int extent[] = {image.shape()[0], image.shape()[1]};
  for (int axis = 0; axis < 2; ++axis) {
    const auto from = axis == 0 ? image.f32() : std::as_const(once).f32();
    const auto to = axis == 0 ? once.f32() : twice.f32();
    for (int y = 0; y < extent[0]; ++y)
      for (int x = 0; x < extent[1]; ++x)
        for (int c = 0; c < channels; ++c) {
          double sum = 0, weight = 0;
          for (int d = -radius; d <= radius; ++d) {
            const int yy = axis == 0 ? y + d : y, xx = axis == 0 ? x : x + d;
            if (yy < 0 || xx < 0 || yy >= extent[0] || xx >= extent[1]) continue;
            const double g = std::exp(-d * d / (2 * sigma * sigma));
            sum += g * from[(static_cast<size_t>(yy) * extent[1] + xx) * channels + c];
            weight += g;
          }
          to[(static_cast<size_t>(y) * extent[1] + x) * channels + c] =
              static_cast<float>(sum / weight);
        }
  }
  return twice;
}

/// What stands in a hidden window, pixels 0..255 (H, W, C). All channels are hidden together.
Array fill_image(const std::string& fill, const Array& image, Size window, uint64_t seed) {
  Array out(image.shape(), DType::f32);
  const auto values = out.f32();
  const size_t channels = static_cast<size_t>(image.shape()[2]), pixels = values.size() / channels;
  if (fill == "blur") return blurred(image, std::max(1.0, 0.5 * std::max(window.h, window.w)));
  if (fill == "zero") return out;
  if (fill == "grey" || fill == "gray") {
    std::fill(values.begin(), values.end(), 127.5f);
    return out;
  }
  std::vector<double> mean(channels), deviation(channels);
  for (size_t i = 0; i < values.size(); ++i)
    mean[i % channels] += double{image.f32()[i]} / static_cast<double>(pixels);
  if (fill == "mean") {
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(mean[i % channels]);
    return out;
  }
  if (fill == "noise") {
    for (size_t i = 0; i < values.size(); ++i)
      deviation[i % channels] +=
          std::pow(image.f32()[i] - mean[i % channels], 2) / static_cast<double>(pixels);
    Random random(seed);
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<float>(std::clamp(
          mean[i % channels] + std::sqrt(deviation[i % channels]) * random.normal(), 0.0, 255.0));
    return out;
  }
  try {
    size_t end = 0;
    const float number = std::stof(fill, &end);
    if (end != fill.size() || !std::isfinite(number)) throw std::invalid_argument(fill);
    std::fill(values.begin(), values.end(), number);
    return out;
  } catch (const std::exception&) {
    throw UsageError(fmt::format(
        "occlusion: fill '{}' is none of mean, zero, grey, blur, noise, or a number 0..255", fill));
  }
}

/// Answers of the network: the clean image first, then a row a window.
struct Answers {
  Array logits;      ///< (1 + windows, units)
  Array activation;  ///< (1 + windows, channels of the layer): mean over its pixels; empty without
                     ///< a layer
  bool incremental = false;
};

class Occlusion final : public Analyzer {
 public:
  explicit Occlusion(Options options) : options_(std::move(options)) {}
  AnalyzerNeeds needs() const override { return {.images = true}; }
  Results run(AnalysisContext& context) const override;

 private:
  void explain(AnalysisContext& context, const AnalysisImage& image, const std::string& layer,
               Results& results) const;
  Answers answer(AnalysisContext& context, const Array& image, const Array& fill,
                 const Windows& windows, Size window, const std::string& layer,
                 const std::string& label) const;
  Size window(Size image) const;
  Size stride(Size image, Size window) const;

  Options options_;
};

// 16 of 224 pixels, and no fewer than 4: what is smaller hides nothing that a network could not
// guess.
Size Occlusion::window(Size image) const {
  if (options_.window)
    return {std::min(options_.window->h, image.h), std::min(options_.window->w, image.w)};
  const auto side = [&](int extent) {
    const int wanted = static_cast<int>(std::lround(extent * (options_.quick ? 0.2 : 16.0 / 224)));
    return std::min(extent, std::max(4, wanted));
  };
  return {side(image.h), side(image.w)};
}

Size Occlusion::stride(Size image, Size window) const {
  if (options_.stride) {
    if (options_.stride->h > window.h || options_.stride->w > window.w)
      throw UsageError(
          fmt::format("occlusion: stride {}x{} exceeds the window {}x{}: pixels between the "
                      "windows would never be hidden",
                      options_.stride->h, options_.stride->w, window.h, window.w));
    return *options_.stride;
  }
  const auto side = [&](int extent, int w) {
    return std::clamp(options_.quick ? static_cast<int>(std::lround(extent * 0.1)) : w / 4, 1, w);
  };
  return {side(image.h, window.h), side(image.w, window.w)};
}

/// Runs the network on occluded copies of an image, batch by batch: in full, or only what a window
/// can change.
class Passes {
 public:
  Passes(AnalysisContext& context, const Windows& windows, Size window,
         std::vector<std::string> fetches, const std::string& method, int batch_size);
  int batch() const { return batch_; }
  bool incremental() const { return incremental_ != nullptr; }
  Tensor fetch(size_t i) const { return incremental_ ? incremental_->fetch(i) : full_->fetch(i); }
  void start(const Tensor& clean, const Tensor& fill);
  /// Items [first, first + count); item 0 is the clean image.
  void run(int first, int count);

 private:
  AnalysisContext& context_;
  int batch_ = 0;
  Shape image_;
  std::vector<Box> boxes_;
  std::vector<std::array<int, 2>> origins_;
  std::unique_ptr<Execution> full_;
  std::unique_ptr<Incremental> incremental_;
  opencl::Kernel occlude_;
  opencl::Buffer box_buffer_, origin_buffer_;
  Tensor clean_, fill_;
};

Passes::Passes(AnalysisContext& context, const Windows& windows, Size window,
               std::vector<std::string> fetches, const std::string& method, int batch_size)
    : context_(context), image_(context.network.shape(context.network.inputs().front())) {
  boxes_.push_back({0, 0, 0, 0});  // nothing hidden
  boxes_.insert(boxes_.end(), windows.boxes.begin(), windows.boxes.end());
  const int wanted = std::min(batch_size, static_cast<int>(boxes_.size()));
  // A box at the border is smaller than the window; the changed window is then moved inwards.
  for (const Box& b : boxes_)
    origins_.push_back(
        {std::min(b.top, image_[1] - window.h), std::min(b.left, image_[2] - window.w)});
  if (method != "full" && context.network.inputs().size() == 1) {
    IncrementalOptions o;
    o.batch = context.batch_for(wanted, {.batch = wanted, .fetches = fetches});
    o.fetches = fetches;
    o.patch_h = window.h;
    o.patch_w = window.w;
    o.origins = origins_;
    incremental_ = std::make_unique<Incremental>(context.network, o);
    batch_ = o.batch;
    // Cutting and scattering windows costs time of its own: it must save a third of the arithmetic
    // to pay.
    if (method == "auto" &&
        incremental_->multiply_adds() > 0.67 * incremental_->full_multiply_adds())
      incremental_.reset();
  }
  if (!incremental_) {
    full_ = context.execution({.batch = wanted, .fetches = std::move(fetches)});
    batch_ = full_->options().batch;
    for (auto& o : origins_) o = {0, 0};
  }
  boxes_.resize(opencl::Range::round_up(boxes_.size(), batch_));
  origins_.resize(boxes_.size());
  opencl::Device& device = context.device();
  occlude_ = device.kernel(kernels::occlusion_cl(), "occlude");
  box_buffer_ = device.allocate(sizeof(Box) * batch_, "occlusion windows");
  origin_buffer_ = device.allocate(sizeof(int32_t) * 2 * batch_, "occlusion windows");
}

void Passes::start(const Tensor& clean, const Tensor& fill) {
  clean_ = clean;
  fill_ = fill;
  if (!incremental_) return;
  opencl::copy_matrix(context_.queue(), clean.operand(), incremental_->image().operand(),
                      clean.shape.pixels(), clean.shape.channels());
  incremental_->run_clean();
}

void Passes::run(int first, int count) {
  opencl::Queue& queue = context_.queue();
  queue.write(box_buffer_, 0, &boxes_[first], sizeof(Box) * batch_);
  queue.write(origin_buffer_, 0, &origins_[first], sizeof(int32_t) * 2 * batch_);
  const Tensor to = incremental_ ? incremental_->patches() : full_->feed();
  queue.set_label("occlusion");
  occlude_(queue, opencl::Range::of(static_cast<size_t>(to.shape[1]) * to.shape[2], batch_, 64, 1),
           clean_.buffer, fill_.buffer, box_buffer_, origin_buffer_, to.buffer,
           static_cast<int32_t>(to.offset), image_[2], to.shape[1], to.shape[2], to.shape[3],
           batch_);
  if (incremental_)
    incremental_->run(first, count);
  else
    full_->forward();
}

Answers Occlusion::answer(AnalysisContext& context, const Array& image, const Array& fill,
                          const Windows& windows, Size window, const std::string& layer,
                          const std::string& label) const {
  const Shape item = image.shape();
  const int total = static_cast<int>(windows.boxes.size()) + 1;
  std::vector<std::string> fetches = {context.logits()};
  if (!layer.empty()) fetches.push_back(layer);
  Passes passes(context, windows, window, fetches, options_.method, options_.batch_size);
  const int batch = passes.batch();
  opencl::Queue& queue = context.queue();
  opencl::Device& device = context.device();

  const Tensor clean = Tensor::make(device, item.batched(1), "the clean image"),
               hidden = Tensor::make(device, item.batched(1), "the fill");
  context.load(image.reshaped(item.batched(1)), clean);
  context.load(fill.reshaped(item.batched(1)), hidden);
  passes.start(clean, hidden);

  Answers answers;
  answers.incremental = passes.incremental();
  answers.logits = Array(Shape{total, passes.fetch(0).shape.channels()}, DType::f32);
  Tensor maps, means;
  std::optional<opencl::Reduce> mean;
  if (!layer.empty()) {
    maps = passes.fetch(1);
    const int pixels = maps.shape.pixels() / batch, channels = maps.shape.channels();
    means = Tensor::make(device, Shape{batch, channels}, "mean activations");
    mean.emplace(device, opencl::Reduce::Op::mean_segments, batch * pixels, channels, pixels);
    answers.activation = Array(Shape{total, channels}, DType::f32);
  }
  const opencl::Buffer workspace = mean && mean->workspace_bytes()
                                       ? device.allocate(mean->workspace_bytes(), "reduction")
                                       : opencl::Buffer{};
  const auto keep = [&](const Tensor& from, Array& to, int first, int count) {
    const Array some = download(queue, from.items(0, count));
    std::copy(some.f32().begin(), some.f32().end(),
              to.f32().begin() + static_cast<std::ptrdiff_t>(first) * from.shape.channels());
  };
  for (int first = 0; first < total; first += batch) {
    context.check_stop();
    const int count = std::min(batch, total - first);
    passes.run(first, count);
    if (mean) mean->run(queue, maps.operand(), means.operand(), workspace);
    keep(passes.fetch(0), answers.logits, first, count);
    if (mean) keep(means, answers.activation, first, count);
    context.progress.update(label, first + count, total);
  }
  return answers;
}

// Which class wins where the window hides a place: a picture with a pixel a window, and its legend.
void add_winners(AnalysisContext& context, const AnalysisImage& image, const Windows& windows,
                 const Array& scores, Results& results) {
  struct Paint {
    const char* name;
    std::array<uint8_t, 3> rgb;
  };
  static constexpr Paint paints[] = {
      {"blue", {78, 121, 167}},   {"orange", {242, 142, 43}},  {"red", {225, 87, 89}},
      {"green", {89, 161, 79}},   {"purple", {176, 122, 161}}, {"teal", {118, 183, 178}},
      {"yellow", {212, 178, 31}}, {"pink", {255, 157, 167}},   {"brown", {156, 117, 95}}};
  constexpr Paint rest{"grey", {140, 140, 140}};
  const int classes = scores.shape().channels();
  std::vector<int> winners, votes(classes);
  for (size_t i = 1; i <= windows.boxes.size(); ++i) {
    const auto row = scores.f32().subspan(i * classes, classes);
    winners.push_back(static_cast<int>(std::max_element(row.begin(), row.end()) - row.begin()));
    ++votes[winners.back()];
  }
  std::vector<int> order(classes);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return votes[a] > votes[b]; });
  std::vector<const Paint*> paint(classes, &rest);
  std::string legend;
  for (size_t i = 0; i < order.size() && votes[order[i]] > 0; ++i) {
    if (i < std::size(paints)) paint[order[i]] = &paints[i];
    legend += fmt::format("{}{}: {}, {:.1f} %", i ? "\n" : "", paint[order[i]]->name,
                          context.class_name(order[i]),
                          100.0 * votes[order[i]] / static_cast<double>(winners.size()));
  }
  if (votes[order[0]] == static_cast<int>(winners.size())) {
    results.add(Note{fmt::format("{}: wherever the window lies, the most probable class is {}.",
                                 image.name, context.class_name(order[0]))});
    return;
  }
  Array picture(Shape{windows.rows, windows.columns, 3}, DType::u8);
  for (size_t i = 0; i < winners.size(); ++i)
    std::copy_n(paint[winners[i]]->rgb.begin(), 3, &picture.u8()[3 * i]);
  results.add(ImageGrid{
      image.name + ": most probable class while a place is hidden", {picture}, {legend}, 0, true});
}

// How far the total activation of the map falls that the clean image excites most.
void add_strongest_map(const AnalysisImage& image, const Attribution& by_class,
                       const Windows& windows, Size size, const Array& activation,
                       const std::string& layer, int pixels, Results& results) {
  const int channels = activation.shape().channels();
  const auto clean = activation.f32().subspan(0, channels);
  const int strongest =
      static_cast<int>(std::max_element(clean.begin(), clean.end()) - clean.begin());
  std::vector<float> falls;
  for (size_t i = 1; i <= windows.boxes.size(); ++i)
    falls.push_back((clean[strongest] - activation.f32()[i * channels + strongest]) *
                    static_cast<float>(pixels));
  Attribution a = by_class;
  a.title = fmt::format("{}: what the strongest feature map of {} answers to", image.name, layer);
  a.map = covering_mean(windows, size, falls);
  a.target = fmt::format("{}, channel {}", layer, strongest);
  a.units = "activation drop";
  a.score = clean[strongest] * pixels;
  a.top.clear();
  results.add(a);
}

void Occlusion::explain(AnalysisContext& context, const AnalysisImage& image,
                        const std::string& layer, Results& results) const {
  const Size size = image_size(context), hidden = window(size), step = stride(size, hidden);
  const Windows windows = windows_over(size, hidden, step);
  const Array pixels = pixels_of(image);
  const Array fill = fill_image(options_.fill, pixels, hidden, context.seed);
  const Answers answers =
      answer(context, pixels, fill, windows, hidden, layer, "occlusion " + image.name);

  const Array probabilities = context.class_probabilities(answers.logits);
  const Array scores =
      options_.score == "logit" ? context.class_logits(answers.logits) : probabilities;
  const int classes = scores.shape().channels();
  Attribution a;
  const int target = context.target_of(image, probabilities, a.target);
  std::vector<float> drops;
  for (size_t i = 1; i <= windows.boxes.size(); ++i)
    drops.push_back(scores.f32()[target] - scores.f32()[i * classes + target]);
  a.title = image.name;
  a.input = image.pixels;
  a.map = covering_mean(windows, size, drops);
  a.method = fmt::format("occlusion, window {}x{}, stride {}x{}, fill {}", hidden.h, hidden.w,
                         step.h, step.w, options_.fill);
  a.units = options_.score + " drop";
  a.score = scores.f32()[target];
  a.top = context.top(probabilities);
  results.add(a);

  const int worst =
      1 + static_cast<int>(std::max_element(drops.begin(), drops.end()) - drops.begin());
  const Box& box = windows.boxes[worst - 1];
  Table table{
      fmt::format(
          "{}: before and after hiding rows {} to {}, columns {} to {}, where it hurts most",
          image.name, box.top, box.bottom - 1, box.left, box.right - 1),
      {"class", "before", "after"},
      {}};
  std::vector<int> order(classes);
  std::iota(order.begin(), order.end(), 0);
  const auto best = [&](int c) {
    return std::max(probabilities.f32()[c],
                    probabilities.f32()[static_cast<size_t>(worst) * classes + c]);
  };
  std::stable_sort(order.begin(), order.end(), [&](int x, int y) { return best(x) > best(y); });
  for (int i = 0; i < std::min(5, classes); ++i)
    table.rows.push_back(
        {context.class_name(order[i]), double{probabilities.f32()[order[i]]},
         double{probabilities.f32()[static_cast<size_t>(worst) * classes + order[i]]}});
  results.add(table);
  add_winners(context, image, windows, probabilities, results);
  if (!layer.empty()) {
    const Shape map = feature_map_shape(context.network, layer);
    add_strongest_map(image, a, windows, size, answers.activation, layer, map[0] * map[1], results);
  }
}

Results Occlusion::run(AnalysisContext& context) const {
  expect_images(context, "occlusion");
  std::string layer;
  if (options_.layer) {
    layer = options_.layer->value;
    feature_map_shape(context.network, layer);
  } else if (const std::vector<std::string> known = convolutions(context.network); !known.empty()) {
    layer = known.back();
  }
  Results results{"occlusion", "Occlusion sensitivity", {}};
  results.add(
      Note{fmt::format("How far the class's {} falls while a window of the image is hidden. Red: "
                       "hiding it hurts; blue: hiding it helps.",
                       options_.score)});
  for (const AnalysisImage& image : context.images) explain(context, image, layer, results);
  return results;
}

}  // namespace

void register_occlusion(Registrar& r) {
  Parameters<Options> p;
  p.add("window", &Options::window,
        "size of the window that is hidden; null: 7 % of the side, at least 4 pixels");
  p.add("stride", &Options::stride, "distance of the windows; null: a quarter of the window");
  p.add("quick", &Options::quick, "windows of 20 % of the side, 10 % apart");
  p.add("fill", &Options::fill,
        "what stands in the window: mean (of each channel), zero, grey, blur, noise, or a number "
        "0..255");
  p.add("score", &Options::score, "whose fall is shown").one_of({"probability", "logit"});
  p.add("layer", &Options::layer,
        "layer whose strongest feature map is followed; null: the last convolution");
  p.add("method", &Options::method,
        "full passes, or only what a window can change (the same result); auto: what is cheaper")
      .one_of({"auto", "full", "incremental"});
  p.add("batch_size", &Options::batch_size, "masked images at a time; memory may make it fewer")
      .min(1);
  r.add<Occlusion>("occlusion", "which parts of an image the class hangs on: hide them one by one",
                   std::move(p));
}

}  // namespace ocellus::analyzers
