// What regularizers of weights and of activities add to the loss and to its gradient.

#include <numeric>
#include <random>

#include "core/small_training.hpp"

using namespace ocellus;
using namespace ocellus::test;

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
