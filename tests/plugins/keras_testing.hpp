#pragma once

// What the tests of Keras' files share.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "core/networks.hpp"
#include "core/temporary.hpp"
#include "ocellus/core/h5.hpp"
#include "ocellus/core/model.hpp"

namespace ocellus::test {

namespace fs = std::filesystem;

inline const fs::path fixtures = OCELLUS_FIXTURES;
inline const std::vector<std::string> versions = {"keras2", "keras3"};
inline const std::vector<std::string> inference_models = {"sequential_cnn", "functional_residual",
                                                          "nested", "functional_nested"};
inline const std::vector<std::string> trained_models = {"sgd", "adam", "adamw", "rmsprop"};

struct Lines : Log {
  void write(Level level, const std::string& line) override {
    if (level == Level::warning) warnings.push_back(line);
  }
  std::vector<std::string> warnings;
};

// In tests files are trusted: a device is open, and fork() would not carry it.
inline ModelDocument open(const fs::path& file, Log& log, bool trust = true) {
  return open_model(world().registry, {.address = file.string(), .trust = trust}, log);
}
inline ModelDocument open(const fs::path& file) {
  SilentLog log;
  return open(file, log);
}

inline Array predict(const ModelDocument& document, const Array& x) {
  Network n(world().registry, document);
  n.place(world().device);
  Execution e(n, {.batch = x.shape()[0]});
  upload(world().device->compute(), x, e.feed());
  e.forward();
  return download(world().device->compute(), e.fetch(n.tensor_name(n.outputs().front())));
}

inline void check_close(const Array& a, const Array& b, double relative) {
  BOOST_REQUIRE_MESSAGE(a.shape() == b.shape(), a.shape().str() << " against " << b.shape().str());
  double scale = 0, error = 0;
  for (size_t i = 0; i < a.f32().size(); ++i) {
    scale = std::max(scale, std::abs(static_cast<double>(b.f32()[i])));
    error = std::max(error, std::abs(static_cast<double>(a.f32()[i]) - b.f32()[i]));
  }
  BOOST_TEST(scale > 1e-3);
  BOOST_TEST(error <= relative * scale, "error " << error << " of " << scale);
}

inline bool same_bits(const Array& a, const Array& b) {
  return a.type() == b.type() && a.shape() == b.shape() &&
         std::memcmp(a.bytes().data(), b.bytes().data(), a.bytes().size()) == 0;
}

inline void check_same_weights(const std::vector<WeightsRecord>& a,
                               const std::vector<WeightsRecord>& b) {
  BOOST_REQUIRE_EQUAL(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    BOOST_TEST(a[i].layer == b[i].layer);
    BOOST_TEST(a[i].names == b[i].names, boost::test_tools::per_element());
    BOOST_REQUIRE_EQUAL(a[i].values.size(), b[i].values.size());
    for (size_t k = 0; k < a[i].values.size(); ++k)
      BOOST_TEST(same_bits(a[i].values[k], b[i].values[k]), a[i].layer << " " << a[i].names[k]);
  }
}

inline void check_same_graph(const GraphRecord& a, const GraphRecord& b) {
  BOOST_TEST(a.name == b.name);
  BOOST_TEST(a.sequential == b.sequential);
  BOOST_TEST((a.inputs == b.inputs && a.outputs == b.outputs));
  BOOST_REQUIRE_EQUAL(a.layers.size(), b.layers.size());
  for (size_t i = 0; i < a.layers.size(); ++i) {
    BOOST_TEST(a.layers[i].name == b.layers[i].name);
    BOOST_TEST(a.layers[i].type == b.layers[i].type);
    BOOST_TEST((a.layers[i].calls == b.layers[i].calls), a.layers[i].name);
  }
  BOOST_REQUIRE_EQUAL(a.scopes.size(), b.scopes.size());
  for (size_t i = 0; i < a.scopes.size(); ++i) BOOST_TEST(a.scopes[i].path == b.scopes[i].path);
}

inline std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

inline bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

inline fs::path test_data() {
  const char* given = std::getenv("OCELLUS_TEST_DATA");
  return given ? fs::path(given) : fs::path("../shared/data");
}

/// NAME.h5 of tests/fixtures/keras2 and keras3, as far as they exist.
inline std::vector<fs::path> fixture_files(const std::vector<std::string>& names) {
  std::vector<fs::path> found;
  for (const std::string& version : versions)
    for (const std::string& name : names) {
      const fs::path file = fixtures / version / (name + ".h5");
      if (fs::exists(file)) found.push_back(file);
    }
  BOOST_TEST(!found.empty());
  return found;
}

/// Opens without a word.
inline ModelDocument open_quietly(const Registry& registry, const fs::path& file) {
  Lines log;
  ModelDocument d = open_model(registry, {.address = file.string(), .trust = true}, log);
  BOOST_TEST(log.warnings.empty(), (log.warnings.empty() ? "" : log.warnings.front()));
  return d;
}

/// GROUP/0, GROUP/1, ...
inline std::vector<Array> read_all(const H5Reader& file, const std::string& group) {
  std::vector<Array> all;
  for (size_t i = 0; i < file.members(group).size(); ++i)
    all.push_back(file.read(group + "/" + std::to_string(i)));
  return all;
}

/// All outputs for all inputs.
inline std::vector<Array> predict_all(const Registry& registry, const ModelDocument& document,
                                      const std::vector<Array>& x) {
  Network n(registry, document);
  n.place(world().device);
  Execution e(n, {.batch = x.front().shape()[0]});
  BOOST_REQUIRE_EQUAL(n.inputs().size(), x.size());
  for (size_t i = 0; i < x.size(); ++i) upload(world().device->compute(), x[i], e.feed(i));
  e.forward();
  std::vector<Array> y;
  for (size_t i = 0; i < n.outputs().size(); ++i)
    y.push_back(download(world().device->compute(), e.fetch(i)));
  return y;
}

/// The document against FILE.io.h5: at most 1e-5 of the largest value off.
inline void check_outputs(const Registry& registry, const ModelDocument& document,
                          const fs::path& file) {
  const H5Reader io(fs::path(file).replace_extension(".io.h5"));
  const std::vector<Array> y = predict_all(registry, document, read_all(io, "/input")),
                           truth = read_all(io, "/output");
  BOOST_REQUIRE_EQUAL(y.size(), truth.size());
  for (size_t i = 0; i < y.size(); ++i) BOOST_TEST_CONTEXT("output " << i) {
      check_close(y[i], truth[i], 1e-5);
    }
}

}  // namespace ocellus::test
