#include "ocellus/core/trainer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>

#include "ocellus/core/error.hpp"
#include "ocellus/core/model.hpp"
#include "ocellus/core/random.hpp"
#include "training/augmentation.hpp"
#include "training/checkpoint.hpp"
#include "training/clipping.hpp"
#include "training/objective.hpp"

namespace ocellus {

using training::Augmentation;
using training::Objective;
using training::Pass;
using training::Position;
using training::Totals;

namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point t) {
  return std::chrono::duration<double>(Clock::now() - t).count();
}

/// Which items train and which validate, where no validation data are given: drawn by the seed, so
/// that data sorted by class do not lose classes.
struct Split {
  std::vector<int64_t> training, validation;
};
Split split(int64_t n, double share, uint64_t seed) {
  Split s;
  const auto held_out = static_cast<int64_t>(static_cast<double>(n) * share);
  if (held_out <= 0) return s;
  std::vector<int64_t> order = Random(seed, uint64_t{1} << 40).permutation(n);
  s.validation.assign(order.end() - held_out, order.end());
  s.training.assign(order.begin(), order.end() - held_out);
  std::ranges::sort(s.training);
  std::ranges::sort(s.validation);
  return s;
}

}  // namespace

struct Trainer::State {
  State(const Registry& r, Network& n, std::shared_ptr<const Dataset> data,
        std::shared_ptr<const Dataset> validation_data, TrainingOptions o)
      : registry(r),
        network(n),
        options(std::move(o)),
        device(n.shared_device()),
        queue(device->compute()) {
    if (options.epochs < 0) throw UsageError(fmt::format("{} epochs", options.epochs));
    if (options.validation_split < 0 || options.validation_split >= 1)
      throw UsageError(
          fmt::format("validation_split {} is not in [0, 1)", options.validation_split));
    Split parts;
    if (!validation_data) parts = split(data->size(), options.validation_split, options.seed);
    feed = std::make_unique<Batches>(*device, data, batch_options(parts.training, true));
    if (!parts.validation.empty()) validation_data = data;
    if (validation_data)
      validation_feed = std::make_unique<Batches>(*device, validation_data,
                                                  batch_options(parts.validation, false));
    if (feed->target_shape().rank() == 0) throw DataError("the training data have no targets");

    objective = Objective::make(registry, network, feed->sparse_targets(), options.loss,
                                options.loss_parameters, options.metrics);
    training::check_classes(network, *data, feed->sparse_targets());
    if (network.classes.empty() && feed->sparse_targets()) network.classes = data->classes();
    make_optimizer();
    const int values = 1 + static_cast<int>(objective.metrics.size());
    totals = std::make_unique<Totals>(*device, values, options.batch);
    validation_totals = std::make_unique<Totals>(*device, values, options.batch);
    augmentation =
        std::make_unique<Augmentation>(registry, *device, options.augmenters, data->item_shape());
  }

  BatchOptions batch_options(std::vector<int64_t> subset, bool shuffle) const {
    BatchOptions b;
    b.batch = options.batch;
    b.shuffle = shuffle;
    b.seed = options.seed;
    b.preprocessing = network.preprocessing.value_or(Preprocessing{});
    b.subset = std::move(subset);
    return b;
  }

  void make_optimizer() {
    const std::string where = "optimizer '" + options.optimizer + "'";
    optimizer = registry.create<Optimizer>(options.optimizer, options.optimizer_parameters, where);
    if (!options.schedule.empty())
      schedule = registry.create<Schedule>(options.schedule, options.schedule_parameters,
                                           "schedule '" + options.schedule + "'");
    const ArenaLayout& layout = network.layout();
    gradients = Arenas::make(*device, layout, "the gradients");
    gradients.zero(queue);  // the gaps between parameters stay zero
    for (const std::string& name : optimizer->slots()) {
      slots.push_back(Arenas::make(*device, layout, "the optimizer's " + name));
      slots.back().zero(queue);
    }
    optimizer_op = optimizer->prepare(*device, layout);
    penalty = std::make_unique<training::Penalty>(network);
    if (options.clip_norm > 0)
      clipping = std::make_unique<training::Clipping>(*device, layout, options.clip_norm);
  }

  // ---- one step

  Pass& pass(std::map<int, std::unique_ptr<Pass>>& passes, const Batches& data, int count,
             bool train) {
    auto& p = passes[count];
    if (!p) p = std::make_unique<Pass>(network, objective, data, count, train);
    return *p;
  }

  double learning_rate() const {
    const double factor = schedule ? schedule->factor(position.iteration, feed->batches_per_epoch(),
                                                      feed->batches_per_epoch() * options.epochs)
                                   : 1;
    return optimizer->learning_rate() * factor;
  }

  void train_batch() {
    const int count = feed->next_count();
    Pass& p = pass(training_passes, *feed, count, true);
    Batch batch;
    RunContext run{options.seed, static_cast<uint32_t>(position.iteration), 0, {}};
    augmentation->next(*feed, batch, p.images(), run);
    run.samples = batch.samples;
    penalty->measure(queue);
    p.forward(batch, run, *totals, *penalty);
    p.backward(gradients);
    penalty->add_gradient(queue, gradients);
    if (clipping) clipping->run(queue, gradients);
    queue.set_label("optimizer");
    optimizer_op->step(queue, {network.values(), gradients, slots, position.iteration + 1,
                               static_cast<float>(learning_rate())});
    network.touch();
    ++position.iteration;
    ++position.step;
    hold_back();
  }

  /// A few steps may wait in the queue: enough to keep the device busy, few enough to hear Ctrl-C
  /// soon.
  void hold_back() {
    if (position.step % 4) return;
    in_flight.wait();
    in_flight = queue.record();
  }

  // ---- an epoch

  void train_epoch(Progress& progress, Log& log) {
    feed->start(position.epoch, position.step);
    if (position.sums.is_null()) {
      totals->clear(queue);
    } else {
      totals->restore(queue, position.sums);
    }
    const auto begin = Clock::now();
    const double before = position.seconds;
    auto last_look = begin;
    while (feed->next_count() > 0) {
      train_batch();
      position.seconds = before + seconds_since(begin);
      if (seconds_since(last_look) > 0.3) {
        show(progress);
        last_look = Clock::now();
      }
      const bool stop = progress.stop_requested();
      if (stop ||
          (options.checkpoint_every > 0 && position.iteration % options.checkpoint_every == 0))
        checkpoint(log);
      if (stop) interrupted();
    }
    EpochRecord record;
    const Totals::Sums sums = checked_sums();
    position.seconds = before + seconds_since(begin);
    record.epoch = position.epoch + 1;
    record.loss = sums.means[0];
    record.metrics.assign(sums.means.begin() + 1, sums.means.end());
    record.learning_rate = learning_rate();
    record.seconds = position.seconds;
    record.images_per_second =
        position.seconds > 0 ? static_cast<double>(feed->size()) / position.seconds : 0;
    if (validation_feed) validate(record, progress, log);
    finish_epoch(record, log);
  }

  void show(Progress& progress) {
    const Totals::Sums sums = checked_sums();
    const double rate =
        static_cast<double>(position.step) * options.batch / std::max(position.seconds, 1e-9);
    progress.update(label(), position.step, feed->batches_per_epoch(),
                    describe(sums.means) + fmt::format(" {:.0f} images/s", rate));
  }

  std::string label() const {
    return fmt::format("epoch {}/{}", position.epoch + 1, options.epochs);
  }
  std::string describe(const std::vector<double>& means) const {
    std::string text = fmt::format("loss {:.4f}", means[0]);
    for (size_t m = 0; m < options.metrics.size(); ++m)
      text += fmt::format(" {} {:.4f}", options.metrics[m], means[m + 1]);
    return text;
  }

  /// Waits; throws when a loss was not finite.
  Totals::Sums checked_sums() {
    const Totals::Sums sums = totals->read(queue);
    if (sums.first_bad_step < 0) return sums;
    const int64_t per_epoch = feed->batches_per_epoch();
    throw Error(
        fmt::format("the loss is not finite in epoch {}, step {} of {}: lower the learning rate "
                    "({:g}), clip gradients, or look for "
                    "labels out of range{}",
                    sums.first_bad_step / per_epoch + 1, sums.first_bad_step % per_epoch + 1,
                    per_epoch, learning_rate(), kept_checkpoint()));
  }

  std::string kept_checkpoint() const {
    return written ? fmt::format("; {} holds the last good state", options.checkpoint.string())
                   : std::string();
  }

  void validate(EpochRecord& record, Progress& progress, Log& log) {
    validation_totals->clear(queue);
    penalty->measure(queue);
    validation_feed->start(0);
    int64_t done = 0;
    while (const int count = validation_feed->next_count()) {
      Pass& p = pass(validation_passes, *validation_feed, count, false);
      Batch batch;
      validation_feed->next(batch, p.images());
      p.forward(batch, {options.seed, 0, 0, batch.samples}, *validation_totals, *penalty);
      if (++done % 4 == 0) {
        in_flight.wait();
        in_flight = queue.record();
      }
      if (progress.stop_requested()) {  // the epoch's training is done: going on repeats the
                                        // validation alone
        checkpoint(log);
        interrupted();
      }
    }
    const std::vector<double> means = validation_totals->read(queue).means;
    record.validated = true;
    record.validation_loss = means[0];
    record.validation_metrics.assign(means.begin() + 1, means.end());
  }

  void finish_epoch(const EpochRecord& record, Log& log) {
    std::string line = fmt::format("{}: loss {:.4f}", label(), record.loss);
    for (size_t m = 0; m < options.metrics.size(); ++m)
      line += fmt::format(" {} {:.4f}", options.metrics[m], record.metrics[m]);
    if (record.validated) {
      line += fmt::format(", validation loss {:.4f}", record.validation_loss);
      for (size_t m = 0; m < options.metrics.size(); ++m)
        line += fmt::format(" {} {:.4f}", options.metrics[m], record.validation_metrics[m]);
    }
    log.info(line + fmt::format(", {:.0f} images/s", record.images_per_second));
    position.history.push_back(record);
    if (options.patience > 0 && record.validated) look_for_best(record);
    ++position.epoch;
    position.step = 0;
    position.seconds = 0;
    position.sums = Json();
    if (!options.checkpoint.empty()) checkpoint(log);
  }

  void look_for_best(const EpochRecord& record) {
    if (record.validation_loss < position.best_loss) {
      position.best_loss = record.validation_loss;
      position.best_epoch = record.epoch;
      position.waited = 0;
      position.best_weights = network.read_weights();
    } else if (++position.waited >= options.patience) {
      position.stopped = true;
    }
  }

  // ---- stopping and going on

  [[noreturn]] void interrupted() const {
    const std::string where =
        fmt::format("stopped in epoch {}, after step {} of {}", position.epoch + 1, position.step,
                    feed->batches_per_epoch());
    throw Interrupted(options.checkpoint.empty()
                          ? where + "; nothing was saved, since no checkpoint file was named"
                          : where + "; " + options.checkpoint.string() + " holds the state");
  }

  void checkpoint(Log& log) {
    if (options.checkpoint.empty()) return;
    // Only a good state replaces the one before.
    if (position.step > 0) {
      checked_sums();
      position.sums = totals->save(queue);
    }
    const ModelDocument d = document();
    if (const std::string layer = training::find_not_finite(d.weights); !layer.empty())
      throw Error(fmt::format(
          "weights of layer '{}' are not finite after epoch {}, step {}: lower the learning rate "
          "({:g}) or clip gradients{}",
          layer, position.epoch + 1, position.step, learning_rate(), kept_checkpoint()));
    save_model(registry, d, options.checkpoint.string(), log);
    position.sums = Json();
    written = true;
  }

  ModelDocument document() const {
    ModelDocument d = network.document();
    OptimizerRecord o;
    o.type = options.optimizer;
    o.parameters = registry.get(Kind::optimizer, o.type)
                       .schema.check(options.optimizer_parameters, "optimizer '" + o.type + "'");
    o.iteration = position.iteration;
    o.slots = training::read_slots(network, slots);
    d.optimizer = std::move(o);
    d.loss = objective.loss_name;
    d.metrics = options.metrics;
    d.training_state = position.to_json();
    d.training_state["seed"] = static_cast<int64_t>(options.seed);
    d.training_state["batch"] = options.batch;
    d.training_state["items"] = feed->size();
    d.best_weights = position.best_weights;
    return d;
  }

  void resume(Log& log) {
    std::error_code ignored;
    if (!options.resume || options.checkpoint.empty() ||
        !std::filesystem::exists(options.checkpoint, ignored))
      return;
    const std::string file = options.checkpoint.string();
    const ModelDocument d = open_model(registry, {.address = file, .trust = true}, log);
    if (!d.training_state.is_object() || !d.optimizer)
      throw DataError(file + ": holds a model, but no training that could be resumed");
    expect_same(file, "seed", d.training_state.get("seed", int64_t{-1}),
                static_cast<int64_t>(options.seed));
    expect_same(file, "batch", d.training_state.get("batch", int64_t{-1}), options.batch);
    expect_same(file, "number of training items", d.training_state.get("items", int64_t{-1}),
                feed->size());
    if (d.optimizer->type != options.optimizer)
      throw UsageError(fmt::format("{}: trained with {}, this run wants {}", file,
                                   d.optimizer->type, options.optimizer));
    network.write_weights(d.weights);
    training::write_slots(network, d.optimizer->slots, slots, file);
    position = Position::from_json(d.training_state);
    position.best_weights = d.best_weights;
    if (options.patience > 0 && position.best_epoch > 0 && position.best_weights.empty())
      throw DataError(fmt::format("{}: the weights of epoch {}, the best so far, are missing", file,
                                  position.best_epoch));
    written = true;
    log.info(fmt::format("going on from {}: epoch {}, step {}", file, position.epoch + 1,
                         position.step));
  }

  void begin_with_state() {
    if (!options.state || (options.state->slots.empty() && options.state->iteration == 0)) return;
    if (options.state->type != options.optimizer)
      throw UsageError(fmt::format("the state is that of {}, this run wants {}",
                                   options.state->type, options.optimizer));
    training::write_slots(network, options.state->slots, slots, "the model");
    position.iteration = options.state->iteration;
    options.state.reset();
  }

  static void expect_same(const std::string& file, const char* what, int64_t there, int64_t here) {
    if (there != here)
      throw UsageError(
          fmt::format("{}: trained with {} {}, this run has {}: it would not go on the same", file,
                      what, there, here));
  }

  History run(Progress& progress, Log& log) {
    resume(log);
    if (!written) begin_with_state();
    while (position.epoch < options.epochs && !position.stopped) train_epoch(progress, log);
    queue.finish();
    if (options.patience > 0 && !position.best_weights.empty() &&
        position.best_epoch != position.epoch) {
      network.write_weights(position.best_weights);
      log.info(
          fmt::format("the weights of epoch {} are back: its validation loss {:.4f} was the lowest",
                      position.best_epoch, position.best_loss));
    }
    return position.history;
  }

  const Registry& registry;
  Network& network;
  TrainingOptions options;
  std::shared_ptr<opencl::Device> device;
  opencl::Queue& queue;
  std::unique_ptr<Batches> feed, validation_feed;
  Objective objective;
  std::shared_ptr<const Optimizer> optimizer;
  std::shared_ptr<const Schedule> schedule;
  std::unique_ptr<OptimizerOp> optimizer_op;
  Arenas gradients;
  std::vector<Arenas> slots;
  std::unique_ptr<training::Clipping> clipping;
  std::unique_ptr<training::Penalty> penalty;
  std::unique_ptr<Augmentation> augmentation;
  std::unique_ptr<Totals> totals, validation_totals;
  std::map<int, std::unique_ptr<Pass>> training_passes, validation_passes;  ///< by batch size
  opencl::Event in_flight;
  Position position;
  bool written = false;  ///< a checkpoint of this run exists
};

Trainer::Trainer(const Registry& registry, Network& network,
                 std::shared_ptr<const Dataset> training, std::shared_ptr<const Dataset> validation,
                 TrainingOptions options)
    : state_(new State(registry, network, std::move(training), std::move(validation),
                       std::move(options))) {}
Trainer::~Trainer() = default;
History Trainer::run(Progress& progress, Log& log) { return state_->run(progress, log); }
ModelDocument Trainer::document() const { return state_->document(); }

}  // namespace ocellus
