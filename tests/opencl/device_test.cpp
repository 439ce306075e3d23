#include "ocellus/opencl/device.hpp"

#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <thread>

#include "ocellus/opencl/profiler.hpp"

using namespace ocellus;
using namespace ocellus::opencl;

namespace {

/// Sets an environment variable for one scope.
struct Environment {
  Environment(const char* name, const char* value) : name(name) { setenv(name, value, 1); }
  ~Environment() { unsetenv(name); }
  const char* name;
};

bool mentions(const std::exception& e, const std::string& part) {
  const bool found = std::string(e.what()).find(part) != std::string::npos;
  if (!found) BOOST_TEST_MESSAGE("'" << part << "' is not in: " << e.what());
  return found;
}

#define CHECK_THROWS(expression, type, part) \
  BOOST_CHECK_EXCEPTION(expression, type, [](const type& e) { return mentions(e, part); })

const KernelSource kScale{
    "scale.cl",
    "__kernel void scale(__global const float* x, __global float* y, int n, float f) {\n"
    "  const int i = get_global_id(0);\n"
    "  if (i < n) y[i] = f * x[i];\n"
    "}\n",
    "device_test"};

}  // namespace

BOOST_AUTO_TEST_CASE(lists_devices_by_preference) {
  const auto list = list_devices();
  BOOST_REQUIRE(!list.empty());
  for (size_t i = 0; i < list.size(); ++i) BOOST_TEST(list[i].index == static_cast<int>(i));
  for (size_t i = 1; i < list.size(); ++i) BOOST_TEST(list[i - 1].emulated <= list[i].emulated);
  BOOST_TEST(Device::open({"0"})->info().name == list[0].name);
}

BOOST_AUTO_TEST_CASE(refuses_a_bad_selector) {
  CHECK_THROWS(Device::open({"no such device"}), DeviceError,
               "no OpenCL device matches 'no such device'");
  CHECK_THROWS(Device::open({"999"}), DeviceError, "'999'");
  const Environment e("OCELLUS_DEVICE", "nonsense");
  CHECK_THROWS(Device::open(), DeviceError, "'nonsense'");
  try {
    Device::open();
  } catch (const Error& error) {
    BOOST_TEST(static_cast<int>(error.exit_code()) == 4);
  }
}

BOOST_AUTO_TEST_CASE(selects_by_type_and_name) {
  const auto list = list_devices();
  BOOST_TEST(Device::open({list[0].type_name()})->info().index == 0);
  BOOST_TEST(Device::open({list[0].name.substr(2, 9)})->info().index == 0);
}

BOOST_AUTO_TEST_CASE(clamps_limits) {
  const Environment e("OCELLUS_DEVICE_LIMITS", "local=16K,group=64,alloc=1M");
  const auto device = Device::open();
  BOOST_TEST(device->info().local_memory <= 16384u);
  BOOST_TEST(device->info().max_work_group <= 64u);
  BOOST_TEST(device->info().max_allocation == uint64_t{1} << 20);
  BOOST_CHECK_NO_THROW(device->allocate(1 << 20, "as much as may be"));
  CHECK_THROWS(device->allocate((1 << 20) + 1, "conv1's weights"), OutOfDeviceMemory,
               "conv1's weights needs 1.0 MiB");
  const Buffer x = device->allocate(4096, "x");
  CHECK_THROWS(
      device->kernel(kScale, "scale")(device->compute(), Range::of(128, 128), x, x, 128, 1.0f),
      DeviceError, "work-groups of 128, the device allows 64");
}

BOOST_AUTO_TEST_CASE(refuses_wrong_limits_and_families) {
  {
    const Environment e("OCELLUS_DEVICE_LIMITS", "lokal=16K");
    CHECK_THROWS(Device::open(), Error, "'lokal=16K'");
  }
  const Environment e("OCELLUS_DEVICE_MEMORY", "2 potatoes");
  CHECK_THROWS(Device::open(), Error, "'2 potatoes'");
  CHECK_THROWS(Device::open({"", 0, false, "simd"}), Error, "'simd'");
}

BOOST_AUTO_TEST_CASE(family_can_be_forced) {
  BOOST_CHECK(Device::open({"", 0, false, "tiled"})->family() == KernelFamily::tiled);
  const Environment e("OCELLUS_KERNEL_FAMILY", "vector");
  BOOST_CHECK(Device::open()->family() == KernelFamily::vector);
}

BOOST_AUTO_TEST_CASE(pool_counts_reuses_and_stops_at_the_ceiling) {
  const auto device = Device::open({"", 64 << 10});
  BOOST_TEST(device->memory_ceiling() == 65536u);
  {
    const Buffer a = device->allocate(30000, "a"), b = device->allocate(1, "b");
    BOOST_TEST(a.bytes() == 30000u);
    BOOST_TEST(device->memory_in_use() >= 30001u);
    try {
      device->allocate(40000, "activations");
      BOOST_ERROR("the ceiling did not hold");
    } catch (const OutOfDeviceMemory& e) {
      BOOST_TEST(e.wanted_bytes() == 40000u);
      BOOST_TEST(e.available_bytes() == 65536 - device->memory_in_use());
      BOOST_TEST(mentions(e, "activations needs 39.1 KiB"));
    }
  }
  BOOST_TEST(device->memory_in_use() == 0u);
  BOOST_TEST(device->memory_peak() >= 30001u);
  // What lies unused in the pool does not stand in the way of another size.
  BOOST_CHECK_NO_THROW(device->allocate(60000, "c"));
  const cl_mem first = device->allocate(5000, "d").handle();
  BOOST_TEST(device->allocate(5100, "e").handle() == first);
}

BOOST_AUTO_TEST_CASE(a_buffer_may_outlive_its_device) {
  Buffer survivor;
  {
    const auto device = Device::open();
    survivor = device->allocate(100, "survivor");
  }
  BOOST_TEST(survivor.bytes() == 100u);
}

BOOST_AUTO_TEST_CASE(launches_and_moves_data) {
  const auto device = Device::open();
  Queue& queue = device->compute();
  std::vector<float> x(1000), y(1000);
  std::iota(x.begin(), x.end(), 0.0f);
  const Buffer bx = device->allocate(4000, "x"), by = device->allocate(4000, "y");
  queue.write(bx, 0, x.data(), 4000);
  std::fill(x.begin(), x.end(), -1.0f);  // the write took its own copy
  const Kernel scale = device->kernel(kScale, "scale");
  scale(queue, Range::of(999, 64), bx, by, 999, 0.5f);
  queue.fill(by, 3996, 4, 0x3f800000);
  scale(queue, Range::of(0, 64), bx, by, 999, 100.0f);
  queue.read(by, 0, y.data(), 4000);
  for (int i = 0; i < 999; ++i) BOOST_REQUIRE(y[i] == 0.5f * i);
  BOOST_TEST(y[999] == 1.0f);
  queue.copy(by, 0, bx, 2000, 2000);
  queue.read(bx, 2000, y.data(), 4);
  BOOST_TEST(y[0] == 0.0f);
  CHECK_THROWS(queue.write(bx, 3000, x.data(), 1004), DeviceError,
               "3000 to 4004 of a buffer of 4000");
  CHECK_THROWS(queue.read(bx, 4004, y.data(), 4), DeviceError, "of a buffer of 4000");
}

BOOST_AUTO_TEST_CASE(queues_are_joined_by_events) {
  const auto device = Device::open();
  const Kernel scale = device->kernel(kScale, "scale");
  const int n = 1 << 18;
  std::vector<float> x(n, 3.0f), y(n);
  const Buffer bx = device->allocate(4 * n, "x"), by = device->allocate(4 * n, "y");
  for (int round = 0; round < 20; ++round) {
    x[n - 1] = static_cast<float>(round);
    device->transfer().wait_for(device->compute().record());
    device->transfer().write(bx, 0, x.data(), 4 * n);
    device->compute().wait_for(device->transfer().record());
    scale(device->compute(), Range::of(n, 64), bx, by, n, 2.0f);
    device->transfer().wait_for(device->compute().record());
    device->transfer().read(by, 0, y.data(), 4 * n);
    BOOST_REQUIRE(y[n - 1] == 2.0f * round);
  }
}

BOOST_AUTO_TEST_CASE(recycled_memory_waits_for_the_other_queue) {
  const auto device = Device::open();
  const Kernel scale = device->kernel(kScale, "scale");
  const int n = 1 << 20;
  const std::vector<float> ones(n, 1.0f), twos(n, 2.0f);
  std::vector<float> y(n);
  const Buffer by = device->allocate(4 * n, "y");
  for (int round = 0; round < 5; ++round) {
    {
      const Buffer x = device->allocate(4 * n, "x");
      device->compute().write(x, 0, ones.data(), 4 * n);
      scale(device->compute(), Range::of(n, 64), x, by, n, 1.0f);
    }  // still being read, and free for the next request
    const Buffer z = device->allocate(4 * n, "z");
    device->transfer().write(z, 0, twos.data(), 4 * n);
    device->compute().read(by, 0, y.data(), 4 * n);
    BOOST_REQUIRE(y == ones);
    device->transfer().finish();
  }
}

BOOST_AUTO_TEST_CASE(wrong_arguments_are_refused) {
  const auto device = Device::open();
  const Buffer x = device->allocate(400, "x");
  const Kernel scale = device->kernel(kScale, "scale");
  CHECK_THROWS(scale(device->compute(), Range::of(64, 64), x, x, 64), DeviceError,
               "'scale' takes 4 arguments, 3 were given");
  CHECK_THROWS(scale(device->compute(), Range::of(64, 64), x, x, int64_t{64}, 1.0f), DeviceError,
               "argument 2 ('int n')");
  CHECK_THROWS(device->kernel(kScale, "skale"), DeviceError, "no kernel 'skale'");
}

BOOST_AUTO_TEST_CASE(build_errors_name_the_place) {
  const auto device = Device::open();
  const KernelSource bad{"bad.cl",
                         "#include \"ocellus/epilogue.cl\"\n"
                         "__kernel void f(__global float* x) {\n"
                         "  x[0] = nobody;\n"
                         "}\n",
                         "a plugin"};
  for (const KernelSource& source : {bad, bad.with_preamble("#define A 1\n#define B 2\n")}) {
    try {
      device->kernel(source, "f", "-DX=1");
      BOOST_ERROR("it compiled");
    } catch (const DeviceError& e) {
      BOOST_TEST(mentions(e, "a plugin"));
      BOOST_TEST(mentions(e, "bad.cl:3"));
      BOOST_TEST(mentions(e, "x[0] = nobody;"));
      BOOST_TEST(e.detail().find("-DX=1") != std::string::npos);
    }
  }
  const KernelSource missing{"m.cl", "\n#include \"ocellus/none.cl\"\n", "a plugin"};
  CHECK_THROWS(device->kernel(missing, "f"), DeviceError,
               "a plugin/m.cl:2: there is no shared kernel \"ocellus/none.cl\"");
}

BOOST_AUTO_TEST_CASE(kernel_path_overrides_embedded_files) {
  const auto directory =
      std::filesystem::temp_directory_path() / ("ocellus_device_test_" + std::to_string(getpid()));
  std::filesystem::create_directories(directory);
  std::ofstream(directory / "one.cl") << "__kernel void one(__global float* x) { x[0] = VALUE; }\n";
  const auto device = Device::open();
  const Buffer x = device->allocate(4, "x");
  const KernelSource source =
      KernelSource{"one.cl", "__kernel void one(__global float* x) { x[0] = 1.0f; }\n",
                   "device_test"}
          .with_preamble("#define VALUE 2.0f\n");
  const auto run = [&] {
    float value = 0;
    device->kernel(source, "one")(device->compute(), Range{}, x);
    device->compute().read(x, 0, &value, 4);
    return value;
  };
  BOOST_TEST(run() == 1.0f);
  {
    const Environment e("OCELLUS_KERNEL_PATH", directory.c_str());
    BOOST_TEST(run() == 2.0f);
  }
  BOOST_TEST(run() == 1.0f);
  std::filesystem::remove_all(directory);
}

BOOST_AUTO_TEST_CASE(kernels_may_be_launched_from_several_threads) {
  const auto device = Device::open();
  const Kernel scale = device->kernel(kScale, "scale");
  const int n = 4096;
  const std::vector<float> ones(n, 1.0f);
  const Buffer x = device->allocate(4 * n, "x");
  device->compute().write(x, 0, ones.data(), 4 * n);
  device->compute().finish();
  bool good[2] = {true, true};
  const auto work = [&](Queue& queue, int which) {
    const Buffer y = device->allocate(4 * n, "y");
    std::vector<float> host(n);
    for (int i = 1; i < 200; ++i) {
      const float f = static_cast<float>(which * 1000 + i);
      scale(queue, Range::of(n, 64), x, y, n, f);
      queue.read(y, 0, host.data(), 4 * n);
      good[which] = good[which] && host == std::vector<float>(n, f);
    }
  };
  std::thread other([&] { work(device->transfer(), 1); });
  work(device->compute(), 0);
  other.join();
  BOOST_TEST(good[0]);
  BOOST_TEST(good[1]);
}

BOOST_AUTO_TEST_CASE(profiler_books_launches_by_label) {
  const auto device = Device::open({"", 0, true});
  const Buffer x = device->allocate(4096, "x");
  const Kernel scale = device->kernel(kScale, "scale");
  device->compute().set_label("conv1");
  for (int i = 0; i < 3; ++i) scale(device->compute(), Range::of(1024, 64), x, x, 1024, 1.0f);
  device->compute().set_label("conv2");
  scale(device->compute(), Range::of(1024, 64), x, x, 1024, 1.0f);
  const auto rows = device->profiler().rows();
  BOOST_REQUIRE(rows.size() == 2u);
  uint64_t launches = 0;
  for (const auto& row : rows) {
    launches += row.launches;
    BOOST_TEST(row.kernel == "scale");
    BOOST_TEST(row.owner == "device_test");
    BOOST_TEST(row.milliseconds > 0);
    BOOST_TEST(row.launches == (row.label == "conv1" ? 3u : 1u));
  }
  device->profiler().clear();
  BOOST_TEST(device->profiler().rows().empty());
}
