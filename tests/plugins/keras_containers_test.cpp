// `.keras` and `.weights.h5`: as Keras saved them, with what Keras computed; and as we write them.
#include <algorithm>
#include <functional>
#include <random>

#include "ocellus/core/error.hpp"
#include "ocellus/core/evaluation.hpp"
#include "ocellus/core/file.hpp"
#include "ocellus/core/optimizer.hpp"
#include "ocellus/core/recipe.hpp"
#include "ocellus/core/sample.hpp"
#include "ocellus/core/trainer.hpp"
#include "ocellus/core/zip.hpp"
#include "plugins/models_for_keras.hpp"

using namespace ocellus;
using namespace ocellus::test;

namespace {

const std::vector<std::string> models = {
    "functional_residual", "nested", "functional_nested", "sgd", "adam", "adamw", "rmsprop"};

fs::path container(const std::string& version, const std::string& name, const char* ending) {
  return fixtures / version / "containers" / (name + ending);
}

void check_prediction(const ModelDocument& d, const std::string& version, const std::string& name) {
  const H5Reader io(container(version, name, ".io.h5"));
  check_close(predict(d, io.read("/input")), io.read("/output"), 1e-5);
}

ModelDocument with_weights(const fs::path& model, const fs::path& weights, Log& log,
                           bool by_name = false) {
  return open_model(world().registry,
                    {.address = model.string(),
                     .weights = weights.string(),
                     .matching = {.by_name = by_name},
                     .trust = true},
                    log);
}

// Slots as Keras listed them: those of Adam stand together by weight.
void check_state(const OptimizerRecord& o, const std::string& version, const std::string& name) {
  const H5Reader io(container(version, name, ".io.h5"));
  BOOST_TEST(lower(o.type) == name);
  BOOST_TEST(o.iteration == static_cast<int64_t>(io.number("/", "iteration")));
  const size_t slots =
      world().registry.create<Optimizer>(o.type, o.parameters, "test")->slots().size();
  BOOST_REQUIRE_EQUAL(o.slots.size(), slots);
  for (size_t s = 0; s < slots; ++s) {
    BOOST_REQUIRE_EQUAL(o.slots[s].size(), 6u);
    for (size_t p = 0; p < 6; ++p) {
      const size_t i = name.starts_with("adam") ? p * slots + s : s * 6 + p;
      BOOST_TEST(same_bits(o.slots[s][p], io.read("/slots/" + std::to_string(i))), s << " " << p);
    }
  }
}

// The items that train_further() of make_keras_fixtures.py trains on.
class Items : public Dataset {
 public:
  explicit Items(Array images) : images_(std::move(images)) {}
  int64_t size() const override { return images_.shape()[0]; }
  Shape item_shape() const override { return images_.item(0).shape(); }
  DType item_type() const override { return DType::f32; }
  std::vector<std::string> classes() const override { return {"a", "b", "c"}; }
  std::string describe(int64_t i) const override { return std::to_string(i); }
  void read(std::span<const int64_t> indices, Samples& out) const override {
    constexpr int labels[] = {0, 2, 1};
    const int n = static_cast<int>(indices.size());
    const size_t item = images_.item(0).byte_count();
    out = {};
    out.images = Array(images_.shape().with_batch(n), DType::f32);
    out.targets = Array(Shape{n}, DType::i32);
    for (int i = 0; i < n; ++i) {
      const auto from = images_.bytes().subspan(static_cast<size_t>(indices[i]) * item, item);
      std::copy(from.begin(), from.end(),
                out.images.bytes().begin() + static_cast<ptrdiff_t>(i * item));
      out.targets.i32()[i] = labels[indices[i]];
    }
  }

 private:
  Array images_;
};

// The model after `steps` steps more with all items at once; without a state of its own it begins
// with `optimizer`.
ModelDocument trained_on(const ModelDocument& d, const Array& x, int steps,
                         const Json& optimizer = Json()) {
  TrainingOptions options;
  if (optimizer.is_null()) {
    BOOST_REQUIRE(go_on_with_optimizer({}, d, options));
  } else {
    Recipe recipe;
    recipe.optimizer = optimizer;
    options = training_options(world().registry, recipe);
  }
  options.epochs = steps;
  options.batch = x.shape()[0];
  options.validation_split = 0;
  options.loss = d.loss;
  options.metrics = d.metrics;
  Network n(world().registry, d);
  n.preprocessing = Preprocessing::named("none");
  n.place(world().device, 0, Placement::arenas);
  Trainer trainer(world().registry, n, std::make_shared<Items>(x), nullptr, options);
  SilentProgress silent;
  SilentLog log;
  trainer.run(silent, log);
  return trainer.document();
}

double evaluated(const ModelDocument& d, const Array& x) {
  Network n(world().registry, d);
  n.preprocessing = Preprocessing::named("none");
  n.place(world().device);
  SilentProgress silent;
  return evaluate(world().registry, n, std::make_shared<Items>(x), x.shape()[0], d.loss, {}, silent)
      .loss;
}

// As get_weights() has them: layer by layer, of each what is trained and then the statistics.
std::vector<Array> in_order_of_keras(const ModelDocument& d) {
  std::vector<Array> weights;
  for (const WeightsRecord& r : d.weights)
    weights.insert(weights.end(), r.values.begin(), r.values.end());
  return weights;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(files_of_keras)

BOOST_AUTO_TEST_CASE(archives) {
  for (const std::string& version : versions)
    for (const std::string& name : models) {
      BOOST_TEST_CONTEXT(version << "/" << name) {
        Lines log;
        const ModelDocument d = open(container(version, name, ".keras"), log);
        BOOST_TEST(log.warnings.empty(), (log.warnings.empty() ? "" : log.warnings.front()));
        check_prediction(d, version, name);
        BOOST_TEST(d.optimizer.has_value() ==
                   (lower(name) == "sgd" || name.starts_with("adam") || name == "rmsprop"));
        if (!d.optimizer) continue;
        BOOST_TEST(d.loss == "sparse_categorical_crossentropy");
        check_state(*d.optimizer, version, name);
      }
    }
}

BOOST_AUTO_TEST_CASE(weights) {
  for (const std::string& version : versions)
    for (const std::string& name : models) {
      BOOST_TEST_CONTEXT(version << "/" << name) {
        Lines log;
        const fs::path model = fixtures / "keras3" / (name + ".h5");
        for (const char* ending : {".weights.h5", ".keras"})
          check_prediction(with_weights(model, container(version, name, ending), log), version,
                           name);
        BOOST_TEST(log.warnings.empty(), (log.warnings.empty() ? "" : log.warnings.front()));
      }
    }
  SilentLog log;
  check_prediction(with_weights(fixtures / "keras2" / "adam.h5",
                                container("keras3", "adam", ".weights.h5"), log, true),
                   "keras3", "adam");
}

// A training begun in Keras goes on here: three more steps come to the weights that Keras came to.
BOOST_AUTO_TEST_CASE(a_training_goes_on) {
  for (const auto& [version, ending] :
       {std::pair{"keras3", ".keras"}, {"keras2", ".keras"}, {"keras2", ".h5"}})
    for (const std::string name : {"sgd", "adam", "adamw", "rmsprop", "activities"}) {
      BOOST_TEST_CONTEXT(version << " " << name << ending) {
        const ModelDocument d = open(container(version, name, ending));
        const H5Reader io(container(version, name, ".io.h5"));
        BOOST_TEST(std::abs(evaluated(d, io.read("/input")) - io.number("/", "loss")) < 1e-5);
        const ModelDocument after = trained_on(d, io.read("/input"), 3);
        BOOST_TEST(after.optimizer->iteration == 4 + 3);
        const std::vector<Array> weights = in_order_of_keras(after);
        for (size_t i = 0; i < weights.size(); ++i) {
          Array found = weights[i], expected = io.read("/further/" + std::to_string(i));
          // The batch norm behind it takes the gradient from a bias whose channel ReLU never cuts;
          // quotients make steps of the rounding errors that are left (roots below 1e-5).
          if ((name.starts_with("adam") || name == "rmsprop") && i == 1) {
            const size_t slot = name == "rmsprop" ? 0 : 1;
            const std::span<const float> velocity = d.optimizer->slots.at(slot).at(1).f32();
            if (std::ranges::none_of(velocity, [](float v) { return v > 1e-10f; })) continue;
            for (size_t e = 0; e < velocity.size(); ++e)
              if (velocity[e] < 1e-10f) expected.f32()[e] = found.f32()[e] = 0;
          }
          BOOST_TEST_CONTEXT(i) { check_close(found, expected, 1e-4); }
        }
      }
    }
}

// The groups of tf.keras 2.12 and 2.13 have another name, at every depth.
BOOST_AUTO_TEST_CASE(weights_of_older_versions) {
  TemporaryDirectory dir;
  for (const char* name : {"nested", "adam"}) {
    const H5Reader from(container("keras2", name, ".weights.h5"));
    const fs::path file = dir / (std::string(name) + ".weights.h5");
    H5Writer::write(file, [&](H5Writer& to) {
      const std::function<void(const std::string&)> copy = [&](const std::string& group) {
        for (const std::string& member : from.members(group)) {
          const std::string path = group + "/" + member;
          if (from.has_group(path)) {
            copy(path);
            continue;
          }
          std::string old = path;
          for (size_t at = 0; (at = old.find("/layers", at)) != std::string::npos;)
            old.replace(at, 7, "/_layer_checkpoint_dependencies");
          to.dataset(old, from.read(path));
        }
      };
      copy("/layers");
    });
    SilentLog log;
    check_prediction(with_weights(fixtures / "keras3" / (std::string(name) + ".h5"), file, log),
                     "keras2", name);
  }
}

BOOST_AUTO_TEST_CASE(weights_of_16_bits) {
  for (const char* name : {"bfloat16", "float16"})
    for (const char* ending : {".keras", ".h5"}) {
      BOOST_TEST_CONTEXT(name << ending) {
        Lines log;
        const ModelDocument d = open(container("keras3", name, ending), log);
        BOOST_REQUIRE_EQUAL(log.warnings.size(), 2u);  // a layer each: computed in float32
        BOOST_TEST((holds(log.warnings[0], name) && holds(log.warnings[0], "float32")));
        const H5Reader io(container("keras3", name, ".io.h5"));
        size_t i = 0;
        for (const WeightsRecord& r : d.weights)
          for (const Array& w : r.values)
            BOOST_TEST(same_bits(w, io.read("/weights/" + std::to_string(i++))), r.layer);
        BOOST_TEST(i == 6u);
      }
    }
}

BOOST_AUTO_TEST_CASE(weights_of_another_model_are_refused) {
  SilentLog log;
  const auto counts = [](const DataError& e) {
    return holds(e.what(), "layers") && holds(e.what(), "3 with weights");
  };
  BOOST_CHECK_EXCEPTION(with_weights(fixtures / "keras2" / "adam.h5",
                                     container("keras3", "nested", ".weights.h5"), log),
                        DataError, counts);
  const auto asks = [](const DataError& e) { return holds(e.what(), "name the model"); };
  BOOST_CHECK_EXCEPTION(open(container("keras3", "adam", ".weights.h5")), DataError, asks);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(our_files)

BOOST_AUTO_TEST_CASE(written_and_reopened_is_the_same) {
  TemporaryDirectory dir;
  for (const std::string& version : versions)
    for (const std::string& name : models) {
      BOOST_TEST_CONTEXT(version << "/" << name) {
        Lines log;
        ModelDocument d = open(container(version, name, ".keras"));
        d.classes = {"a", "b", "ç"};
        d.preprocessing = Preprocessing::named("torch");
        d.training_state = Json(Json::Object{{"epoch", 3}});
        d.best_weights = d.weights;
        d.best_weights.front().values.front().f32()[0] = 42;
        const std::string file = (dir / "model.keras").string(), again = (dir / "b.keras").string();
        save_model(world().registry, d, file, log);
        const ModelDocument e = open(file, log);
        BOOST_TEST(log.warnings.empty(), (log.warnings.empty() ? "" : log.warnings.front()));
        check_same_graph(d.graph, e.graph);
        check_same_weights(d.weights, e.weights);
        check_same_weights(d.best_weights, e.best_weights);
        BOOST_TEST(d.classes == e.classes, boost::test_tools::per_element());
        BOOST_TEST((d.preprocessing->to_json() == e.preprocessing.value().to_json()));
        BOOST_TEST((d.training_state == e.training_state));
        check_prediction(e, version, name);
        if (d.optimizer) check_state(e.optimizer.value(), version, name);
        save_model(world().registry, e, again, log);
        BOOST_TEST((read_file(file) == read_file(again)));
        // Weights alone, for the same model with others.
        const std::string weights = (dir / "model.weights.h5").string();
        save_model(world().registry, d, weights, log);
        check_prediction(with_weights(fixtures / "keras3" / (name + ".h5"), weights, log), version,
                         name);
      }
    }
}

BOOST_AUTO_TEST_CASE(a_sample_tells_a_changed_weight) {
  TemporaryDirectory dir;
  ModelDocument d = open(container("keras3", "adam", ".keras"));
  d.graph.layers.back().parameters["activation"] = "linear";  // its output is the logits then
  const Array x = H5Reader(container("keras3", "adam", ".io.h5")).read("/input");
  d.sample = SampleRecord{x, predict(d, x)};
  SilentLog log;
  save_model(world().registry, d, (dir / "m.keras").string(), log);
  ModelDocument e = open(dir / "m.keras");
  const auto check = [&] {
    Network n(world().registry, e);
    n.place(world().device);
    check_sample(n, e.sample.value(), "m.keras");
    return verify_sample(n, *e.sample);
  };
  BOOST_TEST(check() < 1e-6);
  e.weights.back().values.front().f32()[0] += 0.1f;
  const auto names_it = [](const DataError& error) {
    return holds(error.what(), "m.keras") && holds(error.what(), "0.001");
  };
  BOOST_CHECK_EXCEPTION(check(), DataError, names_it);
}

BOOST_AUTO_TEST_CASE(from_logits_stays) {
  TemporaryDirectory dir;
  ModelDocument d = open(container("keras3", "adam", ".keras"));
  d.graph.layers.back().parameters["activation"] = "linear";
  SilentLog log;
  for (const char* ending : {"m.keras", "m.h5"}) {
    const std::string file = (dir / ending).string();
    save_model(world().registry, d, file, log);
    BOOST_TEST(open(file).loss == "sparse_categorical_crossentropy(from_logits=true)");
  }
}

// Trainings begun here, for check_in_keras.py, which goes on with them and compares: /further/I are
// the weights that three more steps come to here.
BOOST_AUTO_TEST_CASE(trainings_for_keras) {
  const auto out = ModelsForKeras::wanted();
  if (!out) return;
  const Array x = H5Reader(container("keras3", "sgd", ".io.h5")).read("/input");
  for (const auto& [name, optimizer] :
       {std::pair{"sgd", "SGD(learning_rate=0.05, momentum=0.9)"},
        {"nesterov", "SGD(learning_rate=0.05, momentum=0.9, nesterov=true)"},
        {"adam", "Adam(learning_rate=0.01)"},
        {"adamw", "AdamW(learning_rate=0.01, weight_decay=0.02)"},
        {"rmsprop", "RMSprop(learning_rate=0.01)"},
        {"rmsprop_centered", "RMSprop(learning_rate=0.01, momentum=0.5, centered=true)"},
        {"activities", "SGD(learning_rate=0.05)"}}) {
    ModelDocument d = open(
        container("keras3", name == std::string("activities") ? "activities" : "sgd", ".keras"));
    d.optimizer.reset();
    const ModelDocument begun = trained_on(d, x, 4, optimizer);
    const std::vector<Array> further = in_order_of_keras(trained_on(begun, x, 3));
    const std::string file = std::string("begun_") + name;
    out->model(world().registry, begun, file, {".h5", ".keras"});
    out->values(file, {x}, {predict(begun, x)}, further);
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_CASE(files_that_are_no_models_say_what_they_hold) {
  TemporaryDirectory dir;
  const auto says = [](const char* what) {
    return [what](const DataError& e) { return holds(e.what(), what); };
  };
  ZipWriter::write(dir / "a.keras", [](ZipWriter& zip) { zip.add("photo.png", std::string("x")); });
  BOOST_CHECK_EXCEPTION(open(dir / "a.keras"), DataError, says("a zip archive with photo.png"));
  H5Writer::write(dir / "b.h5", [](H5Writer& file) { file.group("/spectra"); });
  BOOST_CHECK_EXCEPTION(open(dir / "b.h5"), DataError, says("an HDF5 file with spectra"));
}

BOOST_AUTO_TEST_CASE(damaged_archives_are_refused) {
  TemporaryDirectory dir;
  const std::vector<std::byte> whole = read_file(container("keras3", "adam", ".keras"));
  const fs::path file = dir / "damaged.keras";
  for (size_t n = 0; n < whole.size(); n += whole.size() / 20) {
    write_atomically(file, std::span(whole).first(n));
    BOOST_CHECK_THROW(open(file), DataError);
  }
  ZipWriter::write(file, [](ZipWriter& zip) { zip.add("config.json", std::string("{}")); });
  const auto no_weights = [](const DataError& e) { return holds(e.what(), "model.weights.h5"); };
  BOOST_CHECK_EXCEPTION(open(file), DataError, no_weights);
}

// Bits flipped anywhere, opened as a program does: an error with its exit code, or a model.
BOOST_AUTO_TEST_CASE(mutated_archives_never_crash) {
  TemporaryDirectory dir;
  const fs::path file = dir / "mutated.keras";
  const std::vector<std::byte> whole = read_file(container("keras3", "sgd", ".keras"));
  Registry registry;
  registry.load_default();
  SilentLog log;
  std::mt19937 rng(7);
  int refused = 0;
  for (int i = 0; i < 60; ++i) {
    std::vector<std::byte> bytes = whole;
    for (int k = 0; k < 4; ++k)
      bytes[rng() % bytes.size()] ^= static_cast<std::byte>(1 << rng() % 8);
    write_atomically(file, bytes);
    try {
      open_model(registry, {.address = file.string()}, log);
    } catch (const Error& e) {
      ++refused;
      const int code = static_cast<int>(e.exit_code());
      BOOST_TEST((code == 2 || code == 3 || code == 5), "mutation " << i << ": " << e.what());
    }
  }
  // The archive's checksums see to it that nearly every one is noticed.
  BOOST_TEST(refused > 30);
  BOOST_TEST(std::distance(fs::directory_iterator(file.parent_path()), {}) == 1);
}
