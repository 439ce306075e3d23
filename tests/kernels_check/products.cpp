#include <cmath>

#include "kernels_check/checks.hpp"
#include "ocellus/opencl/gemm.hpp"

namespace ocellus::test {

using namespace opencl;

void check_gemm(Checker& c, int rows, int columns, int terms, bool transpose_a, bool transpose_b) {
  GemmProblem p{rows,
                columns,
                terms,
                transpose_a,
                transpose_b,
                false,
                {{{Stage::Kind::bias, ""}, {Stage::Kind::expression, "fmax(x, 0.0f)"}}}};
  const auto a = noise(p.m * p.k, 1), b = noise(p.k * p.n, 2), bias = noise(p.n, 3);
  Doubles expected(p.m * p.n);
  for (int i = 0; i < p.m; ++i)
    for (int j = 0; j < p.n; ++j) {
      double sum = bias[j];
      for (int l = 0; l < p.k; ++l)
        sum += double(a[transpose_a ? l * p.m + i : i * p.k + l]) *
               b[transpose_b ? j * p.k + l : l * p.n + j];
      expected[i * p.n + j] = std::max(0.0, sum);
    }
  GuardedMatrix da = c.matrix(transpose_a ? p.k : p.m, transpose_a ? p.m : p.k, a);
  GuardedMatrix db = c.matrix(transpose_b ? p.n : p.k, transpose_b ? p.k : p.n, b),
                dbias = c.matrix(1, p.n, bias);
  for (const std::string& algorithm : Gemm::algorithms(c.device(), p)) {
    if (c.skips(algorithm)) continue;
    GuardedMatrix out = c.matrix(p.m, p.n);
    const Gemm gemm(c.device(), p, algorithm);
    const Operand epilogue[] = {dbias};
    gemm.run(c.queue(), da, db, out, epilogue, c.scratch(gemm.workspace_bytes()));
    c.check(fmt::format("gemm {} {}{}{}", algorithm, rows, transpose_a ? " A^T" : "",
                        transpose_b ? " B^T" : ""),
            out, expected, p.k);
  }
}

void check_tiles(Checker& c, int m, int n, int k) {
  const auto a = noise(m * k, 1), b = noise(k * n, 2);
  Doubles expected(m * n);
  for (int i = 0; i < m * n; ++i)
    for (int l = 0; l < k; ++l) expected[i] += double(a[i / n * k + l]) * b[l * n + i % n];
  GuardedMatrix da = c.matrix(m, k, a), db = c.matrix(k, n, b);
  int tried = 0;
  for (const char* tile : {"128,128,8,8,8", "64,64,8,8,8", "64,64,16,4,4", "64,32,8,8,4",
                           "128,16,8,8,2", "32,32,8,4,4", "64,8,8,4,2", "16,48,4,2,6"}) {
    setenv("OCELLUS_TILE", tile, 1);
    try {
      GuardedMatrix out = c.matrix(m, n);
      Gemm(c.device(), {m, n, k}, "tiled").run(c.queue(), da, db, out);
      c.check(fmt::format("gemm tiled {} by {}", n, tile), out, expected, k);
      ++tried;
    } catch (const DeviceError& e) {
      fmt::print("{:6} gemm tiled by {:26} does not fit: {}\n", c.family(), tile, e.what());
    }
  }
  unsetenv("OCELLUS_TILE");
  if (tried < 4) c.fail("at least 4 tiles must fit");
}

}  // namespace ocellus::test
