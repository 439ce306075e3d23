// Models as a person writes them: typed, in short JSON, by zoo name; and what is said of mistakes.
#include "ocellus/core/model.hpp"

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "ocellus/core/error.hpp"
#include "ocellus/core/graph_builder.hpp"

using namespace ocellus;

namespace {

const Registry& registry() {
  static Registry r;
  static const bool once = (r.load_default(), true);
  (void)once;
  return r;
}

// "Conv2D(relu) Flatten ..." : types with the activation, which is what the short forms decide.
std::string outline(const GraphRecord& graph) {
  std::string text;
  for (const LayerRecord& l : graph.layers) {
    text += (text.empty() ? "" : " ") + l.type;
    if (const Json* a = l.parameters.find("activation")) text += "(" + a->as_string() + ")";
  }
  return text;
}

std::string typed(const std::string& text) { return outline(parse_typed_model(registry(), text)); }

template <class E>
std::string message_of(const std::string& text) {
  try {
    parse_typed_model(registry(), text);
  } catch (const E& e) {
    return e.what();
  }
  return "accepted";
}

void check_holds(const std::string& text, const std::string& part) {
  BOOST_TEST(text.find(part) != std::string::npos, "'" << part << "' is not in '" << text << "'");
}

ModelDocument open(const std::string& address) {
  SilentLog log;
  return open_model(registry(), {.address = address}, log);
}

struct TemporaryFile {
  explicit TemporaryFile(const std::string& text)
      : path(std::filesystem::temp_directory_path() /
             ("ocellus_model_test_" + std::to_string(::getpid()))) {
    std::ofstream(path) << text;
  }
  ~TemporaryFile() { std::filesystem::remove(path); }
  std::filesystem::path path;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(typed_models)

BOOST_AUTO_TEST_CASE(activations_flatten_and_softmax_are_filled_in) {
  BOOST_TEST(typed("28x28x1: conv3(32) conv3(64) pool dense(10)") ==
             "Input Conv2D(relu) Conv2D(relu) MaxPooling2D Flatten Dense(softmax)");
  BOOST_TEST(typed("784: dense(30) dense(1)") == "Input Dense(relu) Dense(sigmoid)");
  BOOST_TEST(typed("8x8x3: conv1(10) gap softmax") ==
             "Input Conv2D(relu) GlobalAveragePooling2D Activation(softmax)");
  BOOST_TEST(typed("8x8x3: conv3(4, tanh) flatten dense(3,linear)") ==
             "Input Conv2D(tanh) Flatten Dense(linear)");
}

BOOST_AUTO_TEST_CASE(relu_goes_behind_batch_normalization) {
  BOOST_TEST(typed("8x8x3: conv3(4) bn pool gap dense(2)") ==
             "Input Conv2D BatchNormalization Activation(relu) MaxPooling2D GlobalAveragePooling2D "
             "Dense(softmax)");
  BOOST_TEST(typed("8x8x3: conv3(4) bn elu gap") ==
             "Input Conv2D BatchNormalization Activation(elu) GlobalAveragePooling2D");
  BOOST_TEST(typed("8x8x3: conv3(4) LeakyReLU(negative_slope=0.1) gap") ==
             "Input Conv2D LeakyReLU GlobalAveragePooling2D");
}

BOOST_AUTO_TEST_CASE(sizes_strides_and_named_parameters) {
  const GraphRecord g = parse_typed_model(
      registry(),
      "32x30x3: conv5x3(16,s2,valid) pool3(s2x1, same) dropout(0.5) Dense(7) Reshape([7,1])");
  const Json expected = Json::parse(
      R"({"kernel_size": [5, 3], "filters": 16, "strides": [2, 2], "padding": "valid", "activation": "relu"})",
      "test");
  BOOST_TEST((g.layers[1].parameters == expected), g.layers[1].parameters.dump());
  BOOST_TEST(
      (g.layers[2].parameters ==
       Json::parse(R"({"pool_size": [3, 3], "strides": [2, 1], "padding": "same"})", "test")));
  BOOST_TEST(g.layers[3].parameters.at("rate").as_double() == 0.5);
  BOOST_TEST((g.layers[5].parameters == Json::parse(R"({"target_shape": [7, 1]})", "test")),
             g.layers[5].parameters.dump());
  BOOST_TEST(g.sequential);
  BOOST_TEST(g.layers[1].name == "conv2d");
  BOOST_TEST(parse_typed_model(registry(), "8x8x1: conv(4) conv(4)").layers[2].name == "conv2d_1");
}

BOOST_AUTO_TEST_CASE(mistakes_name_the_word_its_place_and_the_nearest_known) {
  check_holds(message_of<UsageError>("28x28x1: cnv3(32) dense(10)"),
              "word 1 'cnv3(32)' (column 10): unknown word; did you mean 'conv'?");
  check_holds(message_of<UsageError>("28x28x1: conv3(32) pol dense(10)"),
              "word 2 'pol' (column 20)");
  check_holds(message_of<UsageError>("8x8x1: conv3(32, filtres=3)"),
              "Conv2D has no parameter 'filtres'; did you mean 'filters'?");
  check_holds(message_of<UsageError>("8x8x1: conv3"), "parameter 'filters' is missing");
  check_holds(message_of<UsageError>("8x8x1: conv3(0)"), "at least 1");
  check_holds(message_of<UsageError>("8x8x1: conv3(4"), "a ')' is missing");
  check_holds(message_of<UsageError>("8x8x1: dense3(4)"), "'dense' takes no size; write dense(3)");
  check_holds(message_of<UsageError>("8x8x1: convx(4)"), "unknown word");
  check_holds(message_of<UsageError>("8x8x1: conv3x(4)"), "'3x' is no size");
  check_holds(message_of<UsageError>("8x8x1: conv3(4,5)"), "'5' fits no parameter of Conv2D");
  check_holds(message_of<UsageError>("8xx1: conv3(4)"), "found '8xx1'");
  check_holds(message_of<UsageError>("0x8x1: conv3(4)"), "found '0x8x1'");
  check_holds(message_of<UsageError>("8x8x1:  "), "no layer stands after the ':'");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(short_models)

BOOST_AUTO_TEST_CASE(layers_names_and_branches) {
  const Json j = Json::parse(R"({
    "name": "tiny", "input": [8, 8, 3],
    "layers": [
      ["Conv2D", {"filters": 4, "kernel_size": 3, "padding": "same", "name": "c1"}],  // comments are allowed
      ["Conv2D", {"filters": 4, "kernel_size": 1, "name": "c2", "trainable": false}],
      ["Add", {"inputs": ["c1", "c2"]}],
      "GlobalAveragePooling2D"
    ]})",
                             "test");
  const GraphRecord g = parse_short_model(registry(), j, "tiny.json");
  BOOST_TEST(outline(g) == "Input Conv2D Conv2D Add GlobalAveragePooling2D");
  BOOST_TEST(g.name == "tiny");
  BOOST_TEST(!g.sequential);
  BOOST_TEST(!g.layers[2].trainable);
  BOOST_TEST(
      (g.layers[3].calls == std::vector<std::vector<TensorRef>>{{{"c1", 0, 0}, {"c2", 0, 0}}}));
  BOOST_TEST(!g.layers[1].parameters.find("name"));
}

BOOST_AUTO_TEST_CASE(mistakes) {
  const auto message = [](const char* text) -> std::string {
    try {
      parse_short_model(registry(), Json::parse(text, "m.json"), "m.json");
    } catch (const UsageError& e) {
      return e.what();
    }
    return "accepted";
  };
  check_holds(message(R"({"input": [8, 8, 1], "layers": ["Flaten"]})"), "m.json: layer 1: ");
  check_holds(message(R"({"input": [8, 8, 1], "layers": ["Flaten"]})"), "did you mean 'Flatten'?");
  check_holds(message(R"({"input": [8, 8, 1], "layers": [["Dense", {"unit": 3}]]})"),
              "layer 1 (Dense): unknown parameter 'unit'; did you mean 'units'?");
  check_holds(message(R"({"input": [8, 8, 1], "layers": [["Add", {"inputs": ["x"]}]]})"),
              "no layer 'x' stands before");
  check_holds(message(R"({"inpt": [8, 8, 1], "layers": []})"),
              "unknown key 'inpt'; did you mean 'input'?");
  check_holds(message(R"({"input": [8, 8, 1]})"), "layers");
  check_holds(message(R"({"input": 8, "layers": []})"), "expected a list");
  check_holds(
      message(
          R"({"input": [8], "layers": [["Dense", {"units": 1, "name": "a"}], ["Dense", {"units": 1, "name": "a"}]]})"),
      "two layers are named 'a'");
}

BOOST_AUTO_TEST_CASE(a_file_is_opened_by_content) {
  const TemporaryFile file(R"({"input": [8, 8, 1], "classes": ["a", "b"], "preprocessing": "unit",
                               "layers": ["Flatten", ["Dense", {"units": 2}]]})");
  const ModelDocument d = open(file.path.string());
  BOOST_TEST(d.classes == (std::vector<std::string>{"a", "b"}), boost::test_tools::per_element());
  BOOST_TEST(d.preprocessing.value().name == "unit");
  BOOST_TEST(d.graph.layers.size() == 3u);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(names)

BOOST_AUTO_TEST_CASE(architectures_take_options) {
  BOOST_TEST(outline(open("lenet5").graph) ==
             "Input Conv2D(relu) MaxPooling2D Conv2D(relu) MaxPooling2D Flatten Dense(relu) "
             "Dense(relu) Dense(softmax)");
  const GraphRecord g =
      open("lenet5(classes=7, input_shape=[32, 32, 3], activation=tanh, pooling=average)").graph;
  BOOST_TEST(g.layers.back().parameters.at("units").as_int() == 7);
  BOOST_TEST(g.layers[1].parameters.at("padding").as_string() == "valid");
  BOOST_TEST(g.layers[2].type == "AveragePooling2D");
  SilentLog log;
  const ModelRequest request{.address = "cifar_small(classes=3)",
                             .architecture = Json(Json::Object{{"classes", 5}})};
  BOOST_TEST(
      open_model(registry(), request, log).graph.layers.back().parameters.at("units").as_int() ==
      5);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_opened) {
  const auto message = [](const std::string& address) -> std::string {
    try {
      open(address);
    } catch (const Error& e) {
      return std::to_string(static_cast<int>(e.exit_code())) + " " + e.what();
    }
    return "accepted";
  };
  check_holds(message("lenet6"),
              "2 no model file and no architecture is named 'lenet6'; did you mean 'lenet5'?");
  check_holds(message("lenet5(clases=3)"), "unknown parameter 'clases'; did you mean 'classes'?");
  check_holds(message("lenet5(classes=1)"), "at least 2");
  check_holds(message("lenet5(input_shape=[28, 28])"), "height, width, channels");
  check_holds(message("models/none.h5"), "5 models/none.h5: no such model file");
  check_holds(message("/"), "5 /: is a directory");
  const TemporaryFile file("this is no model");
  check_holds(message(file.path.string()), "not a model in a known format");
}

BOOST_AUTO_TEST_CASE(keras_names_of_layers) {
  // Names that Keras itself gives.
  for (const auto& [type, name] : std::vector<std::pair<std::string, std::string>>{
           {"Conv2D", "conv2d"},
           {"MaxPooling2D", "max_pooling2d"},
           {"ReLU", "re_lu"},
           {"LeakyReLU", "leaky_re_lu"},
           {"PReLU", "p_re_lu"},
           {"BatchNormalization", "batch_normalization"},
           {"GlobalAveragePooling2D", "global_average_pooling2d"},
           {"ELU", "elu"},
           {"ZeroPadding2D", "zero_padding2d"},
           {"DepthwiseConv2D", "depthwise_conv2d"}})
    BOOST_TEST(keras_layer_name(type, 0) == name);
  BOOST_TEST(keras_layer_name("Dense", 2) == "dense_2");
}

BOOST_AUTO_TEST_CASE(preprocessing_modes) {
  std::vector<float> scale, shift;
  std::vector<int> order;
  Preprocessing::named("torch").affine(3, scale, shift, order);
  BOOST_TEST(scale[1] == 1 / (255 * 0.224), boost::test_tools::tolerance(1e-6));
  BOOST_TEST(255 * scale[0] + shift[0] == (1 - 0.485) / 0.229, boost::test_tools::tolerance(1e-5));
  Preprocessing::named("caffe").affine(3, scale, shift, order);
  BOOST_TEST(order == (std::vector<int>{2, 1, 0}), boost::test_tools::per_element());
  BOOST_TEST(shift[0] == -103.939f);
  Preprocessing::named("tf").affine(1, scale, shift, order);
  BOOST_TEST(255 * scale[0] + shift[0] == 1.0, boost::test_tools::tolerance(1e-6));
  BOOST_CHECK_THROW(Preprocessing::named("torch").affine(1, scale, shift, order), UsageError);
  BOOST_CHECK_THROW(Preprocessing::named("trch"), UsageError);
  BOOST_TEST(Preprocessing::named("unit").str() == "x / 255");
  BOOST_TEST(Preprocessing::named("tf").str() == "x / 127.5 - 1");
  const Preprocessing back = Preprocessing::from_json(Preprocessing::named("torch").to_json());
  BOOST_TEST(back.str() == Preprocessing::named("torch").str());
}

BOOST_AUTO_TEST_SUITE_END()
