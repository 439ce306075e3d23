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
  std::string name;        ///< file, or "test 17"
  Array pixels;            ///< u8 (H, W, C) of the network's input size, before preprocessing
  std::optional<int> label;
};

/// What `--target` says: the class that is explained.
struct TargetChoice {
  enum class Kind { label_or_predicted, label, predicted, index } kind = Kind::label_or_predicted;
  int index = 0;
};

/// All that an analyzer gets. Helpers here keep analyzers short: batches sized to memory, preprocessing, names of classes.
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
  /// Preprocessed f32 input tensor contents for u8 or f32 pixels (N, H, W, C), on the device.
  void load(const Array& pixels, const Tensor& to) const;
  /// Affine map of the model's preprocessing for its input's channels.
  void preprocessing(std::vector<float>& scale, std::vector<float>& shift, std::vector<int>& order) const;
  /// Largest batch up to `wanted` whose Execution fits the memory that is free.
  int batch_for(int wanted, const ExecutionOptions& options) const;
  /// "Sneaker", or "class 7".
  std::string class_name(int index) const;
  int class_count() const;
  /// Scores of all classes: softmax or sigmoid probabilities (N, classes). One sigmoid unit counts as two classes.
  Array probabilities(const Array& pixels) const;
  /// The class to explain for an image, and "Sneaker (label)" for the output.
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

/// Names of flags that tools own; an analyzer's parameter of that name is refused at registration.
OCELLUS_API const std::vector<std::string>& reserved_flags();

}  // namespace ocellus
