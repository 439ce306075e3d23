#include <stdlib.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "core/temporary.hpp"
#include "ocellus/opencl/compilation.hpp"
#include "ocellus/opencl/device.hpp"

using namespace ocellus;
using namespace ocellus::opencl;
namespace fs = std::filesystem;

namespace {

struct Cache : test::TemporaryCache {
  Cache() : TemporaryCache("OCELLUS_PROGRAM_CACHE") {}
  std::vector<fs::path> files() const {
    std::vector<fs::path> list;
    std::error_code none_yet;
    for (const auto& e : fs::directory_iterator(path() / "programs", none_yet))
      list.push_back(e.path());
    return list;
  }
};

/// y[i] = factor * x[i]; texts differ in the factor.
KernelSource scale(int factor, const std::string& more = {}) {
  return {"scale.cl",
          "__kernel __attribute__((reqd_work_group_size(1, 1, 1)))\n"
          "void scale(__global float* x) { x[get_global_id(0)] *= " +
              std::to_string(factor) + ".0f; }\n" + more,
          "program_cache_test"};
}

/// What the kernel makes of 1 on a device that is opened for it, and closed again.
float run(const KernelSource& source, const std::string& options = {}) {
  const auto device = Device::open();
  const Buffer x = device->allocate(sizeof(float), "x");
  float value = 1;
  device->compute().write(x, 0, &value, sizeof value);
  device->kernel(source, "scale", options)(device->compute(), Range::of(1, 1), x);
  device->compute().read(x, 0, &value, sizeof value);
  return value;
}

std::string bytes_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void set_bytes(const fs::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary) << bytes;
}

bool driver_keeps_programs() {
  return Device::open()->info().platform.find("NVIDIA") != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_program_is_kept_and_loaded) {
  if (driver_keeps_programs()) {
    BOOST_TEST_MESSAGE("SKIPPED: the driver keeps programs");
    return;
  }
  const Cache cache;
  BOOST_TEST(run(scale(3)) == 3.0f);
  BOOST_REQUIRE(cache.files().size() == 1u);
  const fs::path three = cache.files()[0];
  BOOST_TEST(run(scale(5)) == 5.0f);
  BOOST_TEST(run(scale(3)) == 3.0f);
  BOOST_REQUIRE(cache.files().size() == 2u);
  const fs::path five = cache.files()[cache.files()[0] == three];

  // That it is loaded shows when the binary of another program stands behind the key. A key ends
  // with the text, and that with a zero.
  const auto end_of_key = [](const std::string& file) {
    const std::string end("f; }\n\0", 6);
    return file.find(end) + end.size();
  };
  const std::string a = bytes_of(three), b = bytes_of(five);
  set_bytes(three, a.substr(0, end_of_key(a)) + b.substr(end_of_key(b)));
  BOOST_TEST(run(scale(3)) == 5.0f);
  // Other options are another program, and a file under another's name is nobody's.
  BOOST_TEST(run(scale(3), "-DX") == 3.0f);
  set_bytes(three, b);
  BOOST_TEST(run(scale(3)) == 3.0f);
}

BOOST_AUTO_TEST_CASE(damaged_files_are_compiled_anew) {
  if (driver_keeps_programs()) return;  // as above
  const Cache cache;
  run(scale(3));
  BOOST_REQUIRE(cache.files().size() == 1u);
  const fs::path file = cache.files()[0];
  const std::string good = bytes_of(file);
  for (const size_t size : {size_t{0}, size_t{7}, good.size() / 2, good.size() - 1}) {
    set_bytes(file, good.substr(0, size));
    BOOST_TEST(run(scale(3)) == 3.0f);
    BOOST_TEST(bytes_of(file).size() == good.size());  // mended
  }
  for (const size_t at : {size_t{3}, good.size() / 2, good.size() - 5}) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x40);
    set_bytes(file, bad);
    BOOST_TEST(run(scale(3)) == 3.0f);
  }
}

BOOST_AUTO_TEST_CASE(works_without_a_place_or_when_turned_off) {
  const Cache cache;
  setenv("OCELLUS_PROGRAM_CACHE", "off", 1);
  BOOST_TEST(run(scale(3)) == 3.0f);
  BOOST_TEST(cache.files().empty());
  unsetenv("OCELLUS_PROGRAM_CACHE");
  // The place of the folder is taken by a file.
  set_bytes(cache.path() / "programs", "");
  BOOST_TEST(run(scale(3)) == 3.0f);
}

BOOST_AUTO_TEST_CASE(compiles_no_kernel_only_to_keep_it) {
  const Cache cache;
  const std::string unused =
      "__kernel __attribute__((reqd_work_group_size(1, 1, 1)))\n"
      "void other(__global float* x) { x[get_global_id(0)] += 1.0f; }\n";
  const bool pocl = Device::open()->info().platform == "Portable Computing Language";
  BOOST_TEST(run(scale(3, unused)) == 3.0f);
  BOOST_TEST(cache.files().empty() == pocl);
}

namespace {

/// What the kernel makes of 1.
float run(Device& device, const Kernel& kernel) {
  const Buffer x = device.allocate(sizeof(float), "x");
  float value = 1;
  device.compute().write(x, 0, &value, sizeof value);
  kernel(device.compute(), Range::of(1, 1), x);
  device.compute().read(x, 0, &value, sizeof value);
  return value;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_compilation_compiles_at_its_end) {
  const Cache cache;
  const auto device = Device::open();
  std::vector<Kernel> kernels;
  Compilation together(*device);
  for (int factor = 1; factor < 6; ++factor)
    kernels.push_back(device->kernel(scale(factor), "scale"));
  BOOST_TEST(cache.files().empty());
  // Two of one text, and the same once more.
  const KernelSource both = scale(7,
                                  "__kernel __attribute__((reqd_work_group_size(1, 1, 1)))\n"
                                  "void add(__global float* x) { x[get_global_id(0)] += 7.0f; }\n");
  const Kernel scaled = device->kernel(both, "scale"), added = device->kernel(both, "add"),
               again = device->kernel(both, "add");
  BOOST_TEST(run(*device, kernels[1]) == 2.0f);  // one that cannot wait
  together.finish();
  // By then PoCL has compiled them too, and not at their launch: their binaries are kept.
  if (device->info().platform == "Portable Computing Language")
    BOOST_TEST(cache.files().size() == 5u);
  for (int factor = 1; factor < 6; ++factor)
    BOOST_TEST(run(*device, kernels[static_cast<size_t>(factor) - 1]) == float(factor));
  BOOST_TEST(run(*device, scaled) == 7.0f);
  BOOST_TEST(run(*device, added) == 8.0f);
  BOOST_TEST(run(*device, again) == 8.0f);
}

BOOST_AUTO_TEST_CASE(a_compilation_tells_what_fails) {
  const Cache cache;
  const auto device = Device::open();
  const auto says = [](const std::string& part) {
    return [part](const DeviceError& e) {
      return std::string(e.what()).find(part) != std::string::npos;
    };
  };
  Compilation together(*device);
  const Kernel good = device->kernel(scale(2), "scale");
  const Kernel bad =
      device->kernel({"bad.cl", "__kernel void bad( {}", "program_cache_test"}, "bad");
  BOOST_CHECK_EXCEPTION(together.finish(), DeviceError, says("program_cache_test: kernel bad.cl"));
  const Kernel missing = device->kernel(scale(2), "scael");
  BOOST_CHECK_EXCEPTION(together.finish(), DeviceError, says("no kernel 'scael'"));
  BOOST_CHECK_EXCEPTION(run(*device, missing), DeviceError, says("'scael' did not compile"));
  BOOST_CHECK_EXCEPTION(run(*device, bad), DeviceError, says("bad.cl"));
  BOOST_TEST(run(*device, good) == 2.0f);
}

BOOST_AUTO_TEST_CASE(compilations_nest_and_end_without_finish) {
  const Cache cache;
  const auto device = Device::open();
  Kernel outer, inner, later;
  {
    Compilation one(*device);
    outer = device->kernel(scale(3), "scale");
    {
      Compilation two(*device);
      inner = device->kernel(scale(4), "scale");
    }
    later = device->kernel(scale(5), "scale");
    one.finish();
  }
  BOOST_TEST(run(*device, outer) == 3.0f);
  BOOST_TEST(run(*device, inner) == 4.0f);
  BOOST_TEST(run(*device, later) == 5.0f);
  BOOST_CHECK_THROW(device->kernel({"bad.cl", "__kernel void bad( {}", "test"}, "bad"),
                    DeviceError);
}
