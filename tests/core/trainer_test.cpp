#include "ocellus/core/trainer.hpp"

#include "core/small_training.hpp"
#include "core/temporary.hpp"

using namespace ocellus;
using namespace ocellus::test;

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

namespace {

struct Lines : Log {
  void write(Level, const std::string& line) override { all += line + "\n"; }
  std::string all;
};

}  // namespace

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
