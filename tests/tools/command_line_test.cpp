#include "command_line.hpp"

#include <boost/test/unit_test.hpp>

#include "ocellus/core/error.hpp"

using namespace ocellus;
using ocellus::tools::CommandLine;

namespace {

// A program with one flag of each sort.
struct Program {
  CommandLine line{"ocellus try", "MODEL [INPUT...]", "Tries."};
  int epochs = 10;
  double rate = 0.1;
  bool fuse = true, fast = false;
  Size window{3, 3};
  std::vector<std::string> metrics = {"accuracy"};
  std::string model;
  std::vector<std::string> inputs;

  Program() {
    line.flag("epochs", epochs, "how long").min(1);
    line.flag("learning_rate", rate, "how fast");
    line.flag("fuse", fuse, "join kernels");
    line.flag("fast", fast, "hurry");
    line.flag("window", window, "how large");
    line.flag("metrics", metrics, "what to tell");
    line.argument("MODEL", model);
    line.rest("INPUT", inputs);
  }
  std::string error(const std::vector<std::string>& words) {
    try {
      line.parse(words);
    } catch (const UsageError& e) {
      return e.what();
    }
    return "no error";
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(values_reach_their_variables) {
  Program p;
  p.line.parse({"m.h5", "--epochs", "3", "a.png", "--learning_rate=-1e-3", "--no-fuse", "--fast",
                "--window", "4x5", "--metrics", "x,y", "--metrics=z", "--", "--b.png"});
  BOOST_TEST(p.epochs == 3);
  BOOST_TEST(p.rate == -1e-3);
  BOOST_TEST(!p.fuse);
  BOOST_TEST(p.fast);
  BOOST_TEST((p.window == Size{4, 5}));
  BOOST_TEST((p.metrics == std::vector<std::string>{"x", "y", "z"}));
  BOOST_TEST(p.model == "m.h5");
  BOOST_TEST((p.inputs == std::vector<std::string>{"a.png", "--b.png"}));
  BOOST_TEST(p.line.given("epochs"));
}

BOOST_AUTO_TEST_CASE(what_is_not_given_keeps_its_default) {
  Program p;
  p.line.parse({"m.h5"});
  BOOST_TEST(p.epochs == 10);
  BOOST_TEST(p.fuse);
  BOOST_TEST(p.metrics.size() == 1u);
  BOOST_TEST(!p.line.given("epochs"));
}

BOOST_AUTO_TEST_CASE(a_negative_number_is_a_value_and_a_switch_takes_no_word) {
  Program p;
  p.line.parse({"--learning-rate", "-2", "--fast", "m.h5", "--fuse=false"});
  BOOST_TEST(p.rate == -2);
  BOOST_TEST(p.model == "m.h5");
  BOOST_TEST(!p.fuse);
}

BOOST_AUTO_TEST_CASE(errors_say_what_and_what_was_meant) {
  BOOST_TEST(Program().error({"m", "--epohcs", "3"}) ==
             "unknown flag '--epohcs'; did you mean '--epochs'?");
  BOOST_TEST(Program().error({"m", "--epochs", "x"}) ==
             "--epochs: parameter 'epochs': expected integer, at least 1, found \"x\"");
  BOOST_TEST(Program().error({"m", "--epochs", "0"}).find("at least 1") != std::string::npos);
  BOOST_TEST(Program().error({"m", "--epochs"}).find("epochs") != std::string::npos);
  BOOST_TEST(Program().error({"m", "--epochs", "1", "--epochs", "2"}) == "--epochs stands twice");
  BOOST_TEST(Program().error({}) == "MODEL is missing; usage: ocellus try MODEL [INPUT...]");
  BOOST_TEST(Program().error({"m", "--fast=perhaps"}).find("true or false") != std::string::npos);
  BOOST_TEST(Program().error({"m", "-z"}).find("unknown flag '-z'") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_superfluous_argument_is_refused) {
  CommandLine line("ocellus one", "MODEL", "");
  std::string model;
  line.argument("MODEL", model);
  BOOST_CHECK_THROW(line.parse({"a", "b"}), UsageError);
}

BOOST_AUTO_TEST_CASE(flags_of_a_schema_are_collected) {
  struct Options {
    Size window{16, 16};
    std::string fill = "mean";
  };
  Parameters<Options> p;
  p.add("window", &Options::window, "side");
  p.add("fill_with", &Options::fill, "what").one_of({"mean", "zero"});
  CommandLine line("ocellus occlusion", "MODEL", "");
  Json given = Json::object();
  line.flags(p.schema(), given);
  line.parse({"--fill-with", "zero"});
  BOOST_TEST(given.dump() == R"({"fill_with":"zero"})");
  BOOST_TEST(p.read(p.schema().check(given, "test")).fill == "zero");
}

BOOST_AUTO_TEST_CASE(help_names_every_flag_with_type_and_default) {
  const std::string help = Program().line.help();
  for (const char* text :
       {"usage: ocellus try MODEL [INPUT...]", "--epochs N", "(integer, at least 1; default 10)",
        "--window HxW", "default 3x3", "--learning-rate X", "default accuracy"})
    BOOST_TEST(help.find(text) != std::string::npos, "missing: " << text << " in\n" << help);
}
