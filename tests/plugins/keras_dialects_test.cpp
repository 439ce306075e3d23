// Dialects of Keras' files: Keras 1 (with Theano's kernels), channels_first, open input sizes, and
// what is said where a file cannot be read.
#include <boost/test/unit_test.hpp>
#include <cmath>

#include "core/networks.hpp"
#include "core/temporary.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/h5.hpp"
#include "ocellus/core/model.hpp"

using namespace ocellus;
using namespace ocellus::test;
namespace fs = std::filesystem;

namespace {

const fs::path fixtures = OCELLUS_FIXTURES;

struct Lines : Log {
  void write(Level level, const std::string& line) override {
    if (level == Level::warning) warnings.push_back(line);
  }
  std::vector<std::string> warnings;
};

ModelDocument open(const fs::path& file, std::vector<int> input_shape = {}) {
  Lines log;
  return open_model(
      world().registry,
      {.address = file.string(), .input_shape = std::move(input_shape), .trust = true}, log);
}

Array predict(const ModelDocument& document, const Array& x) {
  Network n(world().registry, document);
  n.place(world().device);
  Execution e(n, {.batch = x.shape()[0]});
  upload(world().device->compute(), x, e.feed());
  e.forward();
  return download(world().device->compute(), e.fetch(n.tensor_name(n.outputs().front())));
}

/// The axis behind the batch moved to the end: (N, C, ...) -> (N, ..., C).
Array channels_last(const Array& a) {
  const Shape& s = a.shape();
  std::vector<int> extents = {s[0]};
  int pixels = 1;
  for (int i = 2; i < s.rank(); ++i) extents.push_back(s[i]), pixels *= s[i];
  extents.push_back(s[1]);
  Array out(Shape(extents), DType::f32);
  for (int n = 0; n < s[0]; ++n)
    for (int c = 0; c < s[1]; ++c)
      for (int p = 0; p < pixels; ++p)
        out.f32()[(n * pixels + p) * s[1] + c] = a.f32()[(n * s[1] + c) * pixels + p];
  return out;
}

double relative_error(const Array& a, const Array& b) {
  BOOST_REQUIRE_MESSAGE(a.shape() == b.shape(), a.shape().str() << " against " << b.shape().str());
  double scale = 0, error = 0;
  for (size_t i = 0; i < a.f32().size(); ++i) {
    scale = std::max(scale, std::abs(static_cast<double>(b.f32()[i])));
    error = std::max(error, std::abs(static_cast<double>(a.f32()[i]) - b.f32()[i]));
  }
  BOOST_TEST(scale > 1e-3);
  return error / scale;
}

struct Fixture {
  const char* file;
  bool moves_input, moves_output;  ///< to channels_last
};
const std::vector<Fixture> keras1 = {{"keras1/th_cnn", true, false},
                                     {"keras1/tf_functional", false, false},
                                     {"keras1/th_branches", true, true},
                                     {"keras1/nested", true, false},
                                     {"keras1/conv1d", false, false}};
const std::vector<Fixture> channels_first = {
    {"channels_first/flat", true, false},    {"channels_first/flat_first", true, false},
    {"channels_first/branches", true, true}, {"channels_first/slopes", true, true},
    {"channels_first/mixed", true, false},   {"channels_first/blocks", true, false},
    {"channels_first/sequence", true, false}};

void check_outputs(const Fixture& f) {
  BOOST_TEST_CONTEXT(f.file) {
    const H5Reader io(fixtures / (std::string(f.file) + ".io.h5"));
    Array x = io.read("/input"), y = io.read("/output");
    if (f.moves_input) x = channels_last(x);
    if (f.moves_output) y = channels_last(y);
    const ModelDocument d = open(fixtures / (std::string(f.file) + ".h5"));
    BOOST_TEST(relative_error(predict(d, x), y) <= 1e-5);
    // What is saved here is a channels_last model of Keras 2.
    const TemporaryDirectory folder;
    const std::string again = (folder / "again.h5").string();
    SilentLog log;
    save_model(world().registry, d, again, log);
    const ModelDocument e = open(again);
    for (const std::string& w : e.warnings)
      BOOST_TEST(w.find("channels_first") == std::string::npos, w);
    BOOST_TEST(relative_error(predict(e, x), y) <= 1e-5);
  }
}

/// A file whose only content is a model's configuration.
std::string file_of(const TemporaryDirectory& folder, const std::string& config,
                    const char* version) {
  const fs::path file = folder / "model.h5";
  H5Writer::write(file, [&](H5Writer& h) {
    h.attribute("/", "model_config", config);
    h.attribute("/", "keras_version", version);
  });
  return file.string();
}

std::string sequential_of(const std::string& layer) {
  return R"({"class_name": "Sequential", "config": [)" + layer + "]}";
}

/// The message with which a Sequential of one layer is refused; empty where it becomes a network.
std::string refusal_of(const std::string& layer, const char* version) {
  const TemporaryDirectory folder;
  try {
    Network(world().registry, open(file_of(folder, sequential_of(layer), version)));
  } catch (const Error& e) {
    return e.what();
  }
  return {};
}

void check_refused(const std::string& layer, const char* version,
                   const std::vector<std::string>& words) {
  const std::string what = refusal_of(layer, version);
  for (const std::string& word : words)
    BOOST_TEST(what.find(word) != std::string::npos, "'" << word << "' is not in: " << what);
}

}  // namespace

BOOST_AUTO_TEST_CASE(keras_1_with_theano) {
  for (const Fixture& f : keras1) check_outputs(f);
}

BOOST_AUTO_TEST_CASE(channels_first_models) {
  for (const Fixture& f : channels_first) check_outputs(f);
}

BOOST_AUTO_TEST_CASE(regularizers_of_keras_1_are_written_as_those_of_keras_2) {
  const ModelDocument d = open(fixtures / "keras1" / "th_cnn.h5");
  for (const LayerRecord& l : d.graph.layers)
    if (l.name == "dense_1") {
      const Json& r = l.foreign.at("kernel_regularizer");
      BOOST_TEST(r.at("class_name").as_string() == "L1L2");
      BOOST_TEST(std::abs(r.at("config").at("l2").as_double() - 0.001) < 1e-6);
      return;
    }
  BOOST_ERROR("no layer dense_1");
}

BOOST_AUTO_TEST_CASE(padding_that_theano_does_otherwise_is_a_warning) {
  const TemporaryDirectory folder;
  const fs::path file = folder / "model.h5";
  for (const char* rows : {"2", "3"}) {
    H5Writer::write(file, [&](H5Writer& h) {
      h.attribute("/", "model_config",
                  sequential_of(R"({"class_name": "Convolution2D", "config": {"name": "conv",
                      "nb_filter": 1, "nb_col": 3, "border_mode": "same", "subsample": [1, 1],
                      "batch_input_shape": [null, 4, 4, 1], "nb_row": )" +
                                std::string(rows) + "}}"));
      h.attribute("/", "keras_version", "1.2.2");
      h.dataset("/model_weights/conv/conv_b", Array({1}, std::vector<float>{0}));
      h.attribute("/model_weights/conv", "weight_names", std::vector<std::string>{"conv_b"});
      h.attribute("/model_weights", "layer_names", std::vector<std::string>{"conv"});
    });
    BOOST_TEST(open(file).warnings.size() == (rows[0] == '2' ? 1u : 0u));
  }
}

BOOST_AUTO_TEST_CASE(a_converted_model_says_so) {
  const ModelDocument d = open(fixtures / "channels_first" / "flat.h5");
  BOOST_REQUIRE_EQUAL(d.warnings.size(), 1u);
  BOOST_TEST(d.warnings[0].find("[9,7,2]") != std::string::npos, d.warnings[0]);
}

BOOST_AUTO_TEST_CASE(an_open_input_size_is_given_at_opening) {
  const TemporaryDirectory folder;
  const std::string file = file_of(folder, sequential_of(R"({"class_name": "MaxPooling2D", "config":
      {"name": "pool", "batch_input_shape": [null, null, null, 3]}})"),
                                   "2.4.0");
  BOOST_CHECK_EXCEPTION(Network(world().registry, open(file)), Error, [](const Error& e) {
    return std::string(e.what()).find("--input-shape 224x224x3") != std::string::npos;
  });
  const Network n(world().registry, open(file, {6, 8, 3}));
  BOOST_TEST(n.shape(n.outputs()[0]).str() == "(1, 3, 4, 3)");
  BOOST_CHECK_THROW(open(file, {6, 8, 4}), UsageError);
  BOOST_CHECK_THROW(open(file, {6, 8}), UsageError);
  // It stays open in a file that is written.
  SilentLog log;
  const std::string again = (folder / "again.h5").string();
  save_model(world().registry, open(file), again, log);
  const ModelDocument d = open(again, {10, 4, 3});
  BOOST_TEST(d.graph.layers[0].parameters.at("shape").dump() == "[10,4,3]");
}

BOOST_AUTO_TEST_CASE(what_keras_1_alone_had_is_refused_with_its_name) {
  check_refused(R"({"class_name": "BatchNormalization", "config":
      {"name": "norm", "mode": 1, "batch_input_shape": [null, 4]}})",
                "1.2.2", {"norm", "mode 1"});
  check_refused(R"({"class_name": "Convolution2D", "config": {"name": "conv", "nb_filter": 2,
      "nb_row": 3, "nb_col": 3, "border_mode": "full", "batch_input_shape": [null, 4, 4, 1]}})",
                "1.2.2", {"conv", "full", "Theano"});
  check_refused(R"({"class_name": "Merge", "config": {"name": "both", "mode": "cos",
      "batch_input_shape": [null, 4]}})",
                "1.2.2", {"both", "cos"});
  check_refused(R"({"class_name": "MaxoutDense", "config": {"name": "max", "output_dim": 3,
      "batch_input_shape": [null, 4]}})",
                "1.2.2", {"max", "MaxoutDense", "plugin"});
}

BOOST_AUTO_TEST_CASE(what_nobody_knows_is_refused_with_its_name) {
  check_refused(R"({"class_name": "Dense", "config": {"name": "head", "units": 2,
      "activation": "my_wave", "batch_input_shape": [null, 4]}})",
                "2.4.0", {"head", "my_wave"});
  check_refused(R"({"class_name": "Dense", "config": {"name": "head", "units": 2, "activation":
      {"module": "m", "class_name": "function", "config": "my_wave", "registered_name": "p>my_wave"},
      "batch_input_shape": [null, 4]}})",
                "3.1.0", {"head", "my_wave"});
  check_refused(R"({"class_name": "Dense", "config": {"name": "head", "units": 2, "activation":
      {"class_name": "__lambda__", "config": {"value": "e30="}}, "batch_input_shape": [null, 4]}})",
                "3.1.0", {"head", "lambda", "never"});
  check_refused(R"({"class_name": "Dense", "config": {"name": "head", "units": 2, "activation":
      {"class_name": "LeakyReLU", "config": {"name": "a", "negative_slope": 0.07}},
      "batch_input_shape": [null, 4]}})",
                "3.1.0", {"head", "LeakyReLU", "0.07"});
  check_refused(R"({"class_name": "GRU", "config": {"name": "memory", "units": 2,
      "batch_input_shape": [null, 4, 3]}})",
                "2.4.0", {"memory", "GRU", "plugin"});
  check_refused(R"({"class_name": "TimeDistributed", "config": {"name": "each", "layer":
      {"class_name": "Dense", "config": {"units": 2}}, "batch_input_shape": [null, 4, 3]}})",
                "2.4.0", {"each", "TimeDistributed", "plugin"});
}

BOOST_AUTO_TEST_CASE(channels_first_that_cannot_be_turned_is_refused) {
  check_refused(R"({"class_name": "Conv2D", "config": {"name": "conv", "filters": 2,
      "kernel_size": [1, 1], "data_format": "channels_first", "activation": "softmax",
      "batch_input_shape": [null, 3, 4, 4]}})",
                "2.4.0", {"conv", "softmax", "channels_first"});
}

BOOST_AUTO_TEST_CASE(activations_that_are_objects) {
  for (const char* activation :
       {R"("relu6")",
        R"({"class_name": "ReLU", "config": {"max_value": 6.0, "negative_slope": 0.0}})",
        R"({"class_name": "function", "config": "relu6"})"}) {
    const TemporaryDirectory folder;
    const ModelDocument d = open(file_of(folder,
                                         sequential_of(R"({"class_name": "Dense", "config":
        {"name": "head", "units": 2, "batch_input_shape": [null, 4], "activation": )" +
                                                       std::string(activation) + "}}"),
                                         "3.1.0"));
    BOOST_TEST(d.graph.layers[1].parameters.get("activation", "") == "relu6");
  }
}

BOOST_AUTO_TEST_CASE(policies_of_half_precision_are_computed_in_full) {
  for (
      const char* dtype :
      {R"("mixed_float16")", R"({"class_name": "Policy", "config": {"name": "mixed_float16"}})",
       R"({"module": "keras", "class_name": "DTypePolicy", "config": {"name": "mixed_float16"}})"}) {
    const TemporaryDirectory folder;
    const ModelDocument d =
        open(file_of(folder,
                     sequential_of(R"({"class_name": "Dense", "config": {"name": "head", "units": 2,
            "batch_input_shape": [null, 4], "dtype": )" +
                                   std::string(dtype) + "}}"),
                     "3.1.0"));
    BOOST_REQUIRE_EQUAL(d.warnings.size(), 1u);
    BOOST_TEST(d.warnings[0].find("mixed_float16") != std::string::npos);
    const Network n(world().registry, d);
    BOOST_TEST(n.parameter_count() == 10);
  }
}
