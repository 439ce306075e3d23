// Keras' merges, activations, normalizations and random layers: what we compute against what Keras
// computed, the same after a round trip, and the gradients' way through.
#include "plugins/keras_testing.hpp"

using namespace ocellus;
using namespace ocellus::test;

namespace {

const std::vector<std::string> models = {"merging",     "dotting",     "activating",
                                         "normalizing", "randomizing", "gating"};

template <class F>
void for_each_model(const F& f) {
  for (const std::string& version : versions)
    for (const std::string& name : models) BOOST_TEST_CONTEXT(version << " " << name) {
        const fs::path file = fixtures / version / (name + ".h5");
        if (name == "gating" && version == "keras2") continue;  // it has no such activations
        const H5Reader io(fs::path(file).replace_extension(".io.h5"));
        f(file, io.read("/input/0"), io.read("/output/0"));
      }
}

}  // namespace

BOOST_AUTO_TEST_CASE(outputs_equal_those_of_keras) {
  TemporaryDirectory dir;
  for_each_model([&](const fs::path& file, const Array& x, const Array& y) {
    Lines log;
    const ModelDocument d = open(file, log);
    BOOST_TEST(log.warnings.empty(), (log.warnings.empty() ? "" : log.warnings.front()));
    check_close(predict(d, x), y, 1e-5);
    save_model(world().registry, d, (dir / "model.h5").string(), log);
    for (const std::string& w : log.warnings)  // the two versions differ in that function
      BOOST_TEST(holds(w, "hard_sigmoid"), w);
    const ModelDocument again = open(dir / "model.h5");
    check_same_graph(again.graph, d.graph);
    check_close(predict(again, x), y, 1e-5);
  });
}

// Training refuses what it cannot do, by the layer's name, and does all else.
BOOST_AUTO_TEST_CASE(training) {
  for_each_model([](const fs::path& file, const Array&, const Array&) {
    Network n(world().registry, open(file));
    n.place(world().device);
    const ExecutionOptions options{.batch = 2, .training = true, .parameter_gradients = true};
    if (file.stem() != "randomizing") {
      Execution e(n, options);
      return;
    }
    std::string message;
    try {
      Execution e(n, options);
    } catch (const UsageError& error) {
      message = error.what();
    }
    BOOST_TEST(holds(message, "random_rotation"), message);
  });
}
