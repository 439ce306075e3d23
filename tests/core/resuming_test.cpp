// Training that is interrupted, killed or diverges, and goes on from its checkpoint.

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <functional>
#include <thread>

#include "core/small_training.hpp"
#include "core/temporary.hpp"
#include "ocellus/core/model.hpp"

using namespace ocellus;
using namespace ocellus::test;

namespace {

/// Asks to stop after so many questions.
struct Stopper : SilentProgress {
  explicit Stopper(int after) : left(after) {}
  bool stop_requested() const override { return --left < 0; }
  mutable int left;
};

}  // namespace

BOOST_AUTO_TEST_CASE(resuming_changes_no_bit) {
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

BOOST_AUTO_TEST_CASE(the_last_good_checkpoint_survives_a_diverging_run) {
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
