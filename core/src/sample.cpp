#include "ocellus/core/sample.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "ocellus/core/error.hpp"
#include "ocellus/core/execution.hpp"

namespace ocellus {
namespace {

constexpr double largest_deviation = 1e-3;

}  // namespace

double verify_sample(Network& network, const SampleRecord& sample) {
  if (network.inputs().size() != 1)
    throw DataError(
        fmt::format("the model's sample has one input, the network {}", network.inputs().size()));
  const Shape& wanted = network.shape(network.inputs()[0]);
  const Shape& given = sample.input.shape();
  if (given.rank() != wanted.rank() || !(given.with_batch(1) == wanted))
    throw DataError(fmt::format("the model's sample has an input of shape {}, the network's is {}",
                                given.str(), wanted.str()));
  const std::string logits = network.tensor_name(network.logits());
  Execution run(network, {.batch = given[0], .fetches = {logits}});
  opencl::Queue& queue = network.device().compute();
  upload(queue, sample.input.to_f32(), run.feed());
  run.forward();
  const Array ours = download(queue, run.fetch(logits)), theirs = sample.logits.to_f32();
  if (ours.elements() != theirs.elements())
    throw DataError(fmt::format("the model's sample has logits of shape {}, the network gives {}",
                                theirs.shape().str(), ours.shape().str()));
  double scale = 0, deviation = 0;
  for (size_t i = 0; i < ours.f32().size(); ++i) {
    const double difference = std::abs(double{ours.f32()[i]} - theirs.f32()[i]);
    // What is not a number differs from everything.
    if (std::isnan(difference)) return INFINITY;
    scale = std::max(scale, std::abs(double{theirs.f32()[i]}));
    deviation = std::max(deviation, difference);
  }
  return scale > 0 ? deviation / scale : deviation;
}

void check_sample(Network& network, const SampleRecord& sample, const std::string& model) {
  const double deviation = verify_sample(network, sample);
  if (deviation > largest_deviation)
    throw DataError(fmt::format(
        "{}: does not compute what its sample says: logits differ by {:.2g} of the largest, {:g} "
        "is allowed: the file's weights or layers changed since, or the device computes wrongly "
        "(`ocellus selftest`)",
        model, deviation, largest_deviation));
}

}  // namespace ocellus
