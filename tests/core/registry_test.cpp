#include "ocellus/core/registry.hpp"

#include <boost/test/unit_test.hpp>

#include "core/temporary.hpp"
#include "ocellus/core/error.hpp"

using namespace ocellus;
using test::says;

namespace {

// A small interface of the loss kind, and two types of it.
struct Shape2D {
  using Interface = Shape2D;
  static constexpr Kind kind = Kind::loss;
  virtual ~Shape2D() = default;
  virtual double area() const = 0;
};
struct RectangleOptions {
  double width = 2, height = 3;
};
struct Rectangle : Shape2D {
  explicit Rectangle(RectangleOptions o) : options(o) {}
  double area() const override { return options.width * options.height; }
  RectangleOptions options;
};
struct Unit : Shape2D {
  double area() const override { return 1; }
};

Parameters<RectangleOptions> parameters() {
  Parameters<RectangleOptions> p;
  p.add("width", &RectangleOptions::width, "metres").min(0);
  p.add("height", &RectangleOptions::height, "metres").min(0);
  return p;
}

TypeInfo plain(Kind kind, const std::string& name) {
  TypeInfo t;
  t.kind = kind;
  t.name = name;
  t.create = [](const Json&) { return std::shared_ptr<void>(); };
  return t;
}

void add_parameter(TypeInfo& t, const std::string& name, Json value,
                   ParameterInfo::Type type = ParameterInfo::Type::integer) {
  ParameterInfo p;
  p.name = name;
  p.type = type;
  p.default_value = std::move(value);
  t.schema.parameters.push_back(p);
}

}  // namespace

BOOST_AUTO_TEST_CASE(makes_objects_from_what_a_person_wrote) {
  Registry r;
  r.add("shapes", [](Registrar& reg) {
    reg.add<Rectangle>("Rectangle", "four sides", parameters());
    reg.add<Unit>("Unit", "of area one");
  });
  BOOST_TEST(r.create<Shape2D>("Rectangle", Json::parse(R"({"width": 5})", "t"), "loss")->area() ==
             15);
  BOOST_TEST(r.create<Shape2D>("Unit", Json(), "loss")->area() == 1);
  BOOST_CHECK_EXCEPTION(r.create<Shape2D>("Rectangle", Json::parse(R"({"widht": 5})", "t"), "loss"),
                        UsageError, says("loss: unknown parameter 'widht'; did you mean 'width'?"));
  BOOST_CHECK_EXCEPTION(r.create<Shape2D>("Rectangel", Json(), "loss"), UsageError,
                        says("no loss 'Rectangel'; did you mean 'Rectangle'?"));
  BOOST_CHECK_EXCEPTION(r.create<Shape2D>("Adam", Json(), "loss"), PluginError,
                        says("no loss 'Adam'; known are Rectangle, Unit"));
  BOOST_TEST(r.find(Kind::layer, "Rectangle") == nullptr);
  BOOST_TEST(r.all(Kind::loss).size() == 2);
  BOOST_TEST(r.plugins().at(0).id == "shapes");
}

BOOST_AUTO_TEST_CASE(registers_all_or_nothing) {
  Registry r;
  r.add("first",
        [](Registrar& reg) { reg.add(plain(Kind::layer, "Dense")).claims("Custom>Dense"); });
  const auto refused = [&](const std::string& message,
                           const std::function<void(Registrar&)>& more) {
    BOOST_TEST_CONTEXT(message) {
      BOOST_CHECK_EXCEPTION(r.add("second",
                                  [&](Registrar& reg) {
                                    reg.add(plain(Kind::layer, "Fresh")).claims("Custom>Fresh");
                                    more(reg);
                                  }),
                            PluginError, says(message));
      BOOST_TEST(r.all(Kind::layer).size() == 1);
      BOOST_TEST(r.find_keras_layer("Custom>Fresh") == nullptr);
      BOOST_TEST(r.plugins().size() == 1);
    }
  };
  refused("layer 'Dense' of plugin 'second' is already registered by plugin 'first'",
          [](Registrar& reg) { reg.add(plain(Kind::layer, "Dense")); });
  refused("layer 'Fresh' of plugin 'second' is already registered by plugin 'second'",
          [](Registrar& reg) { reg.add(plain(Kind::layer, "Fresh")); });
  refused("claims the Keras layer 'Custom>Dense', which is claimed by layer 'Dense'",
          [](Registrar& reg) { reg.add(plain(Kind::layer, "Other")).claims("Custom>Dense"); });
  refused("has no name", [](Registrar& reg) { reg.add(plain(Kind::layer, "")); });
  refused("has no create function",
          [](Registrar& reg) { reg.add(plain(Kind::layer, "X")).create = nullptr; });
  refused("clashes with the flag --seed",
          [](Registrar& reg) { add_parameter(reg.add(plain(Kind::analyzer, "a")), "seed", 1); });
  refused("'alpha' twice", [](Registrar& reg) {
    TypeInfo& t = reg.add(plain(Kind::layer, "X"));
    add_parameter(t, "alpha", 1);
    add_parameter(t, "alpha", 1);
  });
  refused("default of layer 'X': parameter 'alpha': expected integer, found \"x\"",
          [](Registrar& reg) { add_parameter(reg.add(plain(Kind::layer, "X")), "alpha", "x"); });
  BOOST_CHECK_EXCEPTION(r.add("first", [](Registrar&) {}), PluginError,
                        says("'first' is already loaded"));
  // Nothing that was refused stays in the way.
  r.add("second",
        [](Registrar& reg) { reg.add(plain(Kind::layer, "Fresh")).claims("Custom>Fresh"); });
  BOOST_TEST(r.find_keras_layer("Custom>Fresh")->name == "Fresh");
  BOOST_TEST(r.find_keras_layer("Dense")->plugin == "first");
}

BOOST_AUTO_TEST_CASE(the_same_name_in_two_kinds_is_fine) {
  Registry r;
  r.add("x", [](Registrar& reg) {
    reg.add(plain(Kind::layer, "softmax"));
    reg.add(plain(Kind::activation, "softmax"));
    add_parameter(reg.add(plain(Kind::layer, "Dropout")), "seed", 1);  // a flag's name, but no flag
  });
  BOOST_TEST((r.get(Kind::activation, "softmax").kind == Kind::activation));
}

BOOST_AUTO_TEST_CASE(activation_becomes_a_parameter) {
  Registry r;
  r.add("x", [](Registrar& reg) { reg.add(plain(Kind::layer, "Conv2D")).with_activation(); });
  const TypeInfo& t = r.get(Kind::layer, "Conv2D");
  BOOST_TEST(t.takes_activation);
  BOOST_TEST(t.schema.check(Json(), "t").dump() == R"({"activation":"linear"})");
}
