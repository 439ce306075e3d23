#include "ocellus/core/schema.hpp"

#include <boost/test/unit_test.hpp>

#include "core/temporary.hpp"
#include "ocellus/core/error.hpp"

using namespace ocellus;
using test::says;

namespace {

struct Options {
  int filters = 1;
  std::string padding = "valid";
  Size kernel_size{3, 3};
  std::optional<Size> strides;
  double rate = 0.5;
  bool use_bias = true;
  Interval factor{0.9, 1.1};
  std::vector<double> mean;
  std::vector<Size> sizes{{2, 4}};
  LayerName layer{"last"};
  ClassName target;
  Path out;
  Seed seed{7};
  int64_t count = 0;
  Json extra;
};

Parameters<Options> make() {
  Parameters<Options> p;
  p.add("filters", &Options::filters, "output channels").min(1).required();
  p.add("padding", &Options::padding, "zeros round the input").one_of({"valid", "same"});
  p.add("kernel_size", &Options::kernel_size, "window").min(1);
  p.add("strides", &Options::strides, "steps").min(1);
  p.add("rate", &Options::rate, "share dropped").min(0).max(1);
  p.add("use_bias", &Options::use_bias, "adds a bias");
  p.add("factor", &Options::factor, "zoom").min(-2);
  p.add("mean", &Options::mean, "a channel each");
  p.add("sizes", &Options::sizes, "windows");
  p.add("layer", &Options::layer, "where");
  p.add("target", &Options::target, "which class");
  p.add("out", &Options::out, "file");
  p.add("seed", &Options::seed, "of random numbers");
  p.add("count", &Options::count, "how many");
  p.add("extra", &Options::extra, "anything");
  return p;
}

Json check(const std::string& text) {
  return make().schema().check(Json::parse(text, "t"), "layer 'conv1' (Conv2D)");
}

Json from_text(const std::string& name, const std::string& text) {
  const Parameters<Options> p = make();
  return p.schema().from_text(*p.schema().find(name), text, "--" + name);
}

}  // namespace

BOOST_AUTO_TEST_CASE(defaults_are_those_of_the_struct) {
  const Options o = make().read(check(R"({"filters": 8})"));
  BOOST_TEST(o.filters == 8);
  BOOST_TEST(o.padding == "valid");
  BOOST_TEST((o.kernel_size == Size{3, 3}));
  BOOST_TEST(!o.strides);
  BOOST_TEST(o.use_bias);
  BOOST_TEST((o.factor == Interval{0.9, 1.1}));
  BOOST_TEST((o.sizes == std::vector<Size>{{2, 4}}));
  BOOST_TEST(o.layer.value == "last");
  BOOST_TEST(o.seed.value == 7);
}

BOOST_AUTO_TEST_CASE(every_form_is_read) {
  const Options o = make().read(check(R"({
    "filters": 8.0, "padding": "same", "kernel_size": 5, "strides": [2, 1], "rate": 1, "use_bias": false, "factor": -0.2,
    "mean": [1, 2.5], "sizes": ["3x5", 4, [1, 2]], "layer": "conv1", "target": 3, "out": "a/b", "seed": -1, "count": 5000000000,
    "extra": {"a": [1]}})"));
  BOOST_TEST(o.filters == 8);
  BOOST_TEST(o.padding == "same");
  BOOST_TEST((o.kernel_size == Size{5, 5}));
  BOOST_TEST((*o.strides == Size{2, 1}));
  BOOST_TEST(o.rate == 1.0);
  BOOST_TEST(!o.use_bias);
  BOOST_TEST((o.factor == Interval{-0.2, 0.2}));
  BOOST_TEST(o.mean == (std::vector<double>{1, 2.5}), boost::test_tools::per_element());
  BOOST_TEST((o.sizes == std::vector<Size>{{3, 5}, {4, 4}, {1, 2}}));
  BOOST_TEST(o.layer.value == "conv1");
  BOOST_TEST(o.target.value == "3");
  BOOST_TEST(o.out.value == "a/b");
  BOOST_TEST(o.seed.value == -1);
  BOOST_TEST(o.count == 5000000000);
  BOOST_TEST(o.extra.at("a").size() == 1);
  // Checking again changes nothing.
  const Json once = check(R"({"filters": 8, "kernel_size": "3x5", "factor": 0.5})");
  BOOST_TEST((make().schema().check(once, "t") == once));
}

BOOST_AUTO_TEST_CASE(mistakes_are_named) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"fliters": 8})",
       "layer 'conv1' (Conv2D): unknown parameter 'fliters'; did you mean 'filters'?"},
      {R"({"filters": 8, "xyzzy": 1})", "unknown parameter 'xyzzy'; known are"},
      {R"({})", "parameter 'filters' is missing (integer, at least 1: output channels)"},
      {R"({"filters": 0})", "parameter 'filters': expected integer, at least 1, found 0"},
      {R"({"filters": 2.5})", "expected integer, at least 1, found 2.5"},
      {R"({"filters": "8"})", "found \"8\""},
      {R"({"filters": true})", "found true"},
      {R"({"filters": null})", "found null"},
      {R"({"filters": 8, "padding": "smae"})",
       "expected one of valid, same, found \"smae\"; did you mean 'same'?"},
      {R"({"filters": 8, "kernel_size": [3]})", "expected size HxW, at least 1, found [3]"},
      {R"({"filters": 8, "kernel_size": [3, 0]})", "found [3,0]"},
      {R"({"filters": 8, "kernel_size": "3x"})", "found \"3x\""},
      {R"({"filters": 8, "strides": [0, 1]})", "expected size HxW, at least 1 or null"},
      {R"({"filters": 8, "rate": 1.01})", "expected number, 0 to 1, found 1.01"},
      {R"({"filters": 8, "use_bias": 1})", "expected true or false, found 1"},
      {R"({"filters": 8, "factor": [1.1, 0.9]})",
       "expected range LOW..HIGH, at least -2, found [1.1,0.9]"},
      {R"({"filters": 8, "factor": 3})", "found 3"},
      {R"({"filters": 8, "mean": 1})", "expected list of number, found 1"},
      {R"({"filters": 8, "mean": [1, "x"]})", "found \"x\""},
      {R"([1])", "expected an object of parameters, found [1]"},
  };
  for (const auto& [text, message] : cases) BOOST_TEST_CONTEXT(text) {
      BOOST_CHECK_EXCEPTION(check(text), UsageError, says(message));
    }
  // Beyond an int, which only reading finds.
  BOOST_CHECK_EXCEPTION(make().read(check(R"({"filters": 5000000000})")), UsageError,
                        says("parameter 'filters': 5000000000 is too large"));
  BOOST_CHECK_EXCEPTION(Schema().check(Json::parse(R"({"a": 1})", "t"), "relu"), UsageError,
                        says("relu: unknown parameter 'a'; it takes none"));
}

BOOST_AUTO_TEST_CASE(flags_are_read_from_text) {
  BOOST_TEST(from_text("filters", "12").dump() == "12");
  BOOST_TEST(from_text("kernel_size", "3x5").dump() == "[3,5]");
  BOOST_TEST(from_text("kernel_size", "7").dump() == "[7,7]");
  BOOST_TEST(from_text("strides", "none").dump() == "null");
  BOOST_TEST(from_text("rate", "1e-1").dump() == "0.1");
  BOOST_TEST(from_text("use_bias", "no").dump() == "false");
  BOOST_TEST(from_text("factor", "0.9..1.5").dump() == "[0.9,1.5]");
  BOOST_TEST(from_text("factor", "0.5").dump() == "[-0.5,0.5]");
  BOOST_TEST(from_text("mean", "1, 2.5,3").dump() == "[1.0,2.5,3.0]");
  BOOST_TEST(from_text("mean", "").dump() == "[]");
  BOOST_TEST(from_text("sizes", "3x5,2").dump() == "[[3,5],[2,2]]");
  BOOST_TEST(from_text("target", "Sneaker").dump() == "\"Sneaker\"");
  BOOST_TEST(from_text("target", "7").dump() == "\"7\"");
  BOOST_TEST(from_text("extra", "{\"a\": 1}").dump() == "{\"a\":1}");
  BOOST_TEST(from_text("extra", "word").dump() == "\"word\"");
  for (const auto& [name, text] :
       {std::pair("filters", "x"), std::pair("filters", "0"), std::pair("filters", "3.5"),
        std::pair("rate", "nan"), std::pair("rate", "2"), std::pair("use_bias", "maybe"),
        std::pair("factor", "2..1"), std::pair("kernel_size", "3xx5"), std::pair("padding", "none"),
        std::pair("mean", "1,,2")})
    BOOST_TEST_CONTEXT(name << " " << text) {
      BOOST_CHECK_EXCEPTION(from_text(name, text), UsageError, says(std::string("--") + name));
    }
}
