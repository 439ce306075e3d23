// An Execution against what it must not change: fused equals unfused, fetched tensors survive,
// gradients equal differences.
#include "ocellus/core/execution.hpp"

#include <fmt/format.h>

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "core/networks.hpp"

using namespace ocellus;
using namespace ocellus::test;

namespace {

/// Conv, batch norm, add over a shortcut, concatenation, pooling with "same": the hard cases of
/// fusion and of memory. Differences want it smooth: a kink of ReLU within the step would spoil
/// them.
GraphRecord residual(bool smooth = false) {
  const char* conv1 =
      smooth ? R"({"filters": 8, "kernel_size": 3, "padding": "same", "activation": "softplus"})"
             : R"({"filters": 8, "kernel_size": 3, "padding": "same", "activation": "relu"})";
  const char* relu2 = smooth ? R"({"activation": "tanh"})" : R"({"activation": "relu"})";
  return graph(
      {{"Input", "in", R"({"shape": [9, 7, 3]})", {}},
       {"Conv2D", "conv1", conv1, {"in"}},
       {"Conv2D",
        "conv2",
        R"({"filters": 8, "kernel_size": 3, "padding": "same", "use_bias": false})",
        {"conv1"}},
       {"BatchNormalization", "bn2", "{}", {"conv2"}},
       {"Add", "add", "{}", {"bn2", "conv1"}},
       {"Activation", "relu2", relu2, {"add"}},
       {"Conv2D", "left", R"({"filters": 5, "kernel_size": 1, "activation": "tanh"})", {"relu2"}},
       {"Conv2D", "right", R"({"filters": 3, "kernel_size": 3, "padding": "same"})", {"relu2"}},
       {"Concatenate", "cat", "{}", {"left", "right"}},
       {"AveragePooling2D", "pool", R"({"pool_size": 2, "padding": "same"})", {"cat"}},
       {"Dropout", "drop", R"({"rate": 0.3})", {"pool"}},
       {"Flatten", "flat", "{}", {"drop"}},
       {"Dense", "logits", R"({"units": 4})", {"flat"}},
       {"Activation", "probabilities", R"({"activation": "softmax"})", {"logits"}}},
      {"probabilities"});
}

void check_close(const Array& a, const Array& b, double tolerance) {
  BOOST_REQUIRE(a.shape() == b.shape());
  double scale = 0, error = 0;
  for (size_t i = 0; i < a.f32().size(); ++i) {
    scale = std::max(scale, std::abs(static_cast<double>(b.f32()[i])));
    error = std::max(error, std::abs(static_cast<double>(a.f32()[i]) - b.f32()[i]));
  }
  BOOST_TEST(scale > 0);
  BOOST_TEST(error <= tolerance * scale, "error " << error << " of " << scale);
}

Array run(Network& n, ExecutionOptions o, const Array& x, const std::string& fetch) {
  o.fetches.push_back(fetch);
  Execution e(n, std::move(o));
  upload(world().device->compute(), x, e.feed());
  e.forward();
  return download(world().device->compute(), e.fetch(fetch));
}

double dot(const Array& a, const Array& b) {
  double s = 0;
  for (size_t i = 0; i < a.f32().size(); ++i) s += static_cast<double>(a.f32()[i]) * b.f32()[i];
  return s;
}

}  // namespace

BOOST_AUTO_TEST_CASE(fused_equals_unfused) {
  const auto n = make(residual());
  for (int batch : {1, 3}) {
    const Array x = noise(Shape{batch, 9, 7, 3}, 5);
    const Array fused = run(*n, {.batch = batch}, x, "logits");
    const Array plain = run(*n, {.batch = batch, .fuse = false}, x, "logits");
    check_close(fused, plain, 1e-5);
  }
}

// Processors compute two halves of a batch side by side: the same numbers, whatever is fetched,
// whether the batch is even, and from the first pass on after new weights.
BOOST_AUTO_TEST_CASE(halves_of_a_batch_give_the_same) {
  const auto n = make(residual());
  for (int batch : {4, 7})
    for (const char* fetch : {"logits", "relu2"}) {
      Execution halves(*n, {.batch = batch, .fetches = {fetch}});
      Execution whole(*n, {.batch = batch, .fetches = {fetch}, .halves = false});
      BOOST_TEST(halves.fetch().shape.str() == whole.fetch().shape.str());
      for (uint64_t pass = 0; pass < 6; ++pass) {
        const Array x = noise(Shape{batch, 9, 7, 3}, 20 + pass);
        if (pass == 3) n->touch();
        for (Execution* e : {&halves, &whole}) {
          upload(world().device->compute(), x, e->feed());
          e->forward();
        }
        check_close(download(world().device->compute(), halves.fetch()),
                    download(world().device->compute(), whole.fetch()), 1e-5);
      }
    }
}

// A block with a convolution in its shortcut: both branches could take the merge, one may.
BOOST_AUTO_TEST_CASE(two_convolutions_that_meet_fuse_once) {
  const char* conv = R"({"filters": 4, "kernel_size": 3, "padding": "same"})";
  const auto n = make(graph({{"Input", "in", R"({"shape": [5, 6, 3]})", {}},
                             {"Conv2D", "main", conv, {"in"}},
                             {"Conv2D", "shortcut", conv, {"in"}},
                             {"BatchNormalization", "bn", "{}", {"main"}},
                             {"Add", "add", "{}", {"shortcut", "bn"}},
                             {"ReLU", "relu", "{}", {"add"}},
                             {"Flatten", "flat", "{}", {"relu"}}},
                            {"flat"}));
  const Array x = noise(Shape{2, 5, 6, 3}, 8);
  check_close(run(*n, {.batch = 2}, x, "relu"), run(*n, {.batch = 2, .fuse = false}, x, "relu"),
              1e-5);
}

BOOST_AUTO_TEST_CASE(fusion_shortens_the_way) {
  const auto n = make(residual());
  Execution fused(*n, {}), plain(*n, {.fuse = false});
  BOOST_TEST(fused.steps().size() < plain.steps().size());
  bool found = false;
  for (const std::string& s : fused.steps()) {
    BOOST_TEST_MESSAGE(s);
    found = found || (s.find("conv2") != std::string::npos && s.find("bn2") != std::string::npos &&
                      s.find("add") != std::string::npos && s.find("relu2") != std::string::npos);
    BOOST_TEST(s.find("Concatenate") == std::string::npos);
  }
  BOOST_TEST(found, "conv2 takes batch norm, add and relu into its store");
}

// Zeros that one convolution reads are its own padding; those that two layers read, or that are
// wider than a window, stay a step.
BOOST_AUTO_TEST_CASE(paddings_go_into_the_convolution_behind) {
  const auto n = make(
      graph({{"Input", "in", R"({"shape": [8, 7, 3]})", {}},
             {"ZeroPadding2D", "pad1", R"({"padding": [[1, 2], [0, 1]]})", {"in"}},
             {"Conv2D", "conv1", R"({"filters": 6, "kernel_size": 3, "strides": 2})", {"pad1"}},
             {"ZeroPadding2D", "pad2", R"({"padding": [[0, 1], [1, 0]]})", {"conv1"}},
             {"DepthwiseConv2D", "conv2", R"({"kernel_size": 3, "padding": "same"})", {"pad2"}},
             {"ZeroPadding2D", "pad3", R"({"padding": [[1, 0], [0, 2]]})", {"conv2"}},
             {"SeparableConv2D", "separable", R"({"filters": 5, "kernel_size": 3})", {"pad3"}},
             {"ZeroPadding2D", "wide", R"({"padding": 3})", {"separable"}},
             {"Conv2D", "conv3", R"({"filters": 4, "kernel_size": 3})", {"wide"}},
             {"ZeroPadding2D", "shared", R"({"padding": 1})", {"conv3"}},
             {"Conv2D", "conv4", R"({"filters": 4, "kernel_size": 3})", {"shared"}},
             {"Cropping2D", "crop", R"({"cropping": 1})", {"shared"}},
             {"Add", "add", "{}", {"conv4", "crop"}},
             {"Flatten", "flat", "{}", {"add"}}},
            {"flat"}));
  const Array x = noise(Shape{2, 8, 7, 3}, 9);
  opencl::Queue& queue = world().device->compute();
  std::vector<Array> results;
  for (const bool fuse : {true, false}) {
    Execution e(*n, {.batch = 2, .fetches = {"flat"}, .gradients = {"in"}, .fuse = fuse});
    int steps = 0;
    for (const std::string& s : e.steps()) steps += s.find("ZeroPadding2D") != std::string::npos;
    BOOST_TEST(steps == (fuse ? 4 : 10));  // forward and backward
    upload(queue, x, e.feed());
    upload(queue, noise(n->shape(n->tensor("flat")).with_batch(2), 10), e.seed());
    e.forward();
    e.backward();
    results.push_back(download(queue, e.fetch()));
    results.push_back(download(queue, e.gradient("in")));
  }
  check_close(results[0], results[2], 1e-5);
  check_close(results[1], results[3], 1e-5);
}

// A 1x1 convolution runs inside the depthwise one that alone reads it; not where another layer
// reads it, where it merges with something, or on the way back. Widths just around the tiles.
BOOST_AUTO_TEST_CASE(expansions_go_into_the_depthwise_convolution_behind) {
  for (const int wide : {16, 40, 48, 96}) {
    const std::string filters = fmt::format(R"({{"filters": {}, "kernel_size": 1}})", wide);
    const auto n = make(graph(
        {{"Input", "in", R"({"shape": [9, 13, 5]})", {}},
         {"Conv2D", "expand", filters.c_str(), {"in"}},
         {"BatchNormalization", "bn1", "{}", {"expand"}},
         {"ReLU", "relu1", R"({"max_value": 6.0})", {"bn1"}},
         {"ZeroPadding2D", "pad", R"({"padding": [[0, 1], [0, 1]]})", {"relu1"}},
         {"DepthwiseConv2D", "dw1", R"({"kernel_size": 3, "strides": 2})", {"pad"}},
         {"BatchNormalization", "bn2", "{}", {"dw1"}},
         {"ReLU", "relu2", R"({"max_value": 6.0})", {"bn2"}},
         {"Conv2D", "project", R"({"filters": 6, "kernel_size": 1, "use_bias": false})", {"relu2"}},
         {"Conv2D", "expand2", filters.c_str(), {"project"}},
         {"DepthwiseConv2D",
          "dw2",
          R"({"kernel_size": [3, 5], "padding": "same", "dilation_rate": 2, "use_bias": false})",
          {"expand2"}},
         {"Conv2D", "expand3", filters.c_str(), {"dw2"}},
         {"DepthwiseConv2D", "dw3", R"({"kernel_size": 3, "padding": "same"})", {"expand3"}},
         {"Add", "add", "{}", {"dw3", "expand3"}},
         {"GlobalAveragePooling2D", "gap", "{}", {"add"}}},
        {"gap"}));
    const bool vector = world().device->family() == opencl::KernelFamily::vector;
    for (const int batch : {1, 3}) {
      const Array x = noise(Shape{batch, 9, 13, 5}, 11);
      Execution fused(*n, {.batch = batch, .fetches = {"dw3"}});
      BOOST_TEST(fused.steps().size() == (vector && wide % 16 == 0 ? 4u : 7u));
      check_close(run(*n, {.batch = batch}, x, "dw3"),
                  run(*n, {.batch = batch, .fuse = false}, x, "dw3"), 1e-5);
      check_close(run(*n, {.batch = batch}, x, "gap"),
                  run(*n, {.batch = batch, .fuse = false}, x, "gap"), 1e-5);
    }
  }
}

BOOST_AUTO_TEST_CASE(every_tensor_may_be_fetched_and_survives) {
  const auto n = make(residual());
  const Array x = noise(Shape{2, 9, 7, 3}, 6);
  ExecutionOptions all{.batch = 2};
  for (const NetworkNode& node : n->nodes())
    if (node.layer >= 0) all.fetches.push_back(node.name);
  Execution together(*n, all);
  upload(world().device->compute(), x, together.feed());
  together.forward();
  for (const std::string& name : all.fetches) {
    const Array alone = run(*n, {.batch = 2}, x, name);
    BOOST_TEST_INFO(name);
    check_close(download(world().device->compute(), together.fetch(name)), alone, 1e-5);
  }
}

BOOST_AUTO_TEST_CASE(any_tensor_may_be_fed) {
  const auto n = make(residual());
  const Array x = noise(Shape{1, 9, 7, 3}, 7);
  const Array middle = run(*n, {}, x, "relu2");
  const Array from_middle = run(*n, {.feeds = {"relu2"}}, middle, "logits");
  check_close(from_middle, run(*n, {}, x, "logits"), 1e-5);
}

// d logits.r / d input by central differences of the network itself, which other tests compare with
// references.
BOOST_AUTO_TEST_CASE(input_gradients_equal_differences) {
  const auto n = make(residual(true));
  const Array x = noise(Shape{2, 9, 7, 3}, 8), r = noise(Shape{2, 4}, 9),
              d = noise(Shape{2, 9, 7, 3}, 10);
  Execution e(*n, {.batch = 2, .fetches = {"logits"}, .gradients = {"in", "relu2"}});
  opencl::Queue& queue = world().device->compute();
  upload(queue, x, e.feed());
  upload(queue, r, e.seed());
  e.forward();
  e.backward();
  const double slope = dot(download(queue, e.gradient("in")), d);
  const float step = 1e-3f;
  double value[2];
  for (int side : {0, 1}) {
    Array moved = x;
    for (size_t i = 0; i < moved.f32().size(); ++i)
      moved.f32()[i] += (side ? step : -step) * d.f32()[i];
    value[side] = dot(run(*n, {.batch = 2}, moved, "logits"), r);
  }
  BOOST_TEST(slope == (value[1] - value[0]) / (2 * step), boost::test_tools::tolerance(2e-2));
  // Twice the same bits, and a seed stays as it was written.
  const Array first = download(queue, e.gradient("in"));
  e.forward();
  e.backward();
  BOOST_TEST((std::ranges::equal(first.bytes(), download(queue, e.gradient("in")).bytes())));
}

BOOST_AUTO_TEST_CASE(parameter_gradients_equal_differences) {
  const auto n = make(residual(true));
  opencl::Queue& queue = world().device->compute();
  const Array x = noise(Shape{3, 9, 7, 3}, 11), r = noise(Shape{3, 4}, 12);
  const Arenas gradients = Arenas::make(*world().device, n->layout(), "gradients");
  for (bool training : {false, true}) {
    const RunContext context{.seed = 5, .step = 2};
    Execution e(
        *n, {.batch = 3, .fetches = {"logits"}, .training = training, .parameter_gradients = true});
    upload(queue, x, e.feed());
    upload(queue, r, e.seed());
    e.forward(context);
    e.backward(&gradients);
    std::vector<WeightsRecord> weights = n->read_weights();
    for (size_t s = 0; s < n->layout().segments.size(); ++s) {
      const Segment& segment = n->layout().segments[s];
      std::vector<float> g(segment.count);
      queue.read(gradients.buffers[segment.arena], segment.offset * 4, g.data(), g.size() * 4);
      const std::string layer = segment.name.substr(0, segment.name.find('/'));
      const std::string weight = segment.name.substr(segment.name.find('/') + 1);
      if (!training && layer == "bn2")
        continue;  // an affine layer in inference gives no parameter gradients
      for (WeightsRecord& w : weights) {
        if (w.layer != layer) continue;
        const size_t index = std::find(w.names.begin(), w.names.end(), weight) - w.names.begin();
        const Array original = w.values[index], d = noise(original.shape(), 13);
        double slope = 0, value[2];
        for (size_t i = 0; i < g.size(); ++i) slope += static_cast<double>(g[i]) * d.f32()[i];
        const float step = 2e-3f;
        for (int side : {0, 1}) {
          for (size_t i = 0; i < g.size(); ++i)
            w.values[index].f32()[i] = original.f32()[i] + (side ? step : -step) * d.f32()[i];
          n->write_weights(weights);
          e.forward(context);
          value[side] = dot(download(queue, e.fetch("logits")), r);
        }
        w.values[index] = original;
        n->write_weights(weights);
        const double difference = (value[1] - value[0]) / (2 * step);
        BOOST_TEST(
            std::abs(slope - difference) <= 0.03 * std::abs(difference) + 0.01,
            segment.name << " training " << training << ": " << slope << " against " << difference);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_shared_layer_sums_the_gradients_of_its_calls) {
  const GraphRecord g = graph({{"Input", "a", R"({"shape": [6]})", {}},
                               {"Dense", "shared", R"({"units": 6, "activation": "tanh"})", {"a"}},
                               {"Dense", "shared", "", {"shared"}},
                               {"Add", "sum", "{}", {"shared", "shared:1"}}},
                              {"sum"});
  const auto n = make(g);
  BOOST_TEST(n->parameter_count() == 42);
  opencl::Queue& queue = world().device->compute();
  const Array x = noise(Shape{2, 6}, 20), r = noise(Shape{2, 6}, 21);
  const Arenas gradients = Arenas::make(*world().device, n->layout(), "gradients");
  Execution e(*n, {.batch = 2, .fetches = {"sum"}, .parameter_gradients = true});
  upload(queue, x, e.feed());
  upload(queue, r, e.seed());
  e.forward();
  e.backward(&gradients);
  const Segment& kernel = n->layout().segments[0];
  std::vector<float> g1(kernel.count);
  queue.read(gradients.buffers[kernel.arena], kernel.offset * 4, g1.data(), g1.size() * 4);
  std::vector<WeightsRecord> w = n->read_weights();
  const Array original = w[0].values[0], d = noise(original.shape(), 22);
  double slope = 0, value[2];
  for (size_t i = 0; i < g1.size(); ++i) slope += static_cast<double>(g1[i]) * d.f32()[i];
  for (int side : {0, 1}) {
    for (size_t i = 0; i < g1.size(); ++i)
      w[0].values[0].f32()[i] = original.f32()[i] + (side ? 1e-3f : -1e-3f) * d.f32()[i];
    n->write_weights(w);
    e.forward();
    value[side] = dot(download(queue, e.fetch("sum")), r);
  }
  BOOST_TEST(slope == (value[1] - value[0]) / 2e-3, boost::test_tools::tolerance(2e-2));
}

// A tensor added to itself: its gradient is twice what comes in.
BOOST_AUTO_TEST_CASE(the_same_tensor_twice) {
  const auto n = make(graph(
      {{"Input", "a", R"({"shape": [5]})", {}}, {"Add", "twice", "{}", {"a", "a"}}}, {"twice"}));
  opencl::Queue& queue = world().device->compute();
  const Array x = noise(Shape{1, 5}, 30);
  Execution e(*n, {.gradients = {"a"}});
  upload(queue, x, e.feed());
  upload(queue, x, e.seed());
  e.forward();
  e.backward();
  const Array y = download(queue, e.fetch()), g = download(queue, e.gradient());
  for (int i = 0; i < 5; ++i) {
    BOOST_TEST(y.f32()[i] == 2 * x.f32()[i]);
    BOOST_TEST(g.f32()[i] == 2 * x.f32()[i]);
  }
}

BOOST_AUTO_TEST_CASE(guided_backpropagation_replaces_the_rule_of_relu_nodes) {
  const auto n = make(
      graph({{"Input", "a", R"({"shape": [64]})", {}}, {"ReLU", "relu", "{}", {"a"}}}, {"relu"}));
  opencl::Queue& queue = world().device->compute();
  const Array x = noise(Shape{1, 64}, 31), r = noise(Shape{1, 64}, 32);
  Execution e(
      *n, {.gradients = {"a"},
           .overrides = {
               {"relu", {"fmax(dy, 0.0f) * (y > 0.0f ? (T)(1.0f) : (T)(0.0f))", false, true}}}});
  upload(queue, x, e.feed());
  upload(queue, r, e.seed());
  e.forward();
  e.backward();
  const Array g = download(queue, e.gradient());
  for (int i = 0; i < 64; ++i)
    BOOST_TEST(g.f32()[i] == (x.f32()[i] > 0 ? std::max(r.f32()[i], 0.0f) : 0.0f));
}

// Weights that lie in a file leave the device once packed copies of them serve, and come back for
// whoever needs them: a gradient, an optimizer.
BOOST_AUTO_TEST_CASE(weights_are_given_back_and_return) {
  const GraphRecord g = graph({{"Input", "in", R"({"shape": [16, 13, 48]})", {}},
                               {"Conv2D", "conv", R"({"filters": 64, "kernel_size": 3})", {"in"}},
                               {"Flatten", "flat", "{}", {"conv"}},
                               {"Dense", "logits", R"({"units": 3})", {"flat"}}},
                              {"logits"});
  const auto plain = make(g);
  ModelDocument document = plain->document();
  int reads = 0;
  for (WeightsRecord& r : document.weights)
    for (Array& a : r.values)
      a = Array::lazy(a.shape(), a.type(), [a, &reads](size_t first, std::span<std::byte> to) {
        ++reads;
        a.copy_bytes(first, to);
      });
  Network apart(world().registry, document);
  apart.place(world().device, 0, Placement::apart);
  const Array x = noise(Shape{2, 16, 13, 48}, 3);
  const Array truth = run(*plain, {.batch = 2}, x, "logits");
  const int conv = 1, placed = reads;  // layer 0 is the input
  const bool packs = world().device->family() == opencl::KernelFamily::vector;
  const auto held = [&] { return world().device->memory_in_use(); };
  size_t while_running[2];
  for (size_t& bytes : while_running) {
    Execution e(apart, {.batch = 2});
    upload(world().device->compute(), x, e.feed());
    e.forward();
    bytes = held();
    check_close(download(world().device->compute(), e.fetch("logits")), truth, 0);
  }
  // The execution that packed them keeps no more than the one that found them packed.
  BOOST_TEST(while_running[0] == while_running[1]);
  BOOST_TEST(reads == placed);
  const size_t packed = held();
  apart.parameters(conv);
  BOOST_TEST((held() > packed) == packs);
  BOOST_TEST(reads == placed + (packs ? 1 : 0));
  // Another batch shares the copy; a gradient by the input needs another one.
  check_close(run(apart, {.batch = 3}, noise(Shape{3, 16, 13, 48}, 3), "logits"),
              run(*plain, {.batch = 3}, noise(Shape{3, 16, 13, 48}, 3), "logits"), 0);
  BOOST_TEST(held() == packed);
  const auto gradient = [&](Network& n) {
    Execution e(n, {.batch = 2, .fetches = {"logits"}, .gradients = {"in"}});
    opencl::Queue& queue = world().device->compute();
    upload(queue, x, e.feed());
    e.forward();
    upload(queue, noise(e.seed().shape, 9), e.seed());
    e.backward();
    return download(queue, e.gradient(size_t{0}));
  };
  check_close(gradient(apart), gradient(*plain), 0);
  BOOST_TEST(reads == placed + (packs ? 2 : 0));
  // All of it is back for an optimizer; what it changed is never given away.
  for (const opencl::Buffer& b : apart.values().buffers) BOOST_TEST(!!b);
  apart.touch();
  check_close(run(apart, {.batch = 2}, x, "logits"), truth, 0);
  check_close(apart.read_weights()[0].values[0], plain->read_weights()[0].values[0], 0);
}

BOOST_AUTO_TEST_CASE(a_network_moves_with_its_values) {
  const auto n = make(residual());
  const Array x = noise(Shape{2, 9, 7, 3}, 4), before = run(*n, {.batch = 2}, x, "logits");
  for (const Placement placement : {Placement::apart, Placement::arenas}) {
    n->place(world().device, 99, placement);
    check_close(run(*n, {.batch = 2}, x, "logits"), before, 0);
  }
}

BOOST_AUTO_TEST_CASE(wrong_models_are_refused_with_the_layers_name) {
  const auto fails = [](const GraphRecord& g, const std::string& part) {
    BOOST_CHECK_EXCEPTION(Network(world().registry, g), Error, [&](const Error& e) {
      BOOST_TEST_MESSAGE(e.what());
      return std::string(e.what()).find(part) != std::string::npos;
    });
  };
  fails(graph({{"Input", "a", R"({"shape": [4, 4, 1]})", {}},
               {"Conv2D", "c", R"({"filters": 3, "kernel_size": 9})", {"a"}}},
              {"c"}),
        "layer 'c' (Conv2D)");
  fails(graph({{"Input", "a", R"({"shape": [4, 4, 1]})", {}},
               {"Conv2D", "c", R"({"fliters": 3, "kernel_size": 3})", {"a"}}},
              {"c"}),
        "filters");
  fails(graph({{"Input", "a", R"({"shape": [4, 4, 1]})", {}},
               {"LayerNormalization", "n", R"({"axis": "last"})", {"a"}}},
              {"n"}),
        "layer 'n' (LayerNormalization): parameter 'axis'");
  fails(graph({{"Input", "a", R"({"shape": [4]})", {}}, {"Densse", "c", R"({"units": 3})", {"a"}}},
              {"c"}),
        "Dense");
  fails(graph({{"Input", "a", R"({"shape": [4]})", {}}, {"Dense", "c", R"({"units": 3})", {"b"}}},
              {"c"}),
        "'b'");
}
