// What people say about a model: preprocessing in words, class names beside it, and how both get
// into a file that keeps all the rest.
#include <boost/test/unit_test.hpp>
#include <cstring>
#include <fstream>

#include "core/temporary.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/file.hpp"
#include "ocellus/core/h5.hpp"
#include "ocellus/core/labels.hpp"
#include "ocellus/core/model.hpp"
#include "ocellus/core/model_format.hpp"

using namespace ocellus;
using namespace ocellus::test;
namespace fs = std::filesystem;

namespace {

const fs::path fixtures = OCELLUS_FIXTURES;

const Registry& registry() {
  static const auto r = [] {
    auto registry = std::make_unique<Registry>();
    registry->load_default();
    return registry;
  }();
  return *r;
}

void write(const fs::path& file, const std::string& text) { write_atomically(file, text); }

ModelDocument open(const fs::path& file) {
  SilentLog log;
  return open_model(registry(), {.address = file.string(), .trust = true}, log);
}

// Every dataset and attribute below `path` that is not ours is the same in both files.
void same_but_ours(const H5Reader& a, const H5Reader& b, const std::string& path = "") {
  if (path == "/ocellus") return;
  BOOST_TEST_CONTEXT(path) {
    if (a.has_dataset(path)) {
      const Array x = a.read(path), y = b.read(path);
      BOOST_TEST((x.shape() == y.shape() && x.type() == y.type()));
      BOOST_TEST(std::ranges::equal(x.bytes(), y.bytes()));
      return;
    }
    BOOST_TEST(a.attributes(path) == b.attributes(path), boost::test_tools::per_element());
    for (const std::string& name : a.members(path)) same_but_ours(a, b, path + "/" + name);
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(preprocessing_in_words) {
  const Preprocessing p =
      Preprocessing::named("scale=1/255,mean=0.5,1/4,0.125,std=0.2,order=bgr,resize=crop");
  BOOST_TEST(p.name == "custom");
  BOOST_TEST(p.scale == 1 / 255.0);
  BOOST_TEST(p.mean == (std::vector<double>{0.5, 0.25, 0.125}), boost::test_tools::per_element());
  BOOST_TEST(p.deviation == std::vector<double>{0.2}, boost::test_tools::per_element());
  BOOST_TEST(p.bgr);
  BOOST_TEST(p.resize == "crop");
  const Preprocessing torch = Preprocessing::named("torch, resize=pad");
  BOOST_TEST(torch.name == "torch");
  BOOST_TEST(torch.resize == "pad");
  BOOST_TEST(torch.mean.size() == 3U);
  const Preprocessing rgb = Preprocessing::named("caffe,order=rgb");
  BOOST_TEST(!rgb.bgr);
  BOOST_TEST(rgb.name == "custom");
  // The means of a name stay with their colours; those that are written out are the network's.
  BOOST_TEST(rgb.mean == (std::vector<double>{123.68, 116.779, 103.939}),
             boost::test_tools::per_element());
  const Preprocessing turned = Preprocessing::named("torch,mean=1,2,3,order=bgr");
  BOOST_TEST(turned.mean == (std::vector<double>{1, 2, 3}), boost::test_tools::per_element());
  BOOST_TEST(turned.deviation == (std::vector<double>{0.225, 0.224, 0.229}),
             boost::test_tools::per_element());
  // Back through the file's form.
  BOOST_TEST(Preprocessing::from_json(p.to_json()).to_json().dump() == p.to_json().dump());
}

BOOST_AUTO_TEST_CASE(preprocessing_misspelt) {
  for (const auto& [text, message] :
       std::vector<std::pair<std::string, std::string>>{{"scal=2", "did you mean 'scale'"},
                                                        {"scale=", "is not a number"},
                                                        {"scale=1/0", "divides by 0"},
                                                        {"scale=1,2", "takes one value"},
                                                        {"std=0", "above 0"},
                                                        {"mean=nan", "is not a number"},
                                                        {"order=grb", "no order 'grb'"},
                                                        {"resize=sretch", "did you mean 'stretch'"},
                                                        {"trch,order=bgr", "did you mean 'torch'"}})
    BOOST_CHECK_EXCEPTION(Preprocessing::named(text), UsageError, says(message));
}

BOOST_AUTO_TEST_CASE(labels_of_several_kinds) {
  const TemporaryDirectory dir;
  write(dir / "plain", "cat\r\nsmall dog\r\n\r\n");
  BOOST_TEST(read_labels(dir / "plain") == (std::vector<std::string>{"cat", "small dog"}),
             boost::test_tools::per_element());
  write(dir / "numbered",
        "\xef\xbb\xbf"
        "0 cat\n1 small dog\n");
  BOOST_TEST(read_labels(dir / "numbered") == (std::vector<std::string>{"cat", "small dog"}),
             boost::test_tools::per_element());
  // Numbers that are names stay.
  write(dir / "years", "0 to 9\n2 to 12\n");
  BOOST_TEST(read_labels(dir / "years")[0] == "0 to 9");
  write(dir / "empty", "\n \n");
  BOOST_CHECK_THROW(read_labels(dir / "empty"), DataError);
}

BOOST_AUTO_TEST_CASE(labels_beside_a_model_are_its_classes_when_they_fit) {
  const TemporaryDirectory dir;
  fs::copy_file(fixtures / "keras3/sequential_cnn.h5", dir / "model.h5");
  BOOST_TEST(open(dir / "model.h5").classes.empty());
  const int classes = open(dir / "model.h5").weights.back().values.back().shape().channels();
  std::string names;
  for (int i = 0; i < classes; ++i) names += "name " + std::to_string(i) + "\n";
  write(dir / "labels.txt", names + "one too many\n");
  BOOST_TEST(open(dir / "model.h5").classes.empty());
  write(dir / "labels.txt", names);
  BOOST_TEST(open(dir / "model.h5").classes.size() == static_cast<size_t>(classes));
}

BOOST_AUTO_TEST_CASE(annotations_leave_all_else_in_the_file) {
  const TemporaryDirectory dir;
  SilentLog log;
  for (const std::string name : {"keras2/adam.h5", "keras3/adamw.h5", "keras3/nested.h5"}) {
    const fs::path from = fixtures / name, to = dir / "model.h5";
    ModelDocument d = open(from);
    d.classes = {"a", "b", "c"};
    d.preprocessing = Preprocessing::named("caffe");
    d.sample = SampleRecord{Array(Shape{1, 2}, std::vector<float>{1, 2}),
                            Array(Shape{1, 1}, std::vector<float>{3})};
    format_of(registry(), from)->annotate(d, from, to, registry(), log);
    same_but_ours(H5Reader(from), H5Reader(to));
    ModelDocument back = open(to);
    BOOST_TEST(back.classes == d.classes, boost::test_tools::per_element());
    BOOST_TEST(back.preprocessing.value().name == "caffe");
    BOOST_TEST(back.sample.value().logits.f32()[0] == 3);
    BOOST_TEST(back.optimizer.has_value() == d.optimizer.has_value());

    // In place, a second time: replaced, and what is gone is gone.
    back.preprocessing = Preprocessing::named("unit");
    back.sample.reset();
    format_of(registry(), to)->annotate(back, to, to, registry(), log);
    same_but_ours(H5Reader(from), H5Reader(to));
    BOOST_TEST(open(to).preprocessing.value().name == "unit");
    BOOST_TEST(!open(to).sample.has_value());
    BOOST_TEST(open(to).classes.size() == 3U);
  }
}

BOOST_AUTO_TEST_CASE(annotations_keep_the_training_state) {
  const TemporaryDirectory dir;
  SilentLog log;
  ModelDocument d = open(fixtures / "keras2/adam.h5");
  d.training_state = Json::Object{{"epoch", 3}};
  save_model(registry(), d, (dir / "m.h5").string(), log);
  ModelDocument changed = open(dir / "m.h5");
  changed.classes = {"x"};
  format_of(registry(), dir / "m.h5")
      ->annotate(changed, dir / "m.h5", dir / "m.h5", registry(), log);
  const ModelDocument back = open(dir / "m.h5");
  BOOST_TEST(back.training_state.at("epoch").as_int() == 3);
  BOOST_TEST(back.classes.size() == 1U);
  BOOST_TEST(back.optimizer.value().iteration == d.optimizer.value().iteration);
}
