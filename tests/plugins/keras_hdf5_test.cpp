// Files that Keras saved, with what Keras computed; files that we write; damaged files.
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>

#include "ocellus/core/dataset.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/file.hpp"
#include "ocellus/core/model_format.hpp"
#include "ocellus/core/optimizer.hpp"
#include "ocellus/core/trainer.hpp"
#include "plugins/models_for_keras.hpp"

using namespace ocellus;
using namespace ocellus::test;

BOOST_AUTO_TEST_SUITE(files_of_keras)

BOOST_AUTO_TEST_CASE(outputs_equal_those_of_keras) {
  for (const std::string& version : versions)
    for (const auto& names : {inference_models, trained_models})
      for (const std::string& name : names) {
        BOOST_TEST_CONTEXT(version << "/" << name) {
          Lines log;
          const ModelDocument d = open(fixtures / version / (name + ".h5"), log);
          BOOST_TEST(log.warnings.empty(), (log.warnings.empty() ? "" : log.warnings.front()));
          const H5Reader io(fixtures / version / (name + ".io.h5"));
          check_close(predict(d, io.read("/input")), io.read("/output"), 1e-5);
        }
      }
}

BOOST_AUTO_TEST_CASE(a_planted_fault_is_seen) {
  ModelDocument d = open(fixtures / "keras3" / "nested.h5");
  const H5Reader io(fixtures / "keras3" / "nested.io.h5");
  for (WeightsRecord& w : d.weights)
    if (holds(w.layer, "bn_1x1")) std::swap(w.values[0].f32()[0], w.values[0].f32()[1]);
  const Array y = predict(d, io.read("/input")), truth = io.read("/output");
  double error = 0;
  for (size_t i = 0; i < y.f32().size(); ++i)
    error = std::max(error, std::abs(static_cast<double>(y.f32()[i]) - truth.f32()[i]));
  BOOST_TEST(error > 1e-3);
}

BOOST_AUTO_TEST_CASE(nested_models_become_paths_and_scopes) {
  for (const std::string& version : versions) {
    const GraphRecord g = open(fixtures / version / "functional_nested.h5").graph;
    BOOST_TEST(!g.sequential);
    const auto conv = std::find_if(g.layers.begin(), g.layers.end(),
                                   [](const LayerRecord& l) { return l.name == "inner/conv"; });
    BOOST_REQUIRE(conv != g.layers.end());
    BOOST_TEST(conv->calls.size() == 2u);  // the inner model is shared
    const Network n(world().registry, g);
    for (const NetworkLayer& l : n.layers())
      if (l.record >= 0 && l.name != "outer_input")
        BOOST_TEST(l.trainable == !l.name.starts_with("frozen/"), l.name);
  }
}

BOOST_AUTO_TEST_CASE(training_configuration_and_optimizer_state) {
  for (const std::string& version : versions)
    for (const std::string& name : trained_models) {
      BOOST_TEST_CONTEXT(version << "/" << name) {
        const ModelDocument d = open(fixtures / version / (name + ".h5"));
        const H5Reader io(fixtures / version / (name + ".io.h5"));
        BOOST_TEST(d.loss == "sparse_categorical_crossentropy");
        BOOST_TEST(d.metrics == std::vector<std::string>{"accuracy"},
                   boost::test_tools::per_element());
        BOOST_REQUIRE(d.optimizer);
        const OptimizerRecord& o = *d.optimizer;
        BOOST_TEST(lower(o.type) == name);
        BOOST_TEST(o.iteration == static_cast<int64_t>(io.number("/", "iteration")));
        BOOST_TEST(o.iteration == 4);
        if (name == "rmsprop") BOOST_TEST(o.parameters.at("centered").as_bool());
        if (name == "adam")
          BOOST_TEST(o.parameters.at("beta_2").as_double() == 0.99,
                     boost::test_tools::tolerance(1e-6));
        // conv kernel, bias, gamma, beta, dense kernel, bias
        const auto slots =
            world().registry.create<Optimizer>(o.type, o.parameters, "test")->slots();
        BOOST_REQUIRE_EQUAL(o.slots.size(), slots.size());
        const bool interleaved = name.starts_with("adam");
        for (size_t s = 0; s < slots.size(); ++s) {
          BOOST_REQUIRE_EQUAL(o.slots[s].size(), 6u);
          for (size_t p = 0; p < 6; ++p) {
            const size_t i = interleaved ? p * slots.size() + s : s * 6 + p;
            BOOST_TEST(same_bits(o.slots[s][p], io.read("/slots/" + std::to_string(i))),
                       slots[s] << " " << p);
          }
        }
      }
    }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(our_files)

BOOST_AUTO_TEST_CASE(written_and_reopened_is_the_same) {
  TemporaryDirectory dir;
  for (const std::string& version : versions)
    for (const auto& names : {inference_models, trained_models})
      for (const std::string& name : names) {
        BOOST_TEST_CONTEXT(version << "/" << name) {
          Lines log;
          ModelDocument d = open(fixtures / version / (name + ".h5"));
          d.classes = {"a", "b", "ç"};
          d.preprocessing = Preprocessing::named("torch");
          d.training_state = Json(Json::Object{{"epoch", 3}, {"loss", 0.1}});
          d.sample = SampleRecord{noise(Shape{1, 2, 3, 1}, 1), noise(Shape{1, 4}, 2)};
          d.best_weights = d.weights;
          d.best_weights.front().values.front().f32()[0] = 42;
          const fs::path file = dir / "model.h5", again = dir / "again.h5";
          save_model(world().registry, d, file.string(), log);
          const ModelDocument e = open(file, log);
          BOOST_TEST(log.warnings.empty(), (log.warnings.empty() ? "" : log.warnings.front()));
          check_same_graph(d.graph, e.graph);
          check_same_weights(d.weights, e.weights);
          check_same_weights(d.best_weights, e.best_weights);
          BOOST_TEST(d.classes == e.classes, boost::test_tools::per_element());
          BOOST_TEST((d.training_state == e.training_state), e.training_state.dump());
          BOOST_TEST((d.preprocessing->to_json() == e.preprocessing.value().to_json()));
          BOOST_TEST((same_bits(d.sample->input, e.sample.value().input) &&
                      same_bits(d.sample->logits, e.sample->logits)));
          BOOST_TEST(d.loss == e.loss);
          BOOST_TEST(d.optimizer.has_value() == e.optimizer.has_value());
          if (d.optimizer) {
            BOOST_TEST(d.optimizer->iteration == e.optimizer->iteration);
            BOOST_REQUIRE_EQUAL(d.optimizer->slots.size(), e.optimizer->slots.size());
            for (size_t s = 0; s < d.optimizer->slots.size(); ++s)
              for (size_t p = 0; p < d.optimizer->slots[s].size(); ++p)
                BOOST_TEST(same_bits(d.optimizer->slots[s][p], e.optimizer->slots[s].at(p)));
          }
          const Array x = H5Reader(fixtures / version / (name + ".io.h5")).read("/input");
          BOOST_TEST(same_bits(predict(d, x), predict(e, x)));
          // What was read is written to the same bytes.
          save_model(world().registry, e, again.string(), log);
          BOOST_TEST((read_file(file) == read_file(again)));
        }
      }
}

BOOST_AUTO_TEST_CASE(frozen_layers_and_their_slots) {
  TemporaryDirectory dir;
  ModelDocument d = open(fixtures / "keras3" / "adam.h5");
  for (LayerRecord& l : d.graph.layers)
    if (l.name == "conv") l.trainable = false;
  SilentLog log;
  save_model(world().registry, d, (dir / "m.h5").string(), log);
  const ModelDocument e = open(dir / "m.h5");
  BOOST_REQUIRE(e.optimizer);
  for (size_t s = 0; s < 2; ++s) {
    for (const size_t frozen : {0, 1})  // not kept, and zero on return
      BOOST_TEST(std::all_of(e.optimizer->slots[s][frozen].f32().begin(),
                             e.optimizer->slots[s][frozen].f32().end(),
                             [](float v) { return v == 0; }));
    for (size_t p = 2; p < 6; ++p)
      BOOST_TEST(same_bits(d.optimizer->slots[s][p], e.optimizer->slots[s][p]));
  }
}

// What Keras' optimizers do not take would make Keras refuse the file.
BOOST_AUTO_TEST_CASE(decay_of_kernels_only_stays_ours) {
  TemporaryDirectory dir;
  ModelDocument d = open(fixtures / "keras3" / "adamw.h5");
  BOOST_REQUIRE(d.optimizer);
  BOOST_TEST(!d.optimizer->parameters.get("decay_kernels_only", false));
  d.optimizer->parameters["decay_kernels_only"] = true;
  SilentLog log;
  save_model(world().registry, d, (dir / "m.h5").string(), log);
  BOOST_TEST(open(dir / "m.h5").optimizer->parameters.get("decay_kernels_only", false));
  BOOST_TEST(!holds(H5Reader(dir / "m.h5").text("/", "training_config"), "decay_kernels_only"));
}

BOOST_AUTO_TEST_CASE(unknown_layers_open_and_the_network_names_them) {
  TemporaryDirectory dir;
  ModelDocument d = open(fixtures / "keras2" / "sequential_cnn.h5");
  d.graph.layers[5].type = "Swirl";
  d.graph.layers[5].parameters = Json(Json::Object{{"turns", 3}});
  Lines log;
  save_model(world().registry, d, (dir / "m.h5").string(), log);
  BOOST_REQUIRE_EQUAL(log.warnings.size(), 1u);
  BOOST_TEST(holds(log.warnings[0], "Swirl"));
  const ModelDocument e = open(dir / "m.h5");
  BOOST_TEST(e.graph.layers[5].type == "Swirl");
  BOOST_TEST(e.graph.layers[5].parameters.get("turns", 0) == 3);
  const auto names_it = [](const PluginError& x) {
    return holds(x.what(), "leaky_re_lu") && holds(x.what(), "Swirl");
  };
  BOOST_CHECK_EXCEPTION(Network(world().registry, e), PluginError, names_it);
}

BOOST_AUTO_TEST_CASE(keys_of_others_are_kept) {
  TemporaryDirectory dir;
  ModelDocument d = open(fixtures / "keras3" / "sequential_cnn.h5");
  d.graph.layers[1].foreign["kernel_regularizer"] =
      Json::parse(R"({"class_name": "L2", "config": {"l2": 0.01}})", "test");
  for (const size_t l : {1, 4})  // the same of two layers is one warning
    d.graph.layers[l].foreign["kernel_constraint"] =
        Json::parse(R"({"class_name": "MaxNorm", "config": {"max_value": 0.5}})", "test");
  d.graph.layers[1].foreign["bias_constraint_flag"] = false;  // neutral: passes without a word
  SilentLog quiet;
  save_model(world().registry, d, (dir / "m.h5").string(), quiet);
  Lines log;
  const ModelDocument e = open(dir / "m.h5", log);
  BOOST_REQUIRE_EQUAL(log.warnings.size(), 1u);
  BOOST_TEST((holds(log.warnings[0], "2 layers") && holds(log.warnings[0], "conv2d") &&
              holds(log.warnings[0], "kernel_constraint") && holds(log.warnings[0], "0.5")),
             log.warnings[0]);
  BOOST_TEST((e.graph.layers[1].foreign.at("kernel_regularizer") ==
              d.graph.layers[1].foreign.at("kernel_regularizer")));
  BOOST_TEST(!e.graph.layers[1].foreign.at("bias_constraint_flag").as_bool());
}

BOOST_AUTO_TEST_CASE(hard_sigmoid_means_what_it_meant) {
  TemporaryDirectory dir;
  for (const char* name : {"hard_sigmoid", "hard_sigmoid_v2"}) {
    ModelDocument d = open(fixtures / "keras3" / "sequential_cnn.h5");
    d.graph.layers[1].parameters["activation"] = name;
    SilentLog log;
    save_model(world().registry, d, (dir / "m.h5").string(), log);
    BOOST_TEST(open(dir / "m.h5").graph.layers[1].parameters.at("activation").as_string() == name);
  }
}

BOOST_AUTO_TEST_SUITE_END()

// For tests/fixtures/check_in_keras.py: models as we write them, and what we compute for them.
BOOST_AUTO_TEST_CASE(models_for_keras) {
  const auto out = ModelsForKeras::wanted();
  if (!out) return;
  std::vector<std::pair<std::string, ModelDocument>> models;
  for (const std::string& version : versions)
    for (const auto& names : {inference_models, trained_models})
      for (const std::string& name : names)
        models.emplace_back(version + "_" + name, open(fixtures / version / (name + ".h5")));
  SilentLog log;
  const GraphRecord out_of_order = graph(
      {{"Input", "in", R"({"shape": [7, 6, 4]})", {}},
       {"Conv2D", "late", R"({"filters": 4, "kernel_size": 1})", {"in"}},
       {"Conv2D", "early", R"({"filters": 4, "kernel_size": 1})", {"in"}},
       {"Conv2D", "deep", R"({"filters": 4, "kernel_size": 1, "activation": "relu"})", {"early"}},
       {"Conv2D", "deep", "", {"deep"}},
       {"Add", "sum", "{}", {"deep:1", "late"}},
       {"GlobalAveragePooling2D", "gap", "{}", {"sum"}}},
      {"gap"});
  std::vector<std::pair<std::string, GraphRecord>> graphs = {{"out_of_order", out_of_order}};
  for (const char* name :
       {"lenet5", "lenet5(activation=tanh,pooling=average)", "cifar_small", "mnist_cnn",
        "12x10x2: conv3(4) bn LeakyReLU(0.2) avgpool dropout(0.1) pad1 conv3(3,elu) dense(1)"})
    graphs.emplace_back(std::to_string(graphs.size()),
                        open_model(world().registry, {.address = name, .trust = false}, log).graph);
  for (const auto& [name, g] : graphs) {
    Network n(world().registry, g);
    n.place(world().device, 1);
    randomize(n);
    models.emplace_back("ours_" + name, n.document());
  }
  for (const auto& [name, d] : models) {
    const Network n(world().registry, d);
    const Array x = noise(n.shape(n.inputs().front()).with_batch(3), 5);
    out->model(world().registry, d, name, {".h5", ".keras", ".weights.h5"});
    out->values(name, {x}, {predict(d, x)});
  }
}

// A crash of HDF5 in the child is an error with exit code 5; whatever else happens, this process
// lives.
BOOST_AUTO_TEST_CASE(damaged_files_are_refused_or_read_but_never_crash) {
  TemporaryDirectory dir;
  const fs::path file = dir / "damaged.h5";
  const std::vector<std::byte> whole = read_file(fixtures / "keras2" / "adam.h5");
  Registry registry;
  registry.load_default();
  SilentLog log;
  const auto try_it = [&](std::vector<std::byte> bytes) {
    std::ofstream(file, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    try {
      open_model(registry, {.address = file.string()}, log);
      return 0;
    } catch (const Error& e) {
      return static_cast<int>(e.exit_code());
    }
  };
  BOOST_TEST(try_it(whole) == 0);
  for (size_t n = 0; n < whole.size(); n += whole.size() / 40)
    BOOST_TEST(try_it({whole.begin(), whole.begin() + static_cast<ptrdiff_t>(n)}) == 5,
               "truncated to " << n << " bytes");
  std::mt19937 rng(3);
  int refused = 0;
  for (int i = 0; i < 60; ++i) {
    std::vector<std::byte> bytes = whole;
    for (int k = 0; k < 4; ++k)
      bytes[rng() % bytes.size()] ^= static_cast<std::byte>(1 << rng() % 8);
    const int code = try_it(bytes);
    // A flipped letter in a name or a key may also make a layer unknown, or a parameter.
    BOOST_TEST((code == 0 || code == 5 || code == 2 || code == 3),
               "mutation " << i << " ends with " << code);
    refused += code != 0;
  }
  BOOST_TEST(refused > 0);
}

BOOST_AUTO_TEST_SUITE(real_files)

// MLPerf Tiny's reference: 87.19 % of the 10,000 test images of CIFAR-10, RGB 0..255 as they are.
// ResNet-20: 91.73 %.
BOOST_AUTO_TEST_CASE(published_accuracies) {
  const fs::path data = test_data();
  if (!fs::exists(data / "cifar10")) {
    BOOST_TEST_MESSAGE("SKIPPED: no " << data / "cifar10");
    return;
  }
  const auto images =
      open_dataset(world().registry, "cifar10:" + (data / "cifar10").string(), "test");
  for (const auto& [name, preprocessing, percent] :
       {std::tuple{"mlperf_tiny_resnet8_cifar10.h5", Preprocessing::named("none"), 87.19},
        std::tuple{"resnet20_cifar10.h5", Preprocessing::named("torch"), 91.73}}) {
    Network n(world().registry, open(data / "keras" / name));
    n.preprocessing = preprocessing;
    n.place(world().device);
    SilentProgress silent;
    const Evaluation e = evaluate(world().registry, n, images, 128, "", {"accuracy"}, silent);
    BOOST_TEST(e.count == 10000);
    BOOST_TEST_MESSAGE(name << ": " << 100 * e.metrics[0] << " %");
    BOOST_TEST(100 * e.metrics[0] == percent, boost::test_tools::tolerance(1e-4));
  }
}

// Outputs of each model as its Keras (1.x are refused, 2.x read) computed them.
BOOST_AUTO_TEST_CASE(examples_with_outputs) {
  const fs::path examples = test_data() / "keras" / "dl4j" / "examples" / "activations";
  if (!fs::exists(examples)) {
    BOOST_TEST_MESSAGE("SKIPPED: no " << examples);
    return;
  }
  int compared = 0;
  for (const fs::directory_entry& e : fs::directory_iterator(examples)) {
    const std::string file = e.path().string();
    if (!file.ends_with("_model.h5")) continue;
    const H5Reader io(file.substr(0, file.size() - 9) + "_inputs_and_outputs.h5");
    const std::string in = "/inputs/" + io.members("/inputs").front(),
                      out = "/predictions/" + io.members("/predictions").front();
    try {
      const ModelDocument d = open(file);
      BOOST_TEST_CONTEXT(file) { check_close(predict(d, io.read(in)), io.read(out), 1e-4); }
      ++compared;
    } catch (const Error& refused) {
      BOOST_TEST_MESSAGE(refused.what());
    }
  }
  BOOST_TEST_MESSAGE(compared << " examples compared");
  BOOST_TEST(compared > 0);
}

BOOST_AUTO_TEST_CASE(files_of_many_versions) {
  const fs::path keras = test_data() / "keras";
  if (!fs::exists(keras)) {
    BOOST_TEST_MESSAGE("SKIPPED: no " << keras);
    return;
  }
  // Every file opens as a document or is refused with a reason; those whose layers all exist make a
  // network.
  int opened = 0, networks = 0, all = 0;
  for (const fs::directory_entry& e : fs::recursive_directory_iterator(keras / "dl4j")) {
    if (e.path().extension() != ".h5") continue;
    ++all;
    try {
      const ModelDocument d = open(e.path());
      ++opened;
      const Network n(world().registry, d);
      ++networks;
    } catch (const Error&) {
    }
  }
  BOOST_TEST_MESSAGE(all << " files, " << opened << " open, " << networks << " make a network");
  BOOST_TEST(opened > 0);
  BOOST_TEST(networks > 0);
}

BOOST_AUTO_TEST_SUITE_END()
