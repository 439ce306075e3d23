#include "ocellus/opencl/strided.hpp"

#include <functional>

#include "opencl/testing.hpp"

using namespace ocellus;
using namespace ocellus::test;
using opencl::Strided;
using opencl::StridedProblem;
using Combine = StridedProblem::Combine;

namespace {

/// Calls f(index of each operand) for every place of the space.
void walk(const StridedProblem& p, const std::function<void(const std::vector<int>&)>& f) {
  int64_t n = 1;
  for (int e : p.extents) n *= e;
  for (int64_t i = 0; i < n; ++i) {
    std::vector<int> at(p.inputs.size() + 1);
    int64_t rest = i;
    for (size_t a = p.extents.size(); a-- > 0;) {
      const int place = static_cast<int>(rest % p.extents[a]);
      rest /= p.extents[a];
      for (size_t k = 0; k < p.inputs.size(); ++k) at[k] += place * p.inputs[k][a];
      at.back() += place * p.output[a];
    }
    f(at);
  }
}

struct Case {
  const char* what;
  StridedProblem problem;
  std::vector<int> sizes;  ///< elements of the inputs, then of the output
  std::vector<int> first;  ///< element of each operand where the walk begins
  std::function<double(double, double)> f;
};

StridedProblem problem(std::vector<int> extents, std::vector<std::vector<int>> inputs,
                       std::vector<int> output, std::string expression,
                       Combine combine = Combine::sum) {
  StridedProblem p{std::move(extents), std::move(inputs), std::move(output), std::move(expression)};
  p.combine = combine;
  return p;
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"one number",
       problem({1}, {{0}}, {0}, "x"),
       {1, 1},
       {0, 0},
       [](double x, double) { return x; }},
      {"channels against an image",
       problem({2, 5, 3, 17}, {{255, 51, 17, 1}, {17, 0, 0, 1}}, {255, 51, 17, 1}, "x0 * x1"),
       {510, 34, 510},
       {0, 0, 0},
       [](double x, double y) { return x * y; }},
      {"a map against channels",
       problem({2, 7, 33}, {{231, 33, 1}, {7, 1, 0}}, {231, 33, 1}, "x0 - x1"),
       {462, 14, 462},
       {0, 0, 0},
       [](double x, double y) { return x - y; }},
      {"transposed, backwards",
       problem({3, 4, 5}, {{20, -1, -4}}, {20, 5, 1}, "x"),
       {60, 60},
       {19, 0},
       [](double x, double) { return x; }},
      {"scattered with a stride",
       problem({2, 3, 18}, {{54, 18, 1}}, {200, 40, 2}, "2.0f * x"),
       {108, 400},
       {0, 3},
       [](double x, double) { return 2 * x; }},
      {"sum of channels",
       problem({3, 13, 37}, {{481, 37, 1}}, {13, 1, 0}, "x"),
       {1443, 39},
       {0, 0},
       [](double x, double) { return x; }},
      {"sum of pixels of products",
       problem({3, 13, 37}, {{481, 37, 1}, {37, 0, 1}}, {37, 0, 1}, "x0 * x1"),
       {1443, 111, 111},
       {0, 0, 0},
       [](double x, double y) { return x * y; }},
      {"a long sum in two stages",
       problem({4, 60, 50, 3}, {{9000, 150, 3, 1}}, {0, 0, 0, 1}, "x"),
       {36000, 3},
       {0, 0},
       [](double x, double) { return x; }},
      {"a long sum of everything",
       problem({2, 6000}, {{6000, 1}}, {1, 0}, "x"),
       {12000, 2},
       {0, 0},
       [](double x, double) { return x; }},
      {"groups: reduced axes apart",
       problem({2, 35, 3, 5}, {{525, 15, 5, 1}}, {3, 0, 1, 0}, "x * x"),
       {1050, 6},
       {0, 0},
       [](double x, double) { return x * x; }},
      {"maximum of channels",
       problem({11, 19}, {{19, 1}}, {1, 0}, "x", Combine::max),
       {209, 11},
       {0, 0},
       [](double x, double) { return x; }},
      {"maximum of rows",
       problem({2, 11, 19}, {{209, 19, 1}}, {19, 0, 1}, "-x", Combine::max),
       {418, 38},
       {0, 0},
       [](double x, double) { return -x; }},
  };
  return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(against_a_walk_on_the_host) {
  for (const auto& device : both_families())
    for (const Case& c : cases())
      for (bool accumulate : {false, true}) {
        StridedProblem p = c.problem;
        const size_t inputs = p.inputs.size();
        p.accumulate = accumulate;
        p.finish = "y * 0.5f + 0.25f";
        std::vector<std::vector<float>> x;
        std::vector<Operand> in;
        for (size_t k = 0; k < inputs; ++k) {
          x.push_back(noise(c.sizes[k], 3 + k));
          in.push_back({upload(*device, x[k]), static_cast<uint32_t>(c.first[k]), 0});
        }
        const std::vector<float> before = noise(c.sizes[inputs], 9);
        const GuardedMatrix out(*device, 1, c.sizes[inputs], 0, 5, before);

        std::vector<double> expected(before.begin(), before.end());
        std::vector<bool> written(expected.size());
        std::vector<double> y(expected.size(), p.combine == Combine::sum ? 0 : -HUGE_VAL);
        size_t terms = 0;
        walk(p, [&](const std::vector<int>& at) {
          const double v =
              c.f(x[0][c.first[0] + at[0]], inputs > 1 ? x[1][c.first[1] + at[1]] : 0.0);
          double& to = y[c.first[inputs] + at[inputs]];
          to = p.combine == Combine::sum ? to + v : std::max(to, v);
          written[c.first[inputs] + at[inputs]] = true;
          ++terms;
        });
        for (size_t i = 0; i < y.size(); ++i)
          if (written[i]) expected[i] = (accumulate ? before[i] : 0) + y[i] * 0.5 + 0.25;

        const Strided kernel(*device, p);
        const Operand scratch{
            device->allocate(std::max<size_t>(4, kernel.scratch_bytes()), "scratch")};
        Operand to = out;
        to.offset += c.first[inputs];
        kernel.run(device->compute(), in, to, scratch);
        check_close(out.values(), expected, static_cast<double>(terms) / expected.size(),
                    describe(*device) + " " + c.what + (accumulate ? ", accumulated" : ""));
      }
}

BOOST_AUTO_TEST_CASE(two_stages_where_results_are_few) {
  const auto device = both_families()[0];
  const auto scratch = [&](const char* what) {
    for (const Case& c : cases())
      if (c.what == std::string(what)) return Strided(*device, c.problem).scratch_bytes();
    return size_t{0};
  };
  BOOST_CHECK_EQUAL(scratch("a long sum in two stages"), 60u * 3 * 4);
  BOOST_CHECK_EQUAL(scratch("a long sum of everything"), 60u * 2 * 4);
  BOOST_CHECK_EQUAL(scratch("sum of channels"), 0u);
}

BOOST_AUTO_TEST_CASE(wrong_number_of_inputs) {
  const auto device = both_families()[0];
  const Strided kernel(*device, cases()[1].problem);
  BOOST_CHECK_THROW(kernel.run(device->compute(), {}, {}), Error);
  BOOST_CHECK_THROW(Strided(*device, problem({1}, {}, {0}, "1.0f")), Error);
}
