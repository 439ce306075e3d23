#include <boost/test/unit_test.hpp>
#include <cmath>
#include <functional>
#include <map>

#include "core/temporary.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/optimizer.hpp"
#include "opencl/testing.hpp"

using namespace ocellus;
using namespace ocellus::test;

namespace {

const Registry& registry() {
  static const std::unique_ptr<Registry> r = [] {
    auto loaded = std::make_unique<Registry>();
    loaded->load(default_plugin_directory() / "optimizers.so");
    return loaded;
  }();
  return *r;
}

/// One element on the host: value, and slots that begin at zero.
struct Element {
  double v = 0, a = 0, b = 0, c = 0;
};
/// The published rule: g the gradient, rate the learning rate with its factor, t counts from 1.
using Rule = std::function<void(Element&, double g, double rate, int t)>;

struct Case {
  std::string name;
  const char* parameters;
  std::vector<std::string> slots;
  double decay;
  Rule rule;
};

std::vector<Case> cases() {
  const Rule adam = [](Element& e, double g, double rate, int t) {
    e.a = 0.9 * e.a + 0.1 * g;
    e.b = 0.999 * e.b + 0.001 * g * g;
    const double alpha = rate * std::sqrt(1 - std::pow(0.999, t)) / (1 - std::pow(0.9, t));
    e.v -= alpha * e.a / (std::sqrt(e.b) + 1e-7);
  };
  return {
      {"SGD", "{}", {}, 0, [](Element& e, double g, double rate, int) { e.v -= rate * g; }},
      {"SGD",
       R"({"momentum": 0.9})",
       {"momentum"},
       0,
       [](Element& e, double g, double rate, int) {
         e.a = 0.9 * e.a - rate * g;
         e.v += e.a;
       }},
      {"SGD",
       R"({"momentum": 0.8, "nesterov": true, "weight_decay": 0.1, "decay_kernels_only": true})",
       {"momentum"},
       0.1,
       [](Element& e, double g, double rate, int) {
         e.a = 0.8 * e.a - rate * g;
         e.v += 0.8 * e.a - rate * g;
       }},
      {"Adam", "{}", {"momentum", "velocity"}, 0, adam},
      {"AdamW", "{}", {"momentum", "velocity"}, 0.004, adam},
      {"RMSprop",
       "{}",
       {"velocity"},
       0,
       [](Element& e, double g, double rate, int) {
         e.a = 0.9 * e.a + 0.1 * g * g;
         e.v -= rate * g / std::sqrt(e.a + 1e-7);
       }},
      {"RMSprop",
       R"({"rho": 0.8, "momentum": 0.5})",
       {"velocity", "momentum"},
       0,
       [](Element& e, double g, double rate, int) {
         e.a = 0.8 * e.a + 0.2 * g * g;
         e.b = 0.5 * e.b + rate * g / std::sqrt(e.a + 1e-7);
         e.v -= e.b;
       }},
      {"RMSprop",
       R"({"centered": true, "momentum": 0.5})",
       {"velocity", "momentum", "average_gradient"},
       0,
       [](Element& e, double g, double rate, int) {
         e.a = 0.9 * e.a + 0.1 * g * g;
         e.c = 0.9 * e.c + 0.1 * g;
         e.b = 0.5 * e.b + rate * g / std::sqrt(e.a - e.c * e.c + 1e-7);
         e.v -= e.b;
       }},
  };
}

/// Two arenas; gaps, a frozen segment, rate factors, decay, sizes around the kernels' chunks.
ArenaLayout layout() {
  ArenaLayout l;
  l.elements = {9000, 70};
  l.segments = {
      {"a/kernel", 0, 0, 5000, 1, true, false},       {"a/bias", 0, 5056, 7, 1, false, false},
      {"b/kernel", 0, 5120, 333, 1, true, true},      {"b/bias", 0, 5504, 1, 2, false, false},
      {"c/kernel", 0, 5568, 3001, 0.5f, true, false}, {"d/kernel", 1, 0, 64, 1, true, false}};
  return l;
}

const Segment* segment_of(const ArenaLayout& l, int arena, uint32_t at) {
  for (const Segment& s : l.segments)
    if (s.arena == arena && at >= s.offset && at < s.offset + s.count) return &s;
  return nullptr;
}

void check_case(Device& device, const Case& c) {
  const std::string what = c.name + c.parameters + " " + describe(device);
  const ArenaLayout l = layout();
  const auto optimizer =
      registry().create<Optimizer>(c.name, Json::parse(c.parameters, "test"), "test");
  const bool all_decay = !Json::parse(c.parameters, "test").get("decay_kernels_only", false);
  BOOST_TEST(optimizer->slots() == c.slots, boost::test_tools::per_element());
  const auto op = optimizer->prepare(device, l);
  Queue& queue = device.compute();
  const Arenas values = Arenas::make(device, l, "values"),
               gradients = Arenas::make(device, l, "gradients");
  std::vector<Arenas> slots;
  for (size_t i = 0; i < c.slots.size(); ++i) {
    slots.push_back(Arenas::make(device, l, "slot"));
    slots.back().zero(queue);
  }
  std::vector<std::vector<Element>> host(2);
  std::vector<std::vector<float>> start(2);
  for (int a = 0; a < 2; ++a) {
    start[a] = noise(l.elements[a], a + 1);
    host[a].resize(l.elements[a]);
    for (uint32_t i = 0; i < l.elements[a]; ++i) {
      if (!segment_of(l, a, i)) start[a][i] = 0;  // gaps hold zeros
      host[a][i].v = start[a][i];
    }
    queue.write(values.buffers[a], 0, start[a].data(), l.elements[a] * 4);
  }
  for (int t = 1; t <= 5; ++t) {
    for (int a = 0; a < 2; ++a) {
      std::vector<float> g = noise(l.elements[a], 10 * t + a);
      for (uint32_t i = 0; i < l.elements[a]; ++i) {
        const Segment* s = segment_of(l, a, i);
        if (!s) g[i] = 0;
        if (!s || s->frozen) continue;
        const double rate = 0.01 * s->rate_factor;
        const double decay = all_decay || s->decay ? c.decay * rate * host[a][i].v : 0;
        c.rule(host[a][i], g[i], rate, t);
        host[a][i].v -= decay;
      }
      queue.write(gradients.buffers[a], 0, g.data(), g.size() * 4);
    }
    op->step(queue, {values, gradients, slots, t, 0.01f});
  }
  double worst = 0;
  for (int a = 0; a < 2; ++a) {
    std::vector<float> v(l.elements[a]);
    queue.read(values.buffers[a], 0, v.data(), v.size() * 4);
    for (uint32_t i = 0; i < l.elements[a]; ++i) {
      const Segment* s = segment_of(l, a, i);
      if (!s || s->frozen) {
        BOOST_REQUIRE_MESSAGE(v[i] == start[a][i],
                              what << ": element " << i << " of arena " << a << " moved");
        continue;
      }
      worst = std::max(worst, std::abs(v[i] - host[a][i].v));
    }
  }
  BOOST_CHECK_MESSAGE(worst < 1e-5, what << ": off by " << worst);
}

}  // namespace

BOOST_AUTO_TEST_CASE(five_steps_equal_the_formulas) {
  for (const auto& device : both_families())
    for (const Case& c : cases()) check_case(*device, c);
}

BOOST_AUTO_TEST_CASE(runs_join_what_is_alike) {
  const ArenaLayout l = layout();
  const auto runs = l.runs();
  BOOST_REQUIRE_EQUAL(runs.size(), 5u);
  BOOST_TEST((runs[0].offset == 0 && runs[0].count == 5000 && runs[0].decay));
  BOOST_TEST((runs[1].offset == 5056 && runs[1].count == 7 && !runs[1].decay));
  BOOST_TEST((runs[2].offset == 5504 && runs[2].count == 1 && runs[2].rate_factor == 2));
  BOOST_TEST((runs[3].offset == 5568 && runs[3].count == 3001));
  BOOST_TEST((runs[4].arena == 1 && runs[4].count == 64));
  const auto longer = l.runs(false);
  BOOST_REQUIRE_EQUAL(longer.size(), 4u);
  BOOST_TEST((longer[0].offset == 0 && longer[0].count == 5063 && !longer[0].decay));
}

BOOST_AUTO_TEST_CASE(schedules) {
  const auto factor = [](const char* name, const char* parameters, int64_t step) {
    return registry()
        .create<Schedule>(name, Json::parse(parameters, "test"), "test")
        ->factor(step, 100, 1000);
  };
  const auto near = [](double a, double b) { return std::abs(a - b) < 1e-12; };
  BOOST_TEST(near(factor("constant", "{}", 500), 1));
  BOOST_TEST(near(factor("constant", R"({"warmup_steps": 10})", 0), 0.1));
  BOOST_TEST(near(factor("constant", R"({"warmup_steps": 10})", 9), 1));
  BOOST_TEST(near(factor("exponential_decay", R"({"decay_rate": 0.5})", 250), std::pow(0.5, 2.5)));
  BOOST_TEST(
      near(factor("exponential_decay", R"({"decay_rate": 0.5, "staircase": true})", 250), 0.25));
  BOOST_TEST(near(factor("exponential_decay",
                         R"({"decay_rate": 0.5, "decay_steps": 50, "warmup_steps": 50})", 100),
                  0.5));
  BOOST_TEST(near(factor("cosine_decay", "{}", 0), 1));
  BOOST_TEST(near(factor("cosine_decay", "{}", 500), 0.5));
  BOOST_TEST(near(factor("cosine_decay", R"({"alpha": 0.1})", 1000), 0.1));
  BOOST_TEST(near(factor("cosine_decay", R"({"warmup_steps": 200})", 600), 0.5));
  BOOST_TEST(near(factor("step", R"({"boundaries": [2, 5]})", 199), 1));
  BOOST_TEST(near(factor("step", R"({"boundaries": [2, 5]})", 200), 0.1));
  BOOST_TEST(near(factor("step", R"({"boundaries": [2, 5], "values": [1, 3, 7]})", 700), 7));
  BOOST_CHECK_EXCEPTION(factor("step", R"({"boundaries": [2], "values": [1]})", 0), UsageError,
                        says("2 values"));
  BOOST_CHECK_EXCEPTION(factor("step", R"({"boundaries": [5, 2]})", 0), UsageError, says("rise"));
}
