#include "ocellus/core/recipe.hpp"

#include <boost/test/unit_test.hpp>

#include "ocellus/core/call.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/optimizer.hpp"
#include "ocellus/core/registry.hpp"

using namespace ocellus;

namespace {

struct Rate {
  double learning_rate = 0.5;
  std::vector<int> sizes = {1};
};
// Enough of an optimizer to be named.
class Fake : public Optimizer {
 public:
  explicit Fake(Rate r) : rate_(r) {}
  double learning_rate() const override { return rate_.learning_rate; }
  std::vector<std::string> slots() const override { return {}; }
  std::unique_ptr<OptimizerOp> prepare(opencl::Device&, const ArenaLayout&) const override {
    return nullptr;
  }

 private:
  Rate rate_;
};

struct Loaded {
  Registry registry;
  Loaded() {
    registry.add("test", [](Registrar& r) {
      Parameters<Rate> p;
      p.add("learning_rate", &Rate::learning_rate, "rate").min(0);
      p.add("sizes", &Rate::sizes, "a list");
      r.add<Fake>("Adam", "fake", p);
    });
  }
  std::string error(const Json& written) {
    try {
      const Call call = parse_call(registry, Kind::optimizer, written, "optimizer");
      registry.create<Optimizer>(call.type, call.parameters, "optimizer");
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(the_three_forms_of_a_call_mean_the_same, Loaded) {
  const Json object =
      Json::parse(R"({"type": "Adam", "learning_rate": 0.25, "sizes": [2, 3]})", "test");
  for (const Json& written : {object, Json("Adam(learning_rate=0.25, sizes=[2, 3])"),
                              Json(" Adam ( learning_rate = 0.25,sizes=[2,3] )")}) {
    const Call call = parse_call(registry, Kind::optimizer, written, "optimizer");
    BOOST_TEST(call.type == "Adam");
    BOOST_TEST(call.parameters.dump() == R"({"learning_rate":0.25,"sizes":[2,3]})");
  }
  BOOST_TEST(parse_call(registry, Kind::optimizer, "Adam", "optimizer").parameters.size() == 0u);
}

BOOST_FIXTURE_TEST_CASE(a_wrong_call_names_the_nearest_word, Loaded) {
  BOOST_TEST(error("Adma").find("did you mean 'Adam'?") != std::string::npos);
  BOOST_TEST(error("Adam(lerning_rate=1)").find("did you mean 'learning_rate'?") !=
             std::string::npos);
  BOOST_TEST(error("Adam(learning_rate=fast)").find("expected number") != std::string::npos);
  BOOST_TEST(error("Adam(learning_rate=-1)").find("at least 0") != std::string::npos);
  BOOST_TEST(error("Adam(1)").find("expected key=value") != std::string::npos);
  BOOST_TEST(error("Adam(learning_rate=1").find("')' is missing") != std::string::npos);
  BOOST_TEST(error(3).find("expected NAME") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(keys_are_set_along_a_path) {
  Json recipe = Json::parse(R"({"epochs": 3, "optimizer": "Adam"})", "test");
  set_key(recipe, "epochs=5");
  set_key(recipe, "optimizer.learning_rate=0.01");
  set_key(recipe, "data=idx:here");
  BOOST_TEST(recipe.dump() ==
             R"({"epochs":5,"optimizer":{"type":"Adam","learning_rate":0.01},"data":"idx:here"})");
  BOOST_CHECK_THROW(set_key(recipe, "epochs"), UsageError);
  BOOST_CHECK_THROW(set_key(recipe, "epochs.x=1"), UsageError);
}

BOOST_FIXTURE_TEST_CASE(a_recipe_is_checked_strictly, Loaded) {
  const auto& p = recipe_parameters();
  BOOST_CHECK_EXCEPTION(p.schema().check(Json::parse(R"({"epohcs": 3})", "r.json"), "r.json"),
                        UsageError, [](const UsageError& e) {
                          return std::string(e.what()) ==
                                 "r.json: unknown parameter 'epohcs'; did you mean 'epochs'?";
                        });
  const Json written =
      Json::parse(R"~({"optimizer": "Adam(learning_rate=0.125)", "metrics": [], "seed": 7})~", "r");
  Recipe r = p.read(p.schema().check(written, "r"));
  const TrainingOptions o = training_options(registry, r);
  BOOST_TEST(o.optimizer == "Adam");
  BOOST_TEST(o.optimizer_parameters.get("learning_rate", 0.0) == 0.125);
  BOOST_TEST(o.optimizer_parameters.at("sizes").dump() == "[1]");  // defaults are filled in
  BOOST_TEST(o.seed == 7u);
  BOOST_TEST(o.loss.empty());
  r.optimizer = "Adam(speed=3)";
  BOOST_CHECK_THROW(training_options(registry, r), UsageError);
}
