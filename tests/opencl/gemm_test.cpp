#include "ocellus/opencl/gemm.hpp"

#include <fmt/format.h>

#include <boost/test/unit_test.hpp>

#include "opencl/testing.hpp"

using namespace ocellus;
using namespace ocellus::opencl;
using namespace ocellus::test;

namespace {

struct Case {
  int m, n, k;
};
// 1, primes, one under and over the tiles of 12 x 32 and 64 x 64, one row (batch 1), LeNet's dense
// layers and their gradients.
const Case kCases[] = {{1, 1, 1},       {1, 10, 84},   {7, 13, 5},     {12, 32, 16},
                       {11, 31, 7},     {13, 33, 17},  {24, 64, 32},   {25, 65, 33},
                       {63, 127, 65},   {1, 513, 257}, {129, 1, 300},  {128, 120, 400},
                       {128, 10, 84},   {400, 120, 8}, {31, 97, 701},  {200, 40, 1},
                       {61, 200, 1031}, {8, 47, 530},  {3, 1000, 129}, {970, 45, 19}};

std::vector<double> reference(const GemmProblem& p, const std::vector<float>& a,
                              const std::vector<float>& b, const std::vector<float>& c) {
  std::vector<double> out(size_t(p.m) * p.n);
  for (int i = 0; i < p.m; ++i)
    for (int j = 0; j < p.n; ++j) {
      double sum = p.accumulate ? c[size_t(i) * p.n + j] : 0;
      for (int l = 0; l < p.k; ++l)
        sum += double(p.transpose_a ? a[size_t(l) * p.m + i] : a[size_t(i) * p.k + l]) *
               double(p.transpose_b ? b[size_t(j) * p.k + l] : b[size_t(l) * p.n + j]);
      out[size_t(i) * p.n + j] = sum;
    }
  return out;
}

std::string describe(const GemmProblem& p, const std::string& algorithm) {
  return fmt::format("{} m={} n={} k={}{}{}{}", algorithm, p.m, p.n, p.k,
                     p.transpose_a ? " A^T" : "", p.transpose_b ? " B^T" : "",
                     p.accumulate ? " +=" : "");
}

/// Runs one problem by one algorithm, with and without a packed B, twice each.
void run_case(Device& device, const GemmProblem& p, const std::string& algorithm) {
  const std::string what = describe(p, algorithm);
  Queue& queue = device.compute();
  const auto a = noise(size_t(p.m) * p.k, 1), b = noise(size_t(p.k) * p.n, 2);
  const auto c = noise(size_t(p.m) * p.n, 3), bias = noise(p.n, 4), merge = noise(c.size(), 5);
  GuardedMatrix da(device, p.transpose_a ? p.k : p.m, p.transpose_a ? p.m : p.k, 2, 5);
  GuardedMatrix db(device, p.transpose_b ? p.n : p.k, p.transpose_b ? p.k : p.n, 1, 3);
  GuardedMatrix dc(device, p.m, p.n, 3, 7), dbias(device, 1, p.n, 0, 1),
      dmerge(device, p.m, p.n, 4, 9);
  da.set(a), db.set(b), dbias.set(bias), dmerge.set(merge);

  std::vector<double> expected = reference(p, a, b, c);
  std::vector<Operand> operands;
  if (!p.epilogue.empty()) {  // bias, merge, relu: see the test
    operands = {dbias, dmerge};
    for (size_t i = 0; i < expected.size(); ++i)
      expected[i] = std::max(0.0, expected[i] + bias[i % p.n] + 0.5 * merge[i]);
  }

  const Gemm gemm(device, p, algorithm);
  BOOST_REQUIRE_EQUAL(gemm.algorithm(), algorithm);
  const Buffer workspace = device.allocate(gemm.workspace_bytes(), "workspace");
  const Buffer packed = device.allocate(gemm.packed_bytes(), "packed");
  std::vector<float> first;
  for (int run = 0; run < (gemm.packed_bytes() ? 4 : 2); ++run) {
    dc.set(c);
    if (run < 2) {
      gemm.run(queue, da, db, dc, operands, workspace);
    } else {
      gemm.pack(queue, db, packed);
      gemm.run_packed(queue, da, packed, dc, operands, workspace);
    }
    const auto result = dc.values();
    BOOST_TEST(error_ratio(result, expected, p.k) <= 1,
               what << ", error " << error_ratio(result, expected, p.k));
    if (run == 1) BOOST_TEST(same_bits(first, result), what << " gave other bits the second time");
    first = result;
  }
  BOOST_TEST((same_bits(da.values(), a) && same_bits(db.values(), b)),
             what << " wrote to an input");
}

/// By the algorithms of the family, or by the others.
void run_all(const GemmProblem& p, bool own = true) {
  static const auto devices = tested_families();
  for (const auto& device : devices)
    for (const std::string& algorithm : Gemm::algorithms(*device, p))
      if (is_own(*device, algorithm) == own) run_case(*device, p, algorithm);
}

}  // namespace

BOOST_AUTO_TEST_CASE(products) {
  for (const Case& c : kCases)
    for (int flags = 0; flags < 4; ++flags)
      run_all({c.m, c.n, c.k, (flags & 1) != 0, (flags & 2) != 0, false, {}});
}

BOOST_AUTO_TEST_CASE(algorithms_of_the_other_family) {
  run_all({kCases[5].m, kCases[5].n, kCases[5].k}, false);
}

BOOST_AUTO_TEST_CASE(accumulated_products) {
  for (const Case& c : {kCases[2], kCases[5], kCases[11], kCases[13]}) {
    run_all({c.m, c.n, c.k, false, false, true, {}});
    run_all({c.m, c.n, c.k, true, false, true, {}});
  }
}

BOOST_AUTO_TEST_CASE(products_with_an_epilogue) {
  const Epilogue epilogue{{{Stage::Kind::bias, ""},
                           {Stage::Kind::merge, "x0 + 0.5f * x1"},
                           {Stage::Kind::expression, "fmax(x, 0.0f)"}}};
  for (const Case& c : {kCases[1], kCases[5], kCases[7], kCases[11], kCases[14]}) {
    run_all({c.m, c.n, c.k, false, false, false, epilogue});
    run_all({c.m, c.n, c.k, false, true, true, epilogue});
  }
}

BOOST_AUTO_TEST_CASE(the_default_is_of_the_family) {
  for (const auto& device : both_families()) {
    const GemmProblem p{512, 512, 512};
    BOOST_TEST(Gemm(*device, p).algorithm() == Gemm::algorithms(*device, p).front());
  }
}

BOOST_AUTO_TEST_CASE(wrong_operands_are_refused) {
  const auto device = Device::open();
  const Buffer small = device->allocate(400, "small");
  const Gemm gemm(*device, {10, 10, 11});
  const Operand x{small, 0, 10}, long_rows{small, 0, 11};
  const Buffer workspace = device->allocate(gemm.workspace_bytes(), "workspace");
  BOOST_CHECK_THROW(gemm.run(device->compute(), x, x, x, {}, workspace),
                    Error);  // a row of A has 11 elements
  BOOST_CHECK_THROW(gemm.run(device->compute(), long_rows, x, x, {}, workspace),
                    Error);  // A does not fit
  BOOST_CHECK_THROW(Gemm(*device, {10, 10, 10}, "strassen"), Error);
  BOOST_CHECK_THROW(Gemm(*device, {10, 0, 10}), Error);
}
