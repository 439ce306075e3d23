#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ocellus/core/execution.hpp"
#include "ocellus/core/network.hpp"
#include "ocellus/core/regularizers.hpp"
#include "ocellus/opencl/reduce.hpp"

/// What regularizers add to the loss, as in Keras 3: those of weights once a batch, those of
/// activities (what layers give) as a mean over the batch.
namespace ocellus::training {

/// l1 sum |x| + l2 sum x^2 over some tensors.
class PenaltySum {
 public:
  struct Term {
    Tensor x;  ///< contiguous
    float l1 = 0, l2 = 0;
  };
  PenaltySum(opencl::Device& device, std::vector<Term> terms);
  bool empty() const { return terms_.empty(); }
  void measure(opencl::Queue& queue) const;
  /// Adds what measure() found to each loss of a batch, f32 (batch).
  void add_to(opencl::Queue& queue, const Tensor& losses) const;
  /// The derivative by term t, l1 sign(x) + 2 l2 x, into a contiguous tensor of as many elements,
  /// or added to it.
  void gradient(opencl::Queue& queue, size_t t, const opencl::Buffer& to, uint32_t offset,
                bool accumulate) const;

 private:
  std::vector<Term> terms_;
  std::vector<uint32_t> first_part_;
  uint32_t length_ = 1;  ///< elements that a work-item adds up
  bool blocks_ = false;  ///< they are neighbours, as CPUs like it
  uint32_t parts_ = 0;
  opencl::Buffer part_sums_, penalty_, workspace_;
  std::optional<opencl::Reduce> sum_;
  opencl::Kernel measure_, add_, gradient_;
};

/// That of the weights; frozen layers do not count. Reads the parameters where they lie: make and
/// measure it before an Execution gives memory of them back.
class Penalty {
 public:
  explicit Penalty(const Network& network) : Penalty(network, terms_of(network)) {}
  /// Whether there is none.
  bool empty() const { return sum_.empty(); }
  /// Computes the penalty of the present weights.
  void measure(opencl::Queue& queue) { sum_.measure(queue); }
  void add_to(opencl::Queue& queue, const Tensor& losses) const { sum_.add_to(queue, losses); }
  void add_gradient(opencl::Queue& queue, const Arenas& gradients) const;

 private:
  struct Terms {
    std::vector<PenaltySum::Term> sums;
    std::vector<Segment> segments;
  };
  static Terms terms_of(const Network& network);
  Penalty(const Network& network, Terms terms);

  PenaltySum sum_;
  std::vector<Segment> segments_;
};

/// A tensor that a layer's `activity_regularizer`, or an ActivityRegularizing layer, is about.
struct Activity {
  std::string tensor;
  Regularizer factors;
};
std::vector<Activity> activities_of(const Network& network);

/// That of the activities of one batch. The execution fetches them and, in training, has them among
/// its seeds.
class ActivityPenalty {
 public:
  ActivityPenalty(const Network& network, const Execution& execution,
                  const std::vector<Activity>& activities);
  /// Adds the penalty of the last forward() to each loss of the batch, f32 (batch).
  void add_to(opencl::Queue& queue, const Tensor& losses) const;
  /// The penalty's gradient into the seeds; that of the loss, seed 0, has been filled already.
  void add_gradient(opencl::Queue& queue) const;

 private:
  std::vector<PenaltySum::Term> terms_of(const Network& network, const Execution& execution,
                                         const std::vector<Activity>& activities);

  const Execution& execution_;
  std::vector<Tensor> fetched_, packed_;  ///< activities that lie apart, and where they are joined
  PenaltySum sum_;
  std::vector<size_t> seeds_;  ///< index of each activity's seed
};

}  // namespace ocellus::training
