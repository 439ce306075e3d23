// The zoo: numbers that were published for its families; layers, weights and outputs of
// keras.applications, and of models built in Keras where it lacks them
// (tests/fixtures/make_zoo_fixtures.py wrote zoo/NAME.json).
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <filesystem>

#include "core/networks.hpp"
#include "core/temporary.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/file.hpp"
#include "ocellus/core/model.hpp"
#include "plugins/made_up_weights.hpp"

using namespace ocellus;
using namespace ocellus::test;
namespace fs = std::filesystem;

namespace {

const fs::path fixtures = fs::path(OCELLUS_FIXTURES) / "zoo";

GraphRecord build(const std::string& name, const Json& parameters = Json::object()) {
  return world().registry.create<Architecture>(name, parameters, name)->build();
}

Shape shape_of(const Json& list) {
  std::vector<int> extents;
  for (const Json& e : list.as_list()) extents.push_back(e.as_int());
  return Shape(extents);
}

// "Conv2D conv1 kernel(3, 3, 3, 32) bias(32)": a layer as it stands in the fixture, and as we have
// it.
std::string line(const Json& layer) {
  std::string text = layer.at(0).as_string() + " " + layer.at(1).as_string();
  for (const Json& w : layer.at(2).as_list()) {
    text += " " + w.at(0).as_string() + shape_of(w.at(1)).str();
  }
  return text;
}
std::string line(const NetworkLayer& layer) {
  std::string text = (layer.type == "Input" ? "InputLayer" : layer.type) + " " + layer.name;
  for (const ParameterSpec& w : weights_of(layer))
    text += " " + (w.name == "depthwise_kernel" ? "kernel" : w.name) + w.shape.str();
  return text;
}

double relative_error(std::span<const float> a, const Json& b) {
  double error = 0, scale = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    const double truth = b.at(i).as_double();
    error = std::max(error, std::abs(a[i] - truth));
    scale = std::max(scale, std::abs(truth));
  }
  BOOST_TEST(scale > 1e-2);
  return error / scale;
}

struct Errors {
  double image = 0, logits = 0;
};

// What the network makes of the input that Keras got, against what Keras made of it.
Errors run(Network& network, const Json& fixture, bool pixels) {
  opencl::Queue& queue = world().device->compute();
  const std::string image = fixture.at("image").as_string();
  const std::string logits = network.tensor_name(network.outputs().front());
  Execution e(network, {.batch = 1, .fetches = {image, logits}});
  std::vector<float> input = uniform(-1, 0, network.shape(network.inputs().front()).elements());
  for (float& u : input) u = pixels ? 255 * u : 2 * u - 1;
  upload(queue, Array(e.feed().shape, std::move(input)), e.feed());
  e.forward();
  const Array map = download(queue, e.fetch(image)), out = download(queue, e.fetch(logits));

  BOOST_TEST(map.shape().without_batch().str() == shape_of(fixture.at("image_shape")).str(),
             map.shape().str());
  const Json& wanted = fixture.at("picked");
  std::vector<float> picked;
  for (size_t i = 0; i < wanted.size(); ++i)
    picked.push_back(map.f32()[i * map.f32().size() / wanted.size()]);
  return {relative_error(picked, wanted), relative_error(out.f32(), fixture.at("logits"))};
}

// Two output channels of the kernel in the middle of the network change places.
void swap_channels(std::vector<WeightsRecord>& weights) {
  for (size_t i = weights.size() / 2; i < weights.size(); ++i) {
    if (weights[i].names[0] != "kernel") continue;
    Array& kernel = weights[i].values[0];
    const auto n = static_cast<size_t>(kernel.shape().extents().back());
    for (size_t k = 0; k < kernel.f32().size(); k += n)
      std::swap(kernel.f32()[k], kernel.f32()[k + n - 1]);
    return;
  }
  BOOST_FAIL("no kernel to swap");
}

void compare_with_keras(const std::string& file, const std::string& architecture) {
  const fs::path path = fixtures / (file + ".json");
  const Json fixture = Json::parse(read_text(path), path.string());
  Json parameters = fixture.at("options");
  parameters["classifier_activation"] = "linear";
  const bool efficientnet = architecture == "efficientnet_b0";
  if (efficientnet) parameters["published_rescaling"] = false;

  ModelDocument document;
  document.graph = build(architecture, parameters);
  {
    const Network plan(world().registry, document.graph);
    std::vector<std::string> ours, keras;
    for (const NetworkLayer& l : plan.layers())
      if (l.record >= 0) ours.push_back(line(l));
    for (const Json& l : fixture.at("layers").as_list()) keras.push_back(line(l));
    BOOST_TEST(ours == keras, boost::test_tools::per_element());
    document.weights = made_up_weights(plan);
  }
  Network network(world().registry, document);
  network.place(world().device);
  const Errors e = run(network, fixture, efficientnet);
  BOOST_TEST_MESSAGE(file << ": image " << e.image << ", logits " << e.logits);
  BOOST_TEST(e.image < 1e-4);
  BOOST_TEST(e.logits < 1e-4);
  swap_channels(document.weights);
  network.write_weights(document.weights);
  const Errors wrong = run(network, fixture, efficientnet);
  BOOST_TEST(wrong.image > 1e-3);
  BOOST_TEST(wrong.logits > 1e-3);
}

struct Fact {
  const char* name;
  int64_t parameters;    // as Keras counts
  double multiply_adds;  // of one image, millions
};

}  // namespace

BOOST_AUTO_TEST_SUITE(keras_applications)
BOOST_AUTO_TEST_CASE(vgg16) { compare_with_keras("vgg16", "vgg16"); }
BOOST_AUTO_TEST_CASE(vgg19) { compare_with_keras("vgg19", "vgg19"); }
BOOST_AUTO_TEST_CASE(resnet50) { compare_with_keras("resnet50", "resnet50"); }
BOOST_AUTO_TEST_CASE(mobilenet) { compare_with_keras("mobilenet", "mobilenet"); }
BOOST_AUTO_TEST_CASE(mobilenet_v2) { compare_with_keras("mobilenet_v2", "mobilenet_v2"); }
BOOST_AUTO_TEST_CASE(mobilenet_v2_small) {
  compare_with_keras("mobilenet_v2_small", "mobilenet_v2");
}
BOOST_AUTO_TEST_CASE(densenet121) { compare_with_keras("densenet121", "densenet121"); }
BOOST_AUTO_TEST_CASE(inception_v3) { compare_with_keras("inception_v3", "inception_v3"); }
BOOST_AUTO_TEST_CASE(efficientnet_b0) { compare_with_keras("efficientnet_b0", "efficientnet_b0"); }
BOOST_AUTO_TEST_SUITE_END()

// What keras.applications lacks, built in Keras from the papers' tables.
BOOST_AUTO_TEST_SUITE(built_in_keras)
BOOST_AUTO_TEST_CASE(alexnet) { compare_with_keras("alexnet", "alexnet"); }
BOOST_AUTO_TEST_CASE(googlenet) { compare_with_keras("googlenet", "googlenet"); }
BOOST_AUTO_TEST_CASE(resnet18) { compare_with_keras("resnet18", "resnet18"); }
BOOST_AUTO_TEST_CASE(resnet34) { compare_with_keras("resnet34", "resnet34"); }
BOOST_AUTO_TEST_CASE(squeezenet) { compare_with_keras("squeezenet", "squeezenet"); }
BOOST_AUTO_TEST_SUITE_END()

// Parameters of keras.applications where it has the model; resnet18 and resnet34: torchvision's
// 11,689,512 and 21,797,672 and the moving statistics; googlenet, alexnet: the published Caffe
// models. Multiply-adds: the papers of MobileNet, MobileNetV2 and EfficientNet, else what is
// commonly counted for the published models, convolutions and dense layers alone.
BOOST_AUTO_TEST_CASE(sizes_as_published) {
  for (const Fact& f : {Fact{"vgg16", 138357544, 15470},
                        {"vgg19", 143667240, 19632},
                        {"resnet18", 11699112, 1814},
                        {"resnet34", 21814696, 3664},
                        {"resnet50", 25636712, 3858},
                        {"mobilenet", 4253864, 569},
                        {"mobilenet_v2", 3538984, 300},
                        {"squeezenet", 1235496, 349},
                        {"densenet121", 8062504, 2834},
                        {"inception_v3", 23851784, 5713},
                        {"efficientnet_b0", 5330571, 390},
                        {"googlenet", 6998552, 1582},
                        {"alexnet", 60965224, 724}}) {
    const Network n(world().registry, build(f.name));
    BOOST_TEST(n.parameter_count() == f.parameters, f.name << ": " << n.parameter_count());
    BOOST_TEST(std::abs(n.multiply_adds() / 1e6 - f.multiply_adds) < 0.015 * f.multiply_adds,
               f.name << ": " << n.multiply_adds() / 1e6 << " million multiply-adds");
    BOOST_TEST(n.shape(n.outputs().front()).str() == "(1, 1000)");
  }
  const Network one_tower(world().registry, build("alexnet", Json::Object{{"towers", 1}}));
  BOOST_TEST(one_tower.parameter_count() == 62378344);
}

// Sizes of the feature maps in the papers' tables.
BOOST_AUTO_TEST_CASE(shapes_as_in_the_papers) {
  struct Map {
    const char *name, *layer, *shape;
  };
  for (const Map& m : {Map{"alexnet", "conv1", "(1, 55, 55, 96)"},
                       {"alexnet", "pool5", "(1, 6, 6, 256)"},
                       {"googlenet", "conv2_norm2", "(1, 56, 56, 192)"},
                       {"googlenet", "inception_3b_output", "(1, 28, 28, 480)"},
                       {"googlenet", "inception_5b_output", "(1, 7, 7, 1024)"},
                       {"squeezenet", "fire9_concat", "(1, 13, 13, 512)"},
                       {"resnet18", "pool1_pool", "(1, 56, 56, 64)"},
                       {"resnet34", "conv4_block6_out", "(1, 14, 14, 256)"},
                       {"resnet34", "conv5_block3_out", "(1, 7, 7, 512)"},
                       {"inception_v3", "mixed0", "(1, 35, 35, 256)"},
                       {"inception_v3", "mixed10", "(1, 8, 8, 2048)"}}) {
    const Network n(world().registry, build(m.name));
    BOOST_TEST(n.shape(n.tensor(m.layer)).str() == m.shape, m.name << " " << m.layer);
  }
}

// The parameters that all families share.
BOOST_AUTO_TEST_CASE(every_family_has_the_common_parameters) {
  for (const TypeInfo* info : world().registry.all(Kind::architecture)) {
    if (info->plugin != "architectures") continue;
    BOOST_TEST_CONTEXT(info->name) {
      const Json classes = Json::Object{{"classes", 7}, {"classifier_activation", "linear"}};
      const Network n(world().registry, build(info->name, classes));
      BOOST_TEST(n.shape(n.outputs().front()).str() == "(1, 7)");
      Probability which = Probability::softmax;
      n.logits(&which);
      BOOST_TEST((which == Probability::none));
      const Network map(world().registry, build(info->name, Json::Object{{"include_top", false}}));
      BOOST_TEST(map.shape(map.outputs().front()).rank() == 4);
      BOOST_CHECK_EXCEPTION(
          build(info->name, Json::Object{{"input_shape", Json::list_of(std::vector{2, 2, 3})}}),
          UsageError, [](const UsageError& e) {
            return std::string(e.what()).find("at least") != std::string::npos;
          });
    }
  }
  const Network small(
      world().registry,
      build("resnet18",
            Json::Object{{"stem", "3x3"}, {"input_shape", Json::list_of(std::vector{32, 32, 3})}}));
  BOOST_TEST(small.shape(small.tensor("conv5_block2_out")).str() == "(1, 4, 4, 512)");
}

// weights=imagenet, with a list and a cache of the test's own: a small network whose file was
// "fetched".
BOOST_AUTO_TEST_CASE(published_weights_of_a_family) {
  const TemporaryDirectory cache;
  SilentLog log;
  ModelDocument document;
  document.graph = build("lenet5");
  document.weights = made_up_weights(Network(world().registry, document.graph));
  setenv("OCELLUS_CACHE", cache.path().c_str(), 1);
  setenv("OCELLUS_PUBLISHED", (cache.path() / "list.json").c_str(), 1);
  write_atomically(cache.path() / "list.json", R"({"schema": "ocellus published 1", "items": [
    {"name": "five", "architecture": "lenet5", "parameters": {"pooling": "max", "classes": 10},
     "preprocessing": "tf", "files": [{"name": "five.h5", "address": "http://x/five.h5"}]}]})");
  // Trusted: a fork would not carry the open device.
  ModelRequest request{.address = "lenet5", .weights = "imagenet", .trust = true};
  const auto open = [&] { return open_model(world().registry, request, log); };
  BOOST_CHECK_EXCEPTION(open(), DataError, says("run: ocellus fetch five"));
  const fs::path folder = cache.path() / "published" / "five";
  fs::create_directories(folder);
  save_model(world().registry, document, (folder / "five.h5").string(), log);

  const auto check = [&](const ModelDocument& opened) {
    BOOST_REQUIRE(opened.preprocessing);
    BOOST_TEST(opened.preprocessing->name == "tf");
    const Network ours(world().registry, document), theirs(world().registry, opened);
    const auto a = ours.read_weights(), b = theirs.read_weights();
    BOOST_REQUIRE_EQUAL(a.size(), b.size());
    for (size_t i = 0; i < a.size(); ++i)
      for (size_t k = 0; k < a[i].values.size(); ++k)
        BOOST_TEST(std::ranges::equal(a[i].values[k].f32(), b[i].values[k].f32()));
  };
  check(open());
  request.weights = (folder / "five.h5").string();  // by hand: known by its name
  check(open());
  request.weights = "imagenet";
  request.address = "lenet5(pooling=average)";
  BOOST_CHECK_EXCEPTION(open(), UsageError, says("there are five for"));
  request.address = "8x8x1: dense(2)";
  BOOST_CHECK_EXCEPTION(open(), UsageError, says("are for a zoo name"));
  unsetenv("OCELLUS_CACHE");
  unsetenv("OCELLUS_PUBLISHED");
}
