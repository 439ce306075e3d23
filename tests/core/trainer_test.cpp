#include "ocellus/core/trainer.hpp"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <csignal>
#include <numeric>
#include <random>
#include <thread>

#include "core/networks.hpp"
#include "core/synthetic_data.hpp"
#include "core/temporary.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/graph_builder.hpp"
#include "ocellus/core/model.hpp"

using namespace ocellus;
using namespace ocellus::test;

namespace {

/// Convolution, batch normalization (states), dropout (randomness) and a short last batch:
/// everything that resuming could lose.
std::unique_ptr<Network> small_cnn(uint64_t seed = 5) {
  GraphBuilder b("small");
  b.input({8, 8, 1});
  b.add("Conv2D", {{"filters", 6}, {"kernel_size", 3}, {"padding", "same"}});
  b.add("BatchNormalization");
  b.add("Activation", {{"activation", "relu"}});
  b.add("MaxPooling2D");
  b.add("Flatten");
  b.add("Dropout", {{"rate", 0.2}});
  b.add("Dense", {{"units", 4}, {"activation", "softmax"}});
  auto n = std::make_unique<Network>(world().registry, b.finish());
  n->preprocessing = Preprocessing::named("unit");
  n->place(world().device, seed);
  return n;
}

TrainingOptions small_options() {
  TrainingOptions o;
  o.epochs = 3;
  o.batch = 32;
  o.optimizer = "Adam";
  o.optimizer_parameters["learning_rate"] = 0.01;
  o.augmenters = {
      {"RandomTranslation",
       Json::parse(R"({"height_factor": 0.05, "width_factor": 0.05, "fill_mode": "nearest"})",
                   "test")}};
  return o;
}

/// Asks to stop after so many questions.
struct Stopper : SilentProgress {
  explicit Stopper(int after) : left(after) {}
  bool stop_requested() const override { return --left < 0; }
  mutable int left;
};

struct Lines : Log {
  void write(Level, const std::string& line) override { all += line + "\n"; }
  std::string all;
};

void check_same_bits(const Network& a, const Network& b) {
  const auto x = a.read_weights(), y = b.read_weights();
  BOOST_REQUIRE_EQUAL(x.size(), y.size());
  for (size_t l = 0; l < x.size(); ++l)
    for (size_t i = 0; i < x[l].values.size(); ++i)
      BOOST_CHECK_MESSAGE(std::ranges::equal(x[l].values[i].bytes(), y[l].values[i].bytes()),
                          x[l].layer << "/" << x[l].names[i] << " differs");
}

bool can_save() { return world().registry.find(Kind::model_format, "keras_hdf5") != nullptr; }

SilentProgress silent;
SilentLog quiet;

}  // namespace

BOOST_AUTO_TEST_CASE(learns_a_small_problem) {
  auto network = small_cnn();
  TrainingOptions o = small_options();
  o.epochs = 6;
  Trainer trainer(world().registry, *network, std::make_shared<Bars>(1000), nullptr, o);
  const History history = trainer.run(silent, quiet);
  BOOST_REQUIRE_EQUAL(history.size(), 6u);
  BOOST_TEST(history.back().validated);
  BOOST_TEST(history.back().validation_metrics[0] > 0.95);
  BOOST_TEST(history.back().loss < 0.5 * history.front().loss);
  BOOST_TEST(network->classes.size() == 4u);

  const auto test = std::make_shared<Bars>(77, 99);
  const Evaluation e = evaluate(world().registry, *network, test, 32, "", {"accuracy"}, silent);
  BOOST_TEST(e.count == 77);
  BOOST_TEST(e.metrics[0] > 0.93);
  BOOST_REQUIRE(e.scores.shape() == (Shape{77, 4}));
  double loss = 0, right = 0;
  for (int i = 0; i < 77; ++i) {
    BOOST_REQUIRE_EQUAL(e.labels[i], test->label(i));
    const auto row = e.scores.f32().subspan(i * 4, 4);
    loss -= std::log(row[e.labels[i]]) / 77;
    right += std::ranges::max_element(row) - row.begin() == e.labels[i];
  }
  BOOST_TEST(std::abs(e.loss - loss) < 1e-4 * loss + 1e-6);
  BOOST_TEST(std::abs(e.metrics[0] - right / 77) < 1e-6);
}

BOOST_AUTO_TEST_CASE(same_seed_same_bits) {
  const auto data = std::make_shared<Bars>(333);
  auto a = small_cnn(), b = small_cnn(), c = small_cnn();
  TrainingOptions o = small_options();
  o.epochs = 2;
  const History first = Trainer(world().registry, *a, data, nullptr, o).run(silent, quiet);
  const History second = Trainer(world().registry, *b, data, nullptr, o).run(silent, quiet);
  check_same_bits(*a, *b);
  BOOST_TEST(first.back().loss == second.back().loss);
  o.seed = 2;
  Trainer(world().registry, *c, data, nullptr, o).run(silent, quiet);
  BOOST_TEST(!std::ranges::equal(a->read_weights()[0].values[0].bytes(),
                                 c->read_weights()[0].values[0].bytes()));
}

BOOST_AUTO_TEST_CASE(resuming_changes_no_bit) {
  if (!can_save()) {
    BOOST_TEST_MESSAGE("SKIPPED: no format to save with");
    return;
  }
  const auto data = std::make_shared<Bars>(333);
  TrainingOptions o = small_options();
  o.patience = 2;  // best weights and counts travel too
  auto straight = small_cnn();
  const History history = Trainer(world().registry, *straight, data, nullptr, o).run(silent, quiet);

  TemporaryDirectory dir;
  o.checkpoint = dir / "run.h5";
  o.resume = true;
  int interruptions = 0;
  // Each turn does a few steps more, from a fresh process's point of view: new network, new
  // trainer.
  for (;;) {
    auto network = small_cnn(77);  // other initial weights: all must come from the file
    if (interruptions == 0) network = small_cnn();
    Stopper stop(7);
    try {
      const History resumed =
          Trainer(world().registry, *network, data, nullptr, o).run(stop, quiet);
      check_same_bits(*straight, *network);
      BOOST_REQUIRE_EQUAL(resumed.size(), history.size());
      for (size_t i = 0; i < history.size(); ++i) {
        BOOST_TEST(resumed[i].loss == history[i].loss);
        BOOST_TEST(resumed[i].validation_loss == history[i].validation_loss);
        BOOST_TEST(resumed[i].metrics[0] == history[i].metrics[0]);
      }
      break;
    } catch (const Interrupted&) {
      BOOST_REQUIRE_LT(++interruptions, 20);
    }
  }
  BOOST_TEST(interruptions >= 3);
}

namespace {

constexpr const char* child_variable = "OCELLUS_TEST_CHECKPOINT";

TrainingOptions killed_options(const std::filesystem::path& checkpoint) {
  TrainingOptions o = small_options();
  o.epochs = 4;
  o.patience = 9;
  o.checkpoint = checkpoint;
  o.checkpoint_every = 1;  // so that most of the time goes into writing
  o.resume = true;
  return o;
}

/// This program again, for the one case that trains on $OCELLUS_TEST_CHECKPOINT.
pid_t spawn_training(const std::filesystem::path& checkpoint) {
  setenv(child_variable, checkpoint.c_str(), 1);
  char program[] = "/proc/self/exe", only[] = "--run_test=trains_in_a_process_of_its_own",
       quiet_log[] = "--log_level=nothing", quiet_report[] = "--report_level=no";
  char* arguments[] = {program, only, quiet_log, quiet_report, nullptr};
  pid_t pid = 0;
  BOOST_REQUIRE_EQUAL(posix_spawn(&pid, program, nullptr, nullptr, arguments, environ), 0);
  unsetenv(child_variable);
  return pid;
}

}  // namespace

BOOST_AUTO_TEST_CASE(trains_in_a_process_of_its_own) {
  const char* checkpoint = std::getenv(child_variable);
  if (!checkpoint) return;  // only as a child of the next case
  auto network = small_cnn();
  BOOST_CHECK_NO_THROW(Trainer(world().registry, *network, std::make_shared<Bars>(333), nullptr,
                               killed_options(checkpoint))
                           .run(silent, quiet));
}

BOOST_AUTO_TEST_CASE(a_killed_training_resumes_to_the_same_bits) {
  if (!can_save() || std::getenv(child_variable)) {
    BOOST_TEST_MESSAGE("SKIPPED: no format to save with");
    return;
  }
  TemporaryDirectory dir;
  const auto data = std::make_shared<Bars>(333);
  auto straight = small_cnn();
  TrainingOptions plain = killed_options({});
  plain.resume = false;
  Trainer(world().registry, *straight, data, nullptr, plain).run(silent, quiet);

  const std::filesystem::path checkpoint = dir / "run.h5";
  using std::filesystem::last_write_time;
  int64_t last_iteration = 0;
  for (const int delay : {3, 11, 24}) {
    const bool there = std::filesystem::exists(checkpoint);
    const auto before =
        there ? last_write_time(checkpoint) : std::filesystem::file_time_type::min();
    const pid_t child = spawn_training(checkpoint);
    for (int i = 0; i < 6000; ++i) {  // until it has written something new
      std::error_code ignored;
      if (std::filesystem::exists(checkpoint, ignored) && last_write_time(checkpoint) != before)
        break;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(delay));
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    const ModelDocument d =
        open_model(world().registry, {.address = checkpoint.string(), .trust = true}, quiet);
    const int64_t iteration = d.training_state.at("iteration").as_int64();
    BOOST_TEST(iteration > last_iteration);
    last_iteration = iteration;
  }
  auto network = small_cnn(77);
  Trainer(world().registry, *network, data, nullptr, killed_options(checkpoint)).run(silent, quiet);
  check_same_bits(*straight, *network);
}

BOOST_AUTO_TEST_CASE(resuming_with_other_options_is_refused) {
  if (!can_save()) {
    BOOST_TEST_MESSAGE("SKIPPED: no format to save with");
    return;
  }
  TemporaryDirectory dir;
  const auto data = std::make_shared<Bars>(100);
  TrainingOptions o = small_options();
  o.epochs = 1;
  o.checkpoint = dir / "run.h5";
  auto network = small_cnn();
  Trainer(world().registry, *network, data, nullptr, o).run(silent, quiet);
  o.resume = true;
  for (const auto& [change, message] :
       std::vector<std::pair<std::function<void(TrainingOptions&)>, std::string>>{
           {[](TrainingOptions& t) { t.batch = 16; }, "batch 32"},
           {[](TrainingOptions& t) { t.seed = 9; }, "seed 1"},
           {[](TrainingOptions& t) { t.validation_split = 0; }, "items 90"},
           {[](TrainingOptions& t) { t.optimizer = "SGD"; }, "Adam"}}) {
    TrainingOptions other = o;
    change(other);
    Trainer trainer(world().registry, *network, data, nullptr, other);
    BOOST_CHECK_EXCEPTION(trainer.run(silent, quiet), UsageError, says(message));
  }
  // The same options: nothing is left to do.
  BOOST_TEST(Trainer(world().registry, *network, data, nullptr, o).run(silent, quiet).size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_loss_that_is_not_finite_stops_and_names_the_step) {
  const auto data = std::make_shared<Bars>(200);
  auto network = small_cnn();
  TrainingOptions o = small_options();
  o.optimizer = "SGD";
  o.optimizer_parameters = Json::object();
  o.optimizer_parameters["learning_rate"] = 1e38;
  Trainer trainer(world().registry, *network, data, nullptr, o);
  BOOST_CHECK_EXCEPTION(trainer.run(silent, quiet), Error, [](const Error& e) {
    return says("not finite in epoch 1, step")(e) && e.exit_code() == ExitCode::failed;
  });
}

BOOST_AUTO_TEST_CASE(the_last_good_checkpoint_survives_a_diverging_run) {
  if (!can_save()) {
    BOOST_TEST_MESSAGE("SKIPPED: no format to save with");
    return;
  }
  TemporaryDirectory dir;
  TrainingOptions o = small_options();
  o.optimizer = "SGD";
  o.optimizer_parameters = Json::object();
  o.optimizer_parameters["learning_rate"] = 0.01;
  o.schedule = "step";  // good in the first epoch, hopeless from the second on
  o.schedule_parameters = Json::parse(R"({"boundaries": [1], "values": [1, 1e38]})", "test");
  o.checkpoint = dir / "run.h5";
  for (const int every : {0, 1}) {
    std::filesystem::remove(o.checkpoint);
    o.checkpoint_every = every;
    auto network = small_cnn();
    Trainer trainer(world().registry, *network, std::make_shared<Bars>(200), nullptr, o);
    BOOST_CHECK_EXCEPTION(trainer.run(silent, quiet), Error,
                          says("run.h5 holds the last good state"));
    const ModelDocument d =
        open_model(world().registry, {.address = o.checkpoint.string(), .trust = true}, quiet);
    // A step too far may still give finite weights.
    const int64_t iteration = d.training_state.at("iteration").as_int64();
    BOOST_TEST((iteration == 6 || (every == 1 && iteration == 7)));
    for (const WeightsRecord& w : d.weights)
      for (const Array& a : w.values)
        for (const float v : a.f32()) BOOST_REQUIRE(std::isfinite(v));
  }
}

BOOST_AUTO_TEST_CASE(early_stopping_brings_the_best_weights_back) {
  auto network = small_cnn();
  TrainingOptions o = small_options();
  o.epochs = 30;
  o.patience = 2;
  o.optimizer_parameters["learning_rate"] = 0.3;  // wild: the validation loss goes up and down
  Lines log;
  const auto validation = std::make_shared<Bars>(100, 7);
  const History h = Trainer(world().registry, *network, std::make_shared<Bars>(200), validation, o)
                        .run(silent, log);
  size_t best = 0;
  for (size_t i = 0; i < h.size(); ++i)
    if (h[i].validation_loss < h[best].validation_loss) best = i;
  BOOST_TEST(h.size() < 30u);
  BOOST_TEST(h.size() == best + 3);
  const Evaluation e = evaluate(world().registry, *network, validation, 32, "", {}, silent);
  BOOST_TEST(std::abs(e.loss - h[best].validation_loss) < 1e-5 * e.loss + 1e-6);
}

BOOST_AUTO_TEST_CASE(wrong_data_are_refused) {
  const auto make = [](TrainingOptions o, int units = 4) {
    GraphBuilder b("tiny");
    b.input({8, 8, 1});
    b.add("Flatten");
    b.add("Dense", {{"units", units}, {"activation", "softmax"}});
    Network network(world().registry, b.finish());
    network.place(world().device, 1);
    Trainer t(world().registry, network, std::make_shared<Bars>(50), nullptr, o);
  };
  BOOST_CHECK_EXCEPTION(make({}, 3), DataError, says("4 classes"));
  TrainingOptions o;
  o.loss = "mean_sqared_error";
  BOOST_CHECK_EXCEPTION(make(o), Error, says("mean_squared_error"));
  o = {};
  o.optimizer_parameters["learning_rat"] = 1;
  BOOST_CHECK_EXCEPTION(make(o), UsageError, says("learning_rate"));
}

namespace {

/// Two trained layers around a frozen one, with `regularizers` or without.
std::unique_ptr<Network> dense_net(bool regularizers) {
  const auto json = [](const char* text) { return Json::parse(text, "test"); };
  GraphBuilder b("dense");
  b.input({8, 8, 1});
  b.add("Flatten");
  for (const int units : {60, 7, 4}) {
    b.add("Dense", {{"units", units}, {"activation", units == 4 ? "softmax" : "tanh"}},
          "dense_" + std::to_string(units));
    LayerRecord& r = b.record();
    r.trainable = units != 7;
    if (!regularizers) continue;
    r.foreign["kernel_regularizer"] =
        units == 4 ? json(R"({"class_name": "L2", "config": {"l2": 0.05}})")
                   : json(R"({"class_name": "L1L2", "config": {"l1": 0.003, "l2": 0.02}})");
    if (units == 4) r.foreign["bias_regularizer"] = "l1";
  }
  auto n = std::make_unique<Network>(world().registry, b.finish());
  n->preprocessing = Preprocessing::named("unit");
  n->place(world().device, 3);
  randomize(*n);
  return n;
}

}  // namespace

BOOST_AUTO_TEST_CASE(regularizers_add_to_loss_and_gradient) {
  // One step of plain SGD, with and without: the difference is theirs alone.
  const auto data = std::make_shared<Bars>(32);
  TrainingOptions o;
  o.epochs = 1;
  o.batch = 32;
  o.optimizer = "SGD";
  constexpr double rate = 0.5;
  o.optimizer_parameters["learning_rate"] = rate;
  const auto plain = dense_net(false), regular = dense_net(true);
  const auto before = regular->read_weights();
  const double evaluated = evaluate(world().registry, *regular, data, 32, "", {}, silent).loss;
  const double loss = Trainer(world().registry, *plain, data, data, o).run(silent, quiet)[0].loss;
  const EpochRecord record =
      Trainer(world().registry, *regular, data, data, o).run(silent, quiet)[0];
  const auto without = plain->read_weights(), with = regular->read_weights();

  double penalty = 0;
  for (size_t l = 0; l < before.size(); ++l)
    for (size_t i = 0; i < before[l].values.size(); ++i) {
      const bool kernel = before[l].names[i] == "kernel";
      double l1 = 0, l2 = 0;
      if (before[l].layer == "dense_60" && kernel) l1 = 0.003, l2 = 0.02;
      if (before[l].layer == "dense_4") (kernel ? l2 : l1) = kernel ? 0.05 : 0.01;
      const auto w = before[l].values[i].f32();
      double worst = 0;
      for (size_t k = 0; k < w.size(); ++k) {
        penalty += l1 * std::abs(double(w[k])) + l2 * w[k] * w[k];
        const double expected = -rate * (l1 * (w[k] > 0 ? 1 : w[k] < 0 ? -1 : 0) + 2 * l2 * w[k]);
        const double difference =
            double(with[l].values[i].f32()[k]) - without[l].values[i].f32()[k];
        worst = std::max(worst, std::abs(difference - expected));
      }
      BOOST_CHECK_MESSAGE(worst < 1e-6,
                          before[l].layer << "/" << before[l].names[i] << " " << worst);
    }
  BOOST_TEST(penalty > 0.1);
  BOOST_TEST(std::abs(record.loss - loss - penalty) < 1e-5 * record.loss);
  BOOST_TEST(std::abs(evaluated - record.loss) < 1e-5 * record.loss);
  const double after = evaluate(world().registry, *regular, data, 32, "", {}, silent).loss;
  BOOST_TEST(std::abs(record.validation_loss - after) < 1e-5 * after);
}

// Activity regularizers of a layer with an activation, of the last one, whose
// softmax the loss skips, and as a layer: the step of plain SGD against differences of the loss.
BOOST_AUTO_TEST_CASE(activities_add_to_loss_and_gradient) {
  const auto net = [](double l1, double l2) {
    const Json regularizer =
        Json::Object{{"class_name", "L1L2"}, {"config", Json::Object{{"l1", l1}, {"l2", l2}}}};
    GraphBuilder b("activities");
    b.input({8, 8, 1});
    b.add("Conv2D", {{"filters", 3}, {"kernel_size", 3}, {"activation", "tanh"}}, "conv");
    b.record().foreign["activity_regularizer"] = regularizer;
    b.add("ActivityRegularization", {{"l1", l1 / 2}, {"l2", l2 / 2}}, "layer");
    b.add("Flatten");
    b.add("Dense", {{"units", 4}, {"activation", "softmax"}}, "scores");
    b.record().foreign["activity_regularizer"] = regularizer;
    auto n = std::make_unique<Network>(world().registry, b.finish());
    n->preprocessing = Preprocessing::named("unit");
    n->place(world().device, 3);
    randomize(*n);
    return n;
  };
  const auto data = std::make_shared<Bars>(20);
  const auto loss = [&](Network& n) {
    return evaluate(world().registry, n, data, 20, "", {}, silent).loss;
  };
  constexpr double l1 = 0.02, l2 = 0.05, rate = 0.5;
  const auto plain = net(0, 0), regular = net(l1, l2);

  // What the layers give, added up here; the mean over the batch.
  double penalty = 0;
  Execution run(*plain, {.batch = 20, .fetches = {"conv", "scores"}});
  Samples samples;
  std::vector<int64_t> all(20);
  std::iota(all.begin(), all.end(), 0);
  data->read(all, samples);
  Array pixels = samples.images.to_f32();
  for (float& p : pixels.f32()) p /= 255;
  upload(world().device->compute(), pixels, run.feed());
  run.forward();
  for (const char* tensor : {"conv", "scores"}) {
    // The layer behind "conv" counts its values once more, by half.
    const double factor = std::string(tensor) == "conv" ? 1.5 : 1;
    const Array values = download(world().device->compute(), run.fetch(tensor));
    for (const float y : values.f32())
      penalty += factor * (l1 * std::abs(double(y)) + l2 * y * y) / 20;
  }
  BOOST_TEST(penalty > 0.1);
  const double before = loss(*regular);
  BOOST_TEST(std::abs(before - loss(*plain) - penalty) < 1e-5 * before);

  const auto weights = regular->read_weights();
  // Central differences of the loss, all weights in one random direction each time.
  std::vector<std::vector<WeightsRecord>> directions;
  std::vector<double> slopes;
  for (int d = 0; d < 4; ++d) {
    constexpr float h = 3e-3f;
    double values[2];
    auto direction = weights;
    std::mt19937 random(7 + d);
    std::uniform_real_distribution<float> any(-1, 1);
    for (WeightsRecord& r : direction)
      for (Array& a : r.values)
        for (float& v : a.f32()) v = any(random);
    for (const int sign : {0, 1}) {
      auto moved = weights;
      for (size_t l = 0; l < moved.size(); ++l)
        for (size_t i = 0; i < moved[l].values.size(); ++i)
          for (size_t k = 0; k < moved[l].values[i].f32().size(); ++k)
            moved[l].values[i].f32()[k] += (sign ? h : -h) * direction[l].values[i].f32()[k];
      regular->write_weights(moved);
      values[sign] = loss(*regular);
    }
    slopes.push_back((values[1] - values[0]) / (2 * h));
    directions.push_back(std::move(direction));
  }
  regular->write_weights(weights);
  TrainingOptions o;
  o.epochs = 1;
  o.batch = 20;
  o.validation_split = 0;
  o.optimizer = "SGD";
  o.optimizer_parameters["learning_rate"] = rate;
  const EpochRecord record =
      Trainer(world().registry, *regular, data, nullptr, o).run(silent, quiet)[0];
  BOOST_TEST(std::abs(record.loss - before) < 1e-5 * before);
  const auto after = regular->read_weights();
  for (size_t d = 0; d < directions.size(); ++d) {
    double slope = 0;
    for (size_t l = 0; l < after.size(); ++l)
      for (size_t i = 0; i < after[l].values.size(); ++i)
        for (size_t k = 0; k < after[l].values[i].f32().size(); ++k)
          slope += (double(weights[l].values[i].f32()[k]) - after[l].values[i].f32()[k]) / rate *
                   directions[d][l].values[i].f32()[k];
    BOOST_TEST(std::abs(slope - slopes[d]) < 0.01 * std::abs(slope) + 1e-3,
               d << ": " << slope << ", by differences " << slopes[d]);
  }
}

BOOST_AUTO_TEST_CASE(clipping_bounds_the_step) {
  // Plain SGD with rate 1: the change of all weights together is the clipped gradient's norm.
  const auto data = std::make_shared<Bars>(32);
  auto network = small_cnn();
  const auto before = network->read_weights();
  TrainingOptions o;
  o.epochs = 1;
  o.batch = 32;
  o.validation_split = 0;
  o.optimizer = "SGD";
  o.optimizer_parameters["learning_rate"] = 1.0;
  o.clip_norm = 0.01;
  Trainer(world().registry, *network, data, nullptr, o).run(silent, quiet);
  const auto after = network->read_weights();
  double squares = 0;
  for (size_t l = 0; l < before.size(); ++l)
    for (size_t i = 0; i < before[l].values.size(); ++i) {
      if (before[l].names[i].starts_with("moving")) continue;
      for (int64_t k = 0; k < before[l].values[i].elements(); ++k)
        squares += std::pow(double(after[l].values[i].f32()[k]) - before[l].values[i].f32()[k], 2);
    }
  BOOST_TEST(std::abs(std::sqrt(squares) - 0.01) < 1e-5);
}
