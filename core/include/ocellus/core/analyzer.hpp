#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ocellus/core/dataset.hpp"
#include "ocellus/core/execution.hpp"
#include "ocellus/core/progress.hpp"
#include "ocellus/core/results.hpp"

namespace ocellus {

/// An image to be explained.
struct AnalysisImage {
  std::string name;  ///< file, or "test 17"
  Array pixels;      ///< u8 (H, W, C) of the network's input size, before preprocessing
  std::optional<int> label;
};

/// What `--target` says: the class that is explained.
struct TargetChoice {
  enum class Kind { label_or_predicted, label, predicted, index } kind = Kind::label_or_predicted;
  int index = 0;
};

/// All that an analyzer gets. Helpers here keep analyzers short: batches sized to memory,
/// preprocessing, names of classes.
class OCELLUS_API AnalysisContext {
 public:
  AnalysisContext(const Registry& registry, Network& network, Progress& progress, Log& log);
  ~AnalysisContext();

  const Registry& registry;
  Network& network;
  Progress& progress;
  Log& log;
  std::vector<AnalysisImage> images;
  std::shared_ptr<Dataset> dataset;  ///< null when none was given
  TargetChoice target;
  uint64_t seed = 0;
  double budget_seconds = 0;  ///< 0: none

  opencl::Device& device() const { return network.device(); }
  opencl::Queue& queue() const { return network.device().compute(); }
  /// Pixels 0..255, u8 or f32, (N, H, W, C), preprocessed into the first N items of an f32 input
  /// tensor. Throws DataError on NaN and ShapeError when they do not fit.
  void load(const Array& pixels, const Tensor& to) const;
  /// Affine map of the model's preprocessing for its input's channels.
  void preprocessing(std::vector<float>& scale, std::vector<float>& shift,
                     std::vector<int>& order) const;
  /// An Execution with the largest batch up to options.batch that fits the memory that is free, and
  /// that batch alone.
  std::unique_ptr<Execution> execution(ExecutionOptions options) const;
  int batch_for(int wanted, ExecutionOptions options) const;
  /// Tensor `name` of each of the pixels' items (N, H, W, C), in batches: f32 (N, ...). Shows
  /// progress under `label` unless empty.
  Array evaluate(const Array& pixels, const std::string& tensor,
                 const std::string& label = {}) const;

  // Classes. A network ends in softmax, in sigmoids, or in plain logits, which are taken for a
  // softmax's; one single unit stands for two classes, class 0 having the negated logit.
  /// Name of the tensor of logits (N, units). Throws UsageError when the network's output is no
  /// vector of classes.
  std::string logits() const;
  /// "Sneaker", or "class 7".
  std::string class_name(int index) const;
  int class_count() const;
  /// Unit and sign of a class's logit.
  std::pair<int, float> unit_of(int class_index) const;
  /// From logits (N, units) to (N, classes): logits again, or probabilities.
  Array class_logits(const Array& logits) const;
  Array class_probabilities(const Array& logits) const;
  /// Probabilities (N, classes) of pixels (N, H, W, C).
  Array probabilities(const Array& pixels) const;
  /// The best `count` classes of row `row` of scores (N, classes), by name.
  std::vector<std::pair<std::string, double>> top(const Array& scores, int row = 0,
                                                  int count = 5) const;
  /// The class to explain for an image whose scores are (1, classes), and "Sneaker (label)" for the
  /// output.
  int target_of(const AnalysisImage& image, const Array& scores, std::string& description) const;
  /// Throws Interrupted when the user asked to stop or the budget is spent.
  void check_stop() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// What an analyzer needs to be given; tools check it and say what is missing.
struct AnalyzerNeeds {
  bool model = true;
  bool images = false;
  bool dataset = false;
};

/// A way of looking into a network. Returns typed results; core renders the report.
class OCELLUS_API Analyzer {
 public:
  using Interface = Analyzer;
  static constexpr Kind kind = Kind::analyzer;
  virtual ~Analyzer();
  virtual AnalyzerNeeds needs() const = 0;
  virtual Results run(AnalysisContext& context) const = 0;
};

}  // namespace ocellus
