// Every registered layer against its float64 reference, from one table of cases.

#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <set>
#include <span>
#include <stdexcept>

#include "ocellus/core/h5.hpp"
#include "ocellus/core/registry.hpp"
#include "plugins/layer_run.hpp"
#include "plugins/layer_truth.hpp"
#include "reference/layer_cases.hpp"

using namespace ocellus;
using namespace ocellus::test;
using ocellus::reference::largest_cases;
using ocellus::reference::layer_cases;
using ocellus::reference::LayerCase;

namespace {

const Registry& registry() {
  static const std::unique_ptr<Registry> r = [] {
    auto loaded = std::make_unique<Registry>();
    loaded->load(default_plugin_directory() / "layers.so");
    return loaded;
  }();
  return *r;
}

/// Whether the type belongs to the part of OCELLUS_TEST_PART, "1/2": of the table's types every
/// second, from the first.
bool is_in_part(const std::string& type) {
  const char* part = std::getenv("OCELLUS_TEST_PART");
  int number = 1, count = 1;
  if (part && (std::sscanf(part, "%d/%d", &number, &count) != 2 || number < 1 || number > count))
    throw std::runtime_error("OCELLUS_TEST_PART: expected \"1/2\" or the like");
  const auto& types = largest_cases();
  return std::distance(types.begin(), types.find(type)) % count == number - 1;
}

/// All cases, or those of a part, or while one works on a layer those of OCELLUS_TEST_LAYER alone.
const std::vector<LayerCase>& chosen_cases() {
  static const std::vector<LayerCase> cases = [] {
    std::vector<LayerCase> list = layer_cases();
    std::erase_if(list, [](const LayerCase& c) { return !is_in_part(c.type); });
    if (const char* type = std::getenv("OCELLUS_TEST_LAYER"))
      std::erase_if(list, [&](const LayerCase& c) { return c.type != std::string(type); });
    return list;
  }();
  return cases;
}

/// What differs between the kernel families, and gradients that are added to others, are the work
/// of the primitives, which have tests of their own. Each variant is a program to compile, so that
/// here one case of each type meets them; while one works on a layer all of them do.
bool is_thorough(const LayerCase& c) {
  return std::getenv("OCELLUS_TEST_LAYER") || largest_cases().at(c.type)->inputs == c.inputs;
}

/// The device in the family that is its own and, for thorough cases, in the other one.
std::span<const std::shared_ptr<Device>> devices_for(const LayerCase& c) {
  static const std::vector<std::shared_ptr<Device>> devices = [] {
    auto both = both_families();
    if (Device::open({})->family() != both[0]->family()) std::swap(both[0], both[1]);
    return both;
  }();
  return std::span(devices).first(is_thorough(c) ? 2 : 1);
}

/// A case with its layer and its random data.
struct Prepared {
  explicit Prepared(const LayerCase& c)
      : info(registry().get(Kind::layer, c.type)),
        parameters(info.schema.check(Json::parse(c.parameters, c.type), c.type)),
        layer(std::static_pointer_cast<Layer>(info.create(parameters))) {
    request.inputs = c.inputs;
    request.training = c.training;
    request.trainable = c.trainable;
    request.input_gradients = true;
    request.parameter_gradients = c.trainable;
    data = noise_for(layer->plan(request));
    name = std::string(c.type) + " " + c.parameters + " on " + c.inputs[0].str() +
           (c.training ? " in training" : "");
  }
  LayerPlan plan() const { return layer->plan(request); }
  Truth truth() const { return {info, parameters, data, request}; }

  const TypeInfo& info;
  Json parameters;
  std::shared_ptr<Layer> layer;
  PlanRequest request;
  LayerData data;
  std::string name;
};

const Layout layouts[] = {{0, 0}, {3, 5}};

void check_outputs(const Truth& truth, const LayerPlan& plan, const LayerResults& results,
                   const std::string& name) {
  const std::vector<ReferenceTensor> expected = truth.forward();
  for (size_t i = 0; i < plan.outputs.size(); ++i) {
    BOOST_CHECK_MESSAGE(
        expected[i].shape == plan.outputs[i],
        name << ": declared " << plan.outputs[i].str() << ", real " << expected[i].shape.str());
    check_close(results.outputs[i], expected[i].values, terms_forward(plan), name + " output");
  }
  for (size_t i = 0; i < results.states.size(); ++i) {
    const bool changes = expected.size() > plan.outputs.size();
    const auto& state =
        changes ? expected[plan.outputs.size() + i] : truth.weight(plan.parameters.size() + i);
    check_close(results.states[i], state.values, terms_forward(plan), name + " state");
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_layer_has_a_case_and_a_reference) {
  std::set<std::string> covered;
  for (const LayerCase& c : layer_cases()) covered.insert(c.type);
  for (const TypeInfo* t : registry().all(Kind::layer)) {
    BOOST_CHECK_MESSAGE(covered.count(t->name), "no case for " << t->name);
    BOOST_CHECK_MESSAGE(reference_of(*t), "no reference for " << t->name);
  }
}

// Layers that slide windows or move pixels, as Keras 2 and 3 computed them: the references agree,
// and with them the layers.
BOOST_AUTO_TEST_CASE(references_agree_with_keras) {
  for (const char* version : {"keras2", "keras3"}) {
    const H5Reader file(std::filesystem::path(OCELLUS_FIXTURES) / version / "windows.h5");
    const auto tensor = [&](const std::string& path) {
      const Array a = file.read(path);
      return ReferenceTensor{a.shape(), {a.f32().begin(), a.f32().end()}};
    };
    const int count = static_cast<int>(file.number("/", "count"));
    BOOST_CHECK(count > 25);
    for (int i = 0; i < count; ++i) {
      const std::string group = "/" + std::to_string(i), type = file.text(group, "type"),
                        text = file.text(group, "parameters");
      BOOST_TEST_CONTEXT(version << " " << type << " " << text) {
        const TypeInfo& info = registry().get(Kind::layer, type);
        const Json parameters = info.schema.check(Json::parse(text, type), type);
        const std::vector<ReferenceTensor> inputs = {tensor(group + "/input")};
        std::vector<ReferenceTensor> weights;
        for (int w = 0; file.has_dataset(group + "/weights/" + std::to_string(w)); ++w)
          weights.push_back(tensor(group + "/weights/" + std::to_string(w)));
        const ReferenceTensor y =
            (*reference_of(info))({parameters, inputs, weights, false, 0, 0, 0, {}}).at(0);
        const Array expected = file.read(group + "/output");
        BOOST_CHECK_MESSAGE(y.shape == expected.shape(),
                            y.shape.str() << ", Keras: " << expected.shape().str());
        check_close({expected.f32().begin(), expected.f32().end()}, y.values, 100, type);

        PlanRequest request;
        request.inputs = {inputs[0].shape};
        const LayerPlan plan =
            std::static_pointer_cast<Layer>(info.create(parameters))->plan(request);
        BOOST_CHECK(plan.outputs.at(0) == expected.shape());
        BOOST_REQUIRE_EQUAL(plan.parameters.size(), weights.size());
        for (size_t w = 0; w < weights.size(); ++w)
          BOOST_CHECK(plan.parameters[w].shape == weights[w].shape);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(forward_and_backward) {
  for (const LayerCase& c : chosen_cases()) {
    const Prepared p(c);
    const LayerPlan plan = p.plan();
    const Truth truth = p.truth();
    for (const auto& device : devices_for(c)) {
      const std::string name = describe(*device) + ": " + p.name;
      BOOST_TEST_CONTEXT(name) {
        LayerRunner runner(*device, *p.layer, plan);
        for (const Layout& layout : layouts) {
          const LayerResults r = runner.run(p.data, layout);
          check_outputs(truth, plan, r, name);
          truth.check_gradients(plan, r, 0, name);
          BOOST_CHECK_MESSAGE(runner.run(p.data, layout) == r, name << ": not the same bits twice");
          if (is_thorough(c))
            truth.check_gradients(plan, runner.run(p.data, layout, 0.75f), 0.75,
                                  name + ", accumulated");
        }
      }
    }
  }
}

// forward(x) == forward_halo(pad(x, fill)), on boxes at all borders and inside.
BOOST_AUTO_TEST_CASE(halo) {
  std::mt19937 random(7);
  for (const LayerCase& c : chosen_cases())
    for (const auto& device : devices_for(c)) {
      const Prepared p(c);
      const Window window = p.plan().window;
      // Nobody evaluates windows of layers that enlarge: see `usable` of Incremental.
      if (window.kind != Window::Kind::local || window.h.upsample * window.w.upsample > 1) continue;
      for (int round = 0; round < 2; ++round) {
        const HaloPatches patches(p.request, p.plan(), p.data, random);
        PlanRequest request = patches.request;
        const LayerPlan plan = p.layer->plan(request);
        BOOST_CHECK(plan.outputs[0] == patches.output_shape);
        LayerData data = p.data;
        data.inputs = {patches.input};
        data.origins = patches.origins;
        const LayerResults r = LayerRunner(*device, *p.layer, plan).run(data, layouts[round]);
        check_close(r.outputs[0], patches.cut(p.truth().forward()[0]), terms_forward(p.plan()),
                    describe(*device) + ": halo of " + p.name);
      }
    }
}

BOOST_AUTO_TEST_CASE(epilogue) {
  using Stage = opencl::Stage;
  for (const LayerCase& c : chosen_cases())
    for (const auto& device : devices_for(c)) {
      Prepared p(c);
      if (!p.plan().accepts_epilogue) continue;
      p.request.input_gradients = p.request.parameter_gradients = false;
      p.request.epilogue.stages = {{Stage::Kind::affine, {}},
                                   {Stage::Kind::expression, "fmax(x, 0.0f)"},
                                   {Stage::Kind::merge, "x0 + x1"}};
      const LayerPlan plan = p.plan();
      const Shape& y = plan.outputs[0];
      const Shape channels{y.channels()};
      p.data.epilogue = {{channels, noise(channels.elements(), 21)},
                         {channels, noise(channels.elements(), 22)},
                         {y, noise(y.elements(), 23)}};
      std::vector<double> expected = p.truth().forward()[0].values;
      for (size_t i = 0; i < expected.size(); ++i) {
        const size_t c = i % y.channels();
        expected[i] = std::max(0.0, expected[i] * p.data.epilogue[0].values[c] +
                                        p.data.epilogue[1].values[c]) +
                      p.data.epilogue[2].values[i];
      }
      const LayerResults r = LayerRunner(*device, *p.layer, plan).run(p.data, layouts[1]);
      check_close(r.outputs[0], expected, terms_forward(plan),
                  describe(*device) + ": epilogue of " + p.name);
    }
}

// A packed copy of weights is redone when the version says so.
BOOST_AUTO_TEST_CASE(weights_change_in_place) {
  for (const LayerCase& c : chosen_cases())
    for (const auto& device : devices_for(c)) {
      Prepared p(c);
      if (p.plan().parameters.empty() || p.plan().pointwise) continue;
      LayerRunner runner(*device, *p.layer, p.plan());
      runner.run(p.data, layouts[0]);
      for (HostTensor& w : p.data.weights)
        for (float& v : w.values) v = 0.5f * v + 0.25f;
      const LayerResults r = runner.run(p.data, layouts[0]);
      const Truth truth = p.truth();
      check_outputs(truth, p.plan(), r, p.name + " with new weights");
      truth.check_gradients(p.plan(), r, 0, p.name + " with new weights");
    }
}

// The comparisons above must notice what usually goes wrong.
BOOST_AUTO_TEST_CASE(planted_faults) {
  const auto device = Device::open({});
  Prepared p({"Conv2D", R"({"filters": 7, "kernel_size": 3, "padding": "same"})", {{2, 7, 11, 1}}});
  const LayerPlan plan = p.plan();
  const LayerResults r = LayerRunner(*device, *p.layer, plan).run(p.data, layouts[0]);
  const auto differs = [&](const Truth& truth, const LayerResults& results) {
    return excess(results.outputs[0], truth.forward()[0].values, terms_forward(plan)) > 1;
  };
  BOOST_CHECK(!differs(p.truth(), r));
  Prepared swapped = p;  // two channels of the kernel
  for (size_t i = 0; i < swapped.data.weights[0].values.size(); i += 7)
    std::swap(swapped.data.weights[0].values[i], swapped.data.weights[0].values[i + 1]);
  BOOST_CHECK(differs(swapped.truth(), r));
  LayerResults off = r;  // one element of the last row
  off.outputs[0].back() += 1e-3f;
  BOOST_CHECK(differs(p.truth(), off));
  LayerResults gradient = r;  // a bias gradient that misses a pixel
  gradient.parameter_gradients[1][0] -= p.data.output_gradients[0].values[0];
  BOOST_CHECK(p.truth().gradient_excess(plan, r, 0) <= 1);
  BOOST_CHECK(p.truth().gradient_excess(plan, gradient, 0) > 1);
}

// An operation whose output may lie on its input gives the same numbers there.
BOOST_AUTO_TEST_CASE(in_place) {
  for (const LayerCase& c : chosen_cases())
    for (const auto& device : devices_for(c)) {
      Prepared p(c);
      p.request.input_gradients = p.request.parameter_gradients = false;
      const LayerPlan plan = p.plan();
      if (!plan.in_place || plan.pointwise) continue;
      const LayerResults apart = LayerRunner(*device, *p.layer, plan).run(p.data, layouts[0]);
      const LayerResults inside = LayerRunner(*device, *p.layer, plan).run_in_place(p.data);
      BOOST_CHECK_MESSAGE(inside == apart, describe(*device) << ": in place differs: " << p.name);
    }
}

BOOST_AUTO_TEST_CASE(input_without_inputs_gives_its_shape) {
  const auto input =
      registry().create<Layer>("Input", Json::parse(R"({"shape": [5, 3, 2]})", "test"), "test");
  BOOST_CHECK(input->plan({}).outputs[0] == (Shape{1, 5, 3, 2}));
}

namespace {

struct BadCase {
  const char *type, *parameters;
  std::vector<Shape> inputs;
  std::vector<const char*> words;  ///< all in the message
};

const BadCase bad_cases[] = {
    {"Conv2D",
     R"({"fliters": 3, "kernel_size": 3})",
     {{1, 5, 5, 1}},
     {"fliters", "did you mean 'filters'"}},
    {"Conv2D", R"({"filters": 3})", {{1, 5, 5, 1}}, {"kernel_size", "missing"}},
    {"Conv2D",
     R"({"filters": 3, "kernel_size": 3, "padding": "full"})",
     {{1, 5, 5, 1}},
     {"padding", "valid, same"}},
    {"Conv2D", R"({"filters": 3, "kernel_size": 3})", {{4, 7}}, {"4 axes", "(4, 7)"}},
    {"Conv2D",
     R"({"filters": 3, "kernel_size": 3})",
     {{1, 2, 5, 1}},
     {"window of 3", "input of 2"}},
    {"Conv2D",
     R"({"filters": 4, "kernel_size": 1, "groups": 2})",
     {{1, 2, 5, 3}},
     {"3 input channels", "4 filters", "2 groups"}},
    {"Conv2D",
     R"({"filters": 4, "kernel_size": 3, "strides": 2, "dilation_rate": 2})",
     {{1, 9, 9, 3}},
     {"strides", "dilation_rate"}},
    {"DepthwiseConv2D",
     R"({"kernel_size": 3, "strides": 2, "dilation_rate": 2})",
     {{1, 9, 9, 3}},
     {"strides", "dilation_rate"}},
    {"Conv1D", R"({"filters": 3, "kernel_size": 3})", {{1, 5, 5, 1}}, {"3 axes", "(1, 5, 5, 1)"}},
    {"Conv2D",
     R"({"filters": 3, "kernel_size": 3, "padding": "causal"})",
     {{1, 5, 5, 1}},
     {"padding", "valid, same"}},
    {"Conv2DTranspose",
     R"({"filters": 3, "kernel_size": 3, "strides": 2, "output_padding": 2})",
     {{1, 5, 5, 1}},
     {"output_padding 2", "stride 2"}},
    {"Cropping2D", R"({"cropping": 3})", {{1, 6, 9, 3}}, {"nothing", "(1, 6, 9, 3)"}},
    {"Cropping1D", R"({"cropping": [[1, 2], 1]})", {{1, 6, 3}}, {"cropping", "[before, after]"}},
    {"UpSampling2D",
     R"({"interpolation": "lanczos3"})",
     {{1, 6, 9, 3}},
     {"interpolation", "nearest, bilinear"}},
    {"Resizing", R"({"height": 3, "width": 3, "antialias": true})", {{1, 6, 9, 3}}, {"antialias"}},
    {"Permute", R"({"dims": [1, 3]})", {{1, 6, 9}}, {"dims", "(1, 3)"}},
    {"Permute", R"({"dims": [2, 1]})", {{1, 6, 9, 3}}, {"3 axes", "(1, 6, 9, 3)"}},
    {"Dense", R"({"units": 0})", {{1, 5}}, {"units", "at least 1"}},
    {"Dense", R"({"units": 3})", {{5}}, {"(5)"}},
    {"Dense", R"({"units": 3})", {{1, 5}, {1, 5}}, {"takes 1 input", "2 are given"}},
    {"Add", "{}", {{1, 5}, {1, 6}}, {"(1, 5)", "(1, 6)"}},
    {"Add", "{}", {{1, 5}}, {"two inputs"}},
    {"Concatenate", "{}", {{1, 5, 3}, {1, 6, 3}}, {"axis 2", "(1, 5, 3)", "(1, 6, 3)"}},
    {"Concatenate", R"({"axis": 0})", {{1, 5}, {1, 5}}, {"axis 0"}},
    {"Reshape", R"({"target_shape": [4, -1]})", {{2, 6}}, {"6 elements", "(4, -1)"}},
    {"Reshape", R"({"target_shape": [7]})", {{2, 6}}, {"6 elements", "(7)"}},
    {"Reshape", R"({"target_shape": [0, -1]})", {{2, 6}}, {"6 elements", "(0, -1)"}},
    {"BatchNormalization", R"({"axis": 0})", {{1, 5, 5, 3}}, {"axis 0", "(1, 5, 5, 3)"}},
    {"ZeroPadding2D", R"({"padding": [[1], 2]})", {{1, 5, 5, 3}}, {"padding", "[[1],2]"}},
    {"Rescaling", R"({"scale": [1, 2]})", {{1, 5, 5, 3}}, {"2 channels", "(1, 5, 5, 3)"}},
    {"Rescaling", R"({"scale": "big"})", {{1, 5}}, {"scale", "big"}},
    {"Normalization", R"({"mean": 1})", {{1, 5}}, {"variance"}},
    {"Dropout", R"({"rate": 1})", {{1, 5}}, {"rate", "0 to 0.999"}},
    {"Input", R"({"shape": [5, 5, 3]})", {{1, 5, 5, 1}}, {"(5, 5, 3)", "(1, 5, 5, 1)"}},
};

}  // namespace

BOOST_AUTO_TEST_CASE(misuse_is_named) {
  for (const BadCase& c : bad_cases) {
    PlanRequest request;
    request.inputs = c.inputs;
    std::string message = "no error";
    try {
      registry()
          .create<Layer>(c.type, Json::parse(c.parameters, "test"), "layer 'x'")
          ->plan(request);
    } catch (const UsageError& e) {
      message = e.what();
    }
    for (const char* word : c.words)
      BOOST_CHECK_MESSAGE(
          message.find(word) != std::string::npos,
          c.type << " " << c.parameters << ": '" << message << "' lacks '" << word << "'");
  }
}
