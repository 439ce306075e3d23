// Every file of a public import test suite, saved by many versions of Keras: each opens, or is
// refused for a reason that stands in a list here. The counts are asserted: a file that falls out
// shows. Prints the table of docs/formats.md.
#include <fmt/format.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <set>

#include "core/networks.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/file.hpp"
#include "ocellus/core/h5.hpp"
#include "ocellus/core/image.hpp"
#include "ocellus/core/model.hpp"

using namespace ocellus;
using namespace ocellus::test;
namespace fs = std::filesystem;

namespace {

// Layer classes of those files that are not ours: recurrent, attention, three dimensions, own
// weights for each place, code.
const std::set<std::string> strangers = {"Attention", "Bidirectional",      "ConvLSTM2D",
                                         "Conv3D",    "Embedding",          "LSTM",
                                         "Lambda",    "LocallyConnected2D", "SimpleRNN"};

const fs::path& suite() {
  static const fs::path path = [] {
    const char* given = std::getenv("OCELLUS_TEST_DATA");
    return (given ? fs::path(given) : fs::path("../shared/data")) / "keras" / "dl4j";
  }();
  return path;
}

std::vector<fs::path> models_below(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& e : fs::recursive_directory_iterator(folder))
    if ((e.path().extension() == ".h5" || e.path().extension() == ".hdf5") &&
        H5Reader(e.path()).has_attribute("/", "model_config"))
      files.push_back(e.path());
  std::sort(files.begin(), files.end());
  return files;
}

std::string major_version(const fs::path& file) {
  return H5Reader(file).text("/", "keras_version", "?").substr(0, 1);
}

// The layer class that a refusal names, "layer 'x' is a LSTM, ..."; empty where it is for another
// reason.
std::string stranger_in(const std::string& refusal) {
  for (const std::string& name : strangers)
    if (refusal.find(" is a " + name + ",") != std::string::npos ||
        refusal.find("(" + name + ")") != std::string::npos)
      return name;
  return {};
}

// Channels of a map from behind the batch to the end: (N, C, L) -> (N, L, C).
Array channels_last(const Array& a) {
  const Shape& s = a.shape();
  Array out(Shape{s[0], s[2], s[1]}, DType::f32);
  for (int n = 0; n < s[0]; ++n)
    for (int c = 0; c < s[1]; ++c)
      for (int x = 0; x < s[2]; ++x)
        out.f32()[(n * s[2] + x) * s[1] + c] = a.f32()[(n * s[1] + c) * s[2] + x];
  return out;
}

Array read_only_member(const H5Reader& file, const std::string& group) {
  return file.read(group + "/" + file.members(group).at(0));
}

// Of a network that was placed.
Array predict(Network& network, const Array& x) {
  Execution e(network, {.batch = x.shape()[0]});
  upload(world().device->compute(), x, e.feed());
  e.forward();
  return download(world().device->compute(), e.fetch(network.tensor_name(network.outputs()[0])));
}

// max |a - b|; infinite where shapes differ or a value is no number.
double distance(const Array& a, const Array& b) {
  if (a.shape() != b.shape()) return INFINITY;
  double error = 0;
  for (size_t i = 0; i < a.f32().size(); ++i) {
    const double d = std::abs(static_cast<double>(a.f32()[i]) - b.f32()[i]);
    error = d >= error ? d : std::isfinite(d) ? error : INFINITY;
  }
  return error;
}

// "x_model.h5" -> "x" + `ending`.
std::string sibling(const fs::path& model, const std::string& ending) {
  const std::string name = model.string();
  return name.substr(0, name.rfind("_model.h5")) + ending;
}

// A .npy file of `count` little-endian floats: a header of which the length stands at byte 8.
std::vector<float> floats_of_npy(const fs::path& file, size_t count) {
  const std::vector<std::byte> bytes = read_file(file);
  BOOST_REQUIRE(bytes.size() > 10);
  const size_t start =
      10 + std::to_integer<size_t>(bytes[8]) + 256 * std::to_integer<size_t>(bytes[9]);
  BOOST_REQUIRE_EQUAL(bytes.size(), start + 4 * count);
  std::vector<float> values(count);
  std::memcpy(values.data(), bytes.data() + start, 4 * count);
  return values;
}

struct Row {
  int files = 0, runnable = 0;
  std::map<std::string, int> refused;  // by layer class
};

std::string refused_text(const Row& row) {
  std::string text;
  for (const auto& [name, n] : row.refused)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, n);
  return text.empty() ? "-" : text;
}

// Recurrent networks leave their number of steps open. Empty where nothing is open.
std::vector<int> closed_shape(const GraphRecord& graph) {
  std::vector<int> shape;
  bool open = false;
  for (const LayerRecord& l : graph.layers) {
    if (l.type != "Input" || open) continue;
    shape.clear();
    for (const Json& e : l.parameters.at("shape").as_list()) {
      open = open || e == Json(-1);
      shape.push_back(e == Json(-1) ? 5 : e.as_int());
    }
  }
  return open ? shape : std::vector<int>();
}

// A file whose name says channels_first; its inputs and outputs are so, too.
bool is_channels_first(const fs::path& model) {
  return model.filename().string().find("_cf_") != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(survey, *boost::unit_test::precondition([](boost::unit_test::test_unit_id) {
                        const bool here = fs::is_directory(suite());
                        if (!here) BOOST_TEST_MESSAGE("SKIPPED: no " << suite().string());
                        return boost::test_tools::assertion_result(here);
                      }))

BOOST_AUTO_TEST_CASE(every_file_opens_or_is_refused_for_a_known_reason) {
  std::map<std::pair<std::string, std::string>, Row> table;  // folder, version of Keras
  SilentLog log;
  int files = 0, runnable = 0;
  for (const fs::path& file : models_below(suite())) {
    const std::string folder = file.parent_path().lexically_relative(suite()).string();
    Row& row = table[{folder, major_version(file)}];
    ++row.files, ++files;
    ModelRequest request{.address = file.string(), .trust = true};
    try {
      const ModelDocument d = open_model(world().registry, request, log);
      request.input_shape = closed_shape(d.graph);
      Network(world().registry, open_model(world().registry, request, log));
      ++row.runnable, ++runnable;
    } catch (const Error& e) {
      const std::string name = stranger_in(e.what());
      BOOST_TEST(!name.empty(), file.string() << ": " << e.what());
      ++row.refused[name.empty() ? e.what() : name];
    }
  }
  fmt::print(
      "| files | Keras | run | refused, by the first layer that is not ours "
      "|\n|---|---|---|---|\n");
  for (const auto& [key, row] : table)
    fmt::print("| {} | {} | {} of {} | {} |\n", key.first, key.second, row.runnable, row.files,
               refused_text(row));
  BOOST_TEST(files == 326);
  BOOST_TEST(runnable == 181);
}

BOOST_AUTO_TEST_CASE(outputs_equal_those_of_keras) {
  SilentLog log;
  int compared = 0;
  for (const fs::path& file : models_below(suite() / "examples")) {
    const H5Reader truth(sibling(file, "_inputs_and_outputs.h5"));
    Array x = read_only_member(truth, "/inputs"), y = read_only_member(truth, "/predictions");
    if (is_channels_first(file)) x = channels_last(x), y = channels_last(y);
    try {
      Network n(world().registry,
                open_model(world().registry, {.address = file.string(), .trust = true}, log));
      n.place(world().device);
      const double error = distance(predict(n, x), y);
      BOOST_TEST(error <= 1e-4, file.string() << ": " << error);
      ++compared;
      // The same from two files, of the architecture and of the weights.
      Network again(world().registry, open_model(world().registry,
                                                 {.address = sibling(file, "_config.json"),
                                                  .weights = sibling(file, "_weights.h5"),
                                                  .trust = true},
                                                 log));
      again.place(world().device);
      BOOST_TEST(distance(predict(again, x), y) <= 1e-4, "in two files: " << file.string());
    } catch (const Error& e) {
      BOOST_ERROR(file.string() << ": " << e.what());
    }
  }
  BOOST_TEST(compared == 68);
}

BOOST_AUTO_TEST_CASE(architectures_in_json) {
  SilentLog log;
  int opened = 0;
  for (const auto& e : fs::recursive_directory_iterator(suite())) {
    if (e.path().extension() != ".json") continue;
    try {
      open_model(world().registry, {.address = e.path().string(), .trust = true}, log);
      ++opened;
    } catch (const Error& refused) {
      BOOST_ERROR(e.path().string() << ": " << refused.what());
    }
  }
  BOOST_TEST(opened == 77);
}

// MobileNetV1 on a hundred photographs; the truth was computed by an independent numpy program.
BOOST_AUTO_TEST_CASE(mobilenet_on_photographs) {
  const fs::path data = suite().parent_path().parent_path();
  std::ifstream order(data / "imagenet" / "order.txt");
  std::vector<fs::path> photographs;
  std::string name;
  for (int label = 0; order >> label >> name;)
    photographs.push_back(data / "imagenet" / "crops224" /
                          (fmt::format("{:04}_", label) + fs::path(name).stem().string() + ".png"));
  BOOST_REQUIRE_EQUAL(photographs.size(), 100u);
  const std::vector<float> truth =
      floats_of_npy(data / "imagenet" / "mobilenet_v1_0.25_224_probs.npy", 100 * 1000);

  SilentLog log;
  const std::string file = (data / "keras" / "mobilenet_v1_0.25_224_imagenet.h5").string();
  Network n(world().registry, open_model(world().registry, {.address = file, .trust = true}, log));
  n.place(world().device);
  double error = 0;
  int same_top = 0;
  for (size_t first = 0; first < photographs.size(); first += 20) {
    Array x(Shape{20, 224, 224, 3}, DType::f32);
    for (size_t i = 0; i < 20; ++i) {
      const Array image = read_image(photographs[first + i]);
      BOOST_REQUIRE_EQUAL(image.u8().size() * 20, x.f32().size());
      std::transform(image.u8().begin(), image.u8().end(),
                     x.f32().begin() + static_cast<ptrdiff_t>(i * image.u8().size()),
                     [](uint8_t v) { return static_cast<float>(v) / 127.5f - 1; });
    }
    const Array y = predict(n, x);
    BOOST_REQUIRE_EQUAL(y.f32().size(), 20u * 1000);
    for (size_t i = 0; i < 20; ++i) {
      const float *ours = y.f32().data() + i * 1000, *theirs = truth.data() + (first + i) * 1000;
      for (size_t k = 0; k < 1000; ++k)
        error = std::max(error, std::abs(static_cast<double>(ours[k]) - theirs[k]));
      same_top += std::max_element(ours, ours + 1000) - ours ==
                  std::max_element(theirs, theirs + 1000) - theirs;
    }
  }
  BOOST_TEST_MESSAGE("largest error " << error);
  BOOST_TEST(error <= 1e-4);
  BOOST_TEST(same_top == 100);
}

BOOST_AUTO_TEST_SUITE_END()
