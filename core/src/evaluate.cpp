#include <algorithm>
#include <cmath>
#include <map>

#include "ocellus/core/call.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/trainer.hpp"
#include "training/objective.hpp"

namespace ocellus {
namespace {

/// Classes of a batch on the host: as they are, or the first largest of dense targets.
void append_labels(opencl::Queue& queue, const Batches& feed, const Batch& batch,
                   std::vector<int>& labels) {
  const Array targets = download(queue, batch.targets);
  const int columns =
      feed.sparse_targets() ? 1 : static_cast<int>(targets.elements() / targets.shape()[0]);
  for (int i = 0; i < batch.count; ++i) {
    if (feed.sparse_targets()) {
      labels.push_back(targets.i32()[i]);
    } else {
      const auto row = targets.f32().subspan(static_cast<size_t>(i) * columns, columns);
      labels.push_back(static_cast<int>(std::ranges::max_element(row) - row.begin()));
    }
  }
}

}  // namespace

Evaluation evaluate(const Registry& registry, Network& network, std::shared_ptr<const Dataset> data,
                    int batch_size, const std::string& loss,
                    const std::vector<std::string>& metrics, Progress& progress) {
  opencl::Device& device = network.device();
  opencl::Queue& queue = device.compute();
  BatchOptions options;
  options.batch =
      static_cast<int>(std::min<int64_t>(batch_size, std::max<int64_t>(data->size(), 1)));
  options.preprocessing = network.preprocessing.value_or(Preprocessing{});
  options.stream = true;  // each item is read once
  Batches feed(device, data, options);
  const bool labelled = feed.target_shape().rank() > 0;
  // "" lets the objective choose; a model may hold "categorical_crossentropy(from_logits=true)".
  const Call call = loss.empty() ? Call{} : parse_call(registry, Kind::loss, loss, "loss");
  const auto objective = training::Objective::make(registry, network, feed.sparse_targets(),
                                                   call.type, call.parameters, metrics);
  training::check_classes(network, *data, feed.sparse_targets());
  training::Totals totals(device, 1 + static_cast<int>(metrics.size()), options.batch);

  training::Penalty penalty(network);
  penalty.measure(queue);

  Evaluation e;
  e.count = feed.size();
  std::map<int, std::unique_ptr<training::Pass>> passes;
  int64_t done = 0;
  // The dense targets of several outputs are classes only where they are one-hot: then there are as
  // many as names.
  const bool classes = feed.sparse_targets() ||
                       (labelled && feed.target_shape().rank() == 2 && feed.target_shape()[1] > 1);
  feed.start(0);
  while (const int count = feed.next_count()) {
    if (progress.stop_requested())
      throw Interrupted("stopped after " + std::to_string(done) + " items");
    auto& pass = passes[count];
    if (!pass)
      pass = std::make_unique<training::Pass>(network, objective, feed, count, false,
                                              std::vector{objective.output});
    Batch batch;
    feed.next(batch, pass->images());
    pass->forward(batch, {0, 0, 0, batch.samples}, totals, penalty);
    const Array scores = download(queue, pass->fetch(objective.output));
    if (e.scores.empty())
      e.scores = Array(scores.shape().with_batch(static_cast<int>(feed.size())), DType::f32);
    std::ranges::copy(
        scores.bytes(),
        e.scores.bytes().begin() + static_cast<int64_t>(done * scores.bytes().size() / count));
    if (classes) append_labels(queue, feed, batch, e.labels);
    done += count;
    progress.update("evaluate", done, feed.size());
  }
  const std::vector<double> means = totals.read(queue).means;
  e.loss = labelled ? means[0] : NAN;
  if (labelled) e.metrics.assign(means.begin() + 1, means.end());
  return e;
}

}  // namespace ocellus
