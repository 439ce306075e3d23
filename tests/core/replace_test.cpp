// A layer of a document replaced by another one.
#include "ocellus/core/replace.hpp"

#include <boost/test/unit_test.hpp>

#include "ocellus/core/error.hpp"

using namespace ocellus;

namespace {

struct Fixture {
  Registry registry;
  ModelDocument document;
  Fixture() {
    registry.load_default();
    LayerRecord input{"Input", "in", Json::Object{{"shape", Json::List{4, 4, 3}}}, true, {{}}, {}};
    LayerRecord lambda{"Lambda", "base/lambda_1", Json::object(), false, {{{"in", 0, 0}}}, {}};
    lambda.foreign["function"] = "code";
    document.graph.layers = {input, lambda};
    document.weights = {{"base/lambda_1", {"w"}, {Array(Shape{1}, DType::f32)}}};
  }
  const LayerRecord& lambda() const { return document.graph.layers[1]; }
  void replace(const std::string& with) {
    replace_layer(registry, document, "base/lambda_1=" + with);
  }
};

bool says(const Error& e, const std::string& part) {
  return std::string(e.what()).find(part) != std::string::npos;
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(by_a_layer_with_fractions, Fixture) {
  replace("Rescaling(scale=1/255)");
  BOOST_TEST(lambda().type == "Rescaling");
  BOOST_TEST(lambda().parameters.at("scale").as_double() == 1.0 / 255);
  BOOST_TEST(lambda().parameters.at("offset").as_double() == 0.0);
  BOOST_TEST(lambda().foreign.size() == 0u);
  BOOST_TEST(!lambda().trainable);
  BOOST_TEST((lambda().calls == std::vector<std::vector<TensorRef>>{{{"in", 0, 0}}}));
  BOOST_TEST(document.weights.empty());
}

BOOST_FIXTURE_TEST_CASE(by_lists_sizes_and_activations, Fixture) {
  replace("Rescaling(scale=[1/2, -3/4, 5], offset=[-1,2e3/1000, 0])");
  BOOST_TEST(lambda().parameters.at("scale").dump() == "[0.5,-0.75,5]");
  BOOST_TEST(lambda().parameters.at("offset").dump() == "[-1,2,0]");
  replace(" AveragePooling2D( pool_size = 2x3 , padding=same )");
  BOOST_TEST(lambda().parameters.at("pool_size").dump() == "[2,3]");
  replace("tanh");
  BOOST_TEST(lambda().type == "Activation");
  BOOST_TEST(lambda().parameters.at("activation").as_string() == "tanh");
  replace("Flatten");
  BOOST_TEST(lambda().type == "Flatten");
}

BOOST_FIXTURE_TEST_CASE(the_same_type_keeps_its_weights, Fixture) {
  document.graph.layers[1].type = "Dense";
  replace("Dense(units=1, activation=relu)");
  BOOST_TEST(document.weights.size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(mistakes_are_named, Fixture) {
  const auto refuses = [&](const std::string& text, const std::string& part) {
    BOOST_CHECK_EXCEPTION(replace_layer(registry, document, text), Error,
                          [&](const Error& e) { return says(e, part); });
  };
  refuses("base/lambda_2=Flatten", "did you mean 'base/lambda_1'?");
  refuses("base/lambda_1=Rescalin(scale=1)", "Rescaling");
  refuses("base/lambda_1=Rescaling(scal=1)", "did you mean 'scale'?");
  refuses("base/lambda_1=Rescaling(1/255)", "key=value");
  refuses("base/lambda_1=Rescaling(scale=1", "NAME=TYPE");
  refuses("base/lambda_1", "NAME=TYPE");
  refuses("in=Flatten", "input");
  BOOST_TEST(lambda().type == "Lambda");
}
