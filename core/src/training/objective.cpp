#include "objective.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "ocellus/core/error.hpp"

namespace ocellus::training {
namespace {

struct LossChoice {
  std::string name;
  Json parameters = Json::object();
};

LossChoice choose_loss(Probability final, bool sparse, int columns) {
  LossChoice choice;
  if (final == Probability::sigmoid) {
    choice.name = "binary_crossentropy";
  } else if (final == Probability::softmax) {
    choice.name = sparse ? "sparse_categorical_crossentropy" : "categorical_crossentropy";
  } else if (sparse) {
    choice.name = columns > 1 ? "sparse_categorical_crossentropy" : "binary_crossentropy";
    choice.parameters["from_logits"] = true;
  } else {
    choice.name = "mean_squared_error";
  }
  return choice;
}

ExecutionOptions execution_options(const Objective& objective, int batch, bool training,
                                   const std::vector<Activity>& activities,
                                   const std::vector<std::string>& also_fetch) {
  ExecutionOptions o;
  o.batch = batch;
  o.fetches = objective.fetches();
  const auto add = [](std::vector<std::string>& names, const std::string& name) {
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  };
  for (const std::string& name : also_fetch) add(o.fetches, name);
  o.training = training;
  o.parameter_gradients = training;
  if (training) o.seeds = {objective.loss_tensor()};
  for (const Activity& a : activities) {
    add(o.fetches, a.tensor);
    if (training) add(o.seeds, a.tensor);
  }
  return o;
}

}  // namespace

Objective Objective::make(const Registry& registry, const Network& network, bool sparse_targets,
                          const std::string& loss, const Json& loss_parameters,
                          const std::vector<std::string>& metrics) {
  if (network.inputs().size() != 1 || network.outputs().size() != 1)
    throw UsageError(
        fmt::format("training takes networks with one input and one output; this has {} and {}",
                    network.inputs().size(), network.outputs().size()));
  Objective o;
  Probability final = Probability::none;
  o.logits = network.tensor_name(network.logits(&final));
  o.output = network.tensor_name(network.outputs()[0]);
  LossChoice choice{loss, loss_parameters};
  if (loss.empty())
    choice = choose_loss(final, sparse_targets, network.shape(network.outputs()[0]).channels());
  o.loss_name = choice.name;
  o.loss = registry.create<Loss>(choice.name, choice.parameters, "loss '" + choice.name + "'");
  o.loss_on_logits = final != Probability::none && o.loss->wants_logits(final);
  for (const std::string& name : metrics) {
    o.metrics.push_back(registry.create<Metric>(name, Json::object(), "metric '" + name + "'"));
    // Where the logits are at hand, a metric that can do with them saves the last node's run.
    o.metric_on_logits.push_back(o.loss_on_logits && o.metrics.back()->wants_logits(final));
  }
  return o;
}

std::vector<std::string> Objective::fetches() const {
  std::vector<std::string> names = {loss_tensor()};
  for (size_t m = 0; m < metrics.size(); ++m)
    if (std::ranges::find(names, metric_tensor(m)) == names.end())
      names.push_back(metric_tensor(m));
  return names;
}

Pass::Pass(Network& network, const Objective& objective, const Batches& data, int batch,
           bool training, const std::vector<std::string>& also_fetch)
    : network_(network),
      objective_(objective),
      batch_(batch),
      training_(training),
      activities_(activities_of(network)),
      execution_(network, execution_options(objective, batch, training, activities_, also_fetch)),
      activity_penalty_(network, execution_, activities_) {
  if (data.target_shape().rank() == 0) return;  // predictions only
  const auto request = [&](const std::string& tensor, bool on_logits) {
    LossRequest r;
    r.prediction = execution_.fetch(tensor).shape;
    r.target = data.target_shape().with_batch(batch);
    r.sparse_targets = data.sparse_targets();
    r.from_logits = on_logits;
    return r;
  };
  opencl::Device& device = network.device();
  loss_ =
      objective.loss->prepare(device, request(objective.loss_tensor(), objective.loss_on_logits));
  for (size_t m = 0; m < objective.metrics.size(); ++m)
    metrics_.push_back(objective.metrics[m]->prepare(
        device, request(objective.metric_tensor(m), objective.metric_on_logits[m])));
}

void Pass::forward(const Batch& batch, const RunContext& run, Totals& totals,
                   const Penalty& penalty) {
  execution_.forward(run);
  if (!loss_) return;
  opencl::Queue& queue = network_.device().compute();
  LossArgs args;
  args.prediction = execution_.fetch(objective_.loss_tensor());
  args.target = batch.targets.items(0, batch_);
  args.weights = batch.weights.items(0, batch_);
  args.per_sample = totals.values(0);
  if (training_) {
    args.gradient = execution_.seed();
    args.gradient_scale = 1.0f / static_cast<float>(batch.count);
  }
  queue.set_label("loss");
  loss_->run(queue, args);
  penalty.add_to(queue, args.per_sample);
  activity_penalty_.add_to(queue, args.per_sample);
  args.gradient = {};
  for (size_t m = 0; m < metrics_.size(); ++m) {
    args.prediction = execution_.fetch(objective_.metric_tensor(m));
    args.per_sample = totals.values(static_cast<int>(m) + 1);
    metrics_[m]->run(queue, args);
  }
  totals.add(queue, batch.weights, batch.count, run.step);
}

void Pass::backward(const Arenas& gradients) {
  activity_penalty_.add_gradient(network_.device().compute());
  execution_.backward(&gradients);
}

void check_classes(const Network& network, const Dataset& data, bool sparse_targets) {
  const int outputs = network.shape(network.outputs()[0]).channels();
  const size_t classes = data.classes().size();
  if (!sparse_targets || classes <= static_cast<size_t>(outputs == 1 ? 2 : outputs))
    return;  // one output: two classes
  throw DataError(fmt::format("the data have {} classes, the network's output '{}' {}", classes,
                              network.tensor_name(network.outputs()[0]), outputs));
}

}  // namespace ocellus::training
