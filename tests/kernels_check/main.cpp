// Every primitive in both kernel families on small problems, compared with the host: what runs
// under Oclgrind (`./dev kernels-check`), which finds reads and writes out of bounds, uninitialised
// reads and data races, but is too slow for the tests. It also takes another OpenCL implementation
// by name: `RUSTICL_ENABLE=llvmpipe kernels_check --device=llvmpipe`.
#include "kernels_check/checks.hpp"
#include "ocellus/opencl/error.hpp"

using namespace ocellus;
using namespace ocellus::opencl;
using namespace ocellus::test;

namespace {

int check_family(const std::string& selector, const std::string& family, bool own) {
  const auto device = Device::open({.selector = selector, .family = family});
  Checker c(*device, family, own);
  check_pointwise(c);
  for (const auto& [rows, columns] : {std::pair{300, 6}, {70, 19}}) check_reduce(c, rows, columns);
  check_segments(c);
  check_softmax(c);
  for (auto mode : {PoolingProblem::Mode::max, PoolingProblem::Mode::average}) {
    check_pooling(c, mode, 19, 3, 2);
    check_pooling(c, mode, 6, 2, 2);
  }
  check_movement(c);
  check_random(c);
  for (int flags = 0; flags < 4; ++flags) check_gemm(c, 19, 21, 37, flags & 1, flags & 2);
  if (family == "vector")  // "thin", a vector kernel
    for (const bool turned : {false, true}) check_gemm(c, 5, 21, 37, false, turned);
  if (family == "tiled") {
    check_tiles(c, 131, 67, 19);
    // Tiled kernels load and store four floats at a time where memory allows it.
    c.at_fours = true;
    check_tiles(c, 132, 68, 20);
    for (int flags = 0; flags < 4; ++flags) check_gemm(c, 20, 24, 36, flags & 1, flags & 2);
    check_convolution(c, 8, 20, 1);
    check_convolution(c, 8, 20, 2);
    c.at_fours = false;
  }
  check_convolution(c, 5, 19, 1);  // two strips of packed weights
  check_convolution(c, 17, 18, 2);
  check_convolution(c, 17, 17, 1, true);
  check_convolution(c, 8, 16, 2, true);
  if (family == "vector")
    for (const int stride : {1, 2}) check_expanded_depthwise(c, stride);
  return c.failures();
}

}  // namespace

int main(int argc, char** argv) try {
  std::string selector, only;
  bool optional = false, own = false;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option.starts_with("--device=")) {
      selector = option.substr(9);
    } else if (option.starts_with("--family=")) {
      only = option.substr(9);
    } else if (option == "--own") {
      own = true;
    } else if (option == "--optional") {
      optional = true;
    } else {
      fmt::print(
          stderr,
          "usage: kernels_check [--device=NAME] [--optional] [--family=vector|tiled] [--own]\n");
      return 2;
    }
  }
  std::shared_ptr<Device> device;
  try {
    device = Device::open({.selector = selector});
  } catch (const DeviceError& e) {
    if (!optional) throw;
    fmt::print("SKIPPED: {}\n", e.what());
    return 77;  // CTest's word for it: see tests/CMakeLists.txt
  }
  fmt::print("{}\n", device->info().name);
  int failures = 0;
  for (const char* family : {"vector", "tiled"})
    if (only.empty() || only == family) failures += check_family(selector, family, own);
  fmt::print("{} checks failed\n", failures);
  return failures == 0 ? 0 : 1;
} catch (const Error& e) {
  fmt::print(stderr, "kernels_check: {}\n{}\n", e.what(), e.detail());
  return static_cast<int>(e.exit_code());
}
