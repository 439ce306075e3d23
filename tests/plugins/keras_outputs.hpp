#pragma once

// Models of Keras with several inputs and outputs against what Keras computed for them.
#include "plugins/keras_testing.hpp"

namespace ocellus::test {

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
